"""Backups of homes and homes made of them, for tests.

    repository = Repository(self)             # a folder that is not there yet
    repository.back_up(home)                  # {"id": …, "root": …}
    again = repository.restore(self, home)    # a home in another database of home's server
    state(again)                              # roots, and the rows of every version
"""

import json
import pathlib
import unittest
import uuid

from support.coppice import Failed, Home, media_folder, psql, scratch_folder, with_database
from support.roots import owner_url

PASSPHRASE = "correct horse"


def new_database(test, server):
    """The URL of an empty database beside that of a URL."""
    name = "coppice_test_" + uuid.uuid4().hex[:12]
    psql(server, f"CREATE DATABASE {name}")
    cleanup = test.addClassCleanup if isinstance(test, type) else test.addCleanup
    cleanup(psql, server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", check=False)
    return with_database(server, name) if "?" not in server else _in_url(server, name)


def _in_url(server, name):
    base, _, query = server.partition("?")
    return f"{base.rpartition('/')[0]}/{name}?{query}"


def home_beside(test, home):
    """A new home, in a database of the server of another one: cheaper than a server of its own."""
    folder = scratch_folder(test)
    other = Home(folder / "home", home.work)
    other.owner_url = new_database(test, owner_url(home))
    other.run("init", "--database", other.owner_url)
    return other


class Repository:
    def __init__(self, test, encrypted=True, folder=None):
        self.folder = folder or scratch_folder(test) / "repository"
        self.environment = {"COPPICE_REPO_PASSWORD": PASSPHRASE} if encrypted else {}
        self.flags = ("--repo", str(self.folder)) + (() if encrypted else ("--no-encryption",))

    def call(self, home, *arguments, environment=None, **options):
        """Runs coppice with the repository's address and key; returns what it gave."""
        environment = self.environment | (environment or {})
        return home.attempt(*arguments, *self.flags, environment=environment, **options)

    def report(self, home, *arguments, code=0, **options):
        """The JSON line that a call printed, and what it said beside it."""
        result = self.call(home, *arguments, "--json", **options)
        if result.returncode != code:
            raise Failed(result, f"exit code {code} was expected")
        lines = result.stdout.splitlines()
        return (json.loads(lines[-1]) if lines else None), result.stderr

    def back_up(self, home, *arguments, **options):
        return self.report(home, "backup", "create", *arguments, **options)[0]

    def fail(self, home, *arguments, code, **options):
        result = self.call(home, *arguments, **options)
        if result.returncode != code:
            raise Failed(result, f"exit code {code} was expected")
        return result.stderr

    def list(self, home):
        result = self.call(home, "backup", "list", "--json")
        if result.returncode != 0:
            raise Failed(result, "the list of backups was expected")
        return [json.loads(line) for line in result.stdout.splitlines()]

    def restore(self, test, beside, *arguments, **options):
        """A home in a new database of the server of `beside`, restored and proven equal."""
        again = Home(scratch_folder(test) / "home", beside.work)
        database = new_database(test, owner_url(beside))
        again.restored, _ = self.report(again, "restore", "--database", database, *arguments, **options)
        if not again.restored["equal"]:
            raise AssertionError(f"the restored home differs: {again.restored}")
        return again

    def restore_alone(self, test, *arguments, **options):
        """A home with a server of its own."""
        again = Home(scratch_folder(test) / "home")
        test.addCleanup(again.discard)
        again.restored, _ = self.report(again, "restore", *arguments, **options)
        return again

    def objects(self):
        """Its files."""
        return sorted(path for path in pathlib.Path(self.folder).rglob("*") if path.is_file())


VERSIONS = """
SELECT quote_ident(t.schema_name), replace(t.table_name, '"', '""'), v.version FROM coppice.tables t
JOIN coppice.trees r USING (tree_id) JOIN coppice.versions v USING (tree_id)
LEFT JOIN coppice.materialized_views m USING (table_id)
WHERE v.version >= greatest(r.floor_version, m.first_version)
ORDER BY t.schema_name, t.table_name, v.version
"""


def state(home):
    """What must be the same in a restored home: both roots, and the rows of every kept version."""
    (roots,) = home.json_lines("root", "--history", "--rows")
    versions = home.values(VERSIONS)
    queries = [
        f"SELECT coalesce(json_agg(t ORDER BY t::text), '[]')::text AS rows "
        f'FROM {schema}."{table}:{version}" t'
        for schema, table, version in versions
    ]
    lines = home.rows("; ".join(queries)) if queries else []
    rows = {
        f"{schema}.{table}:{version}": line["rows"]
        for (schema, table, version), line in zip(versions, lines)
    }
    if len(rows) != len(lines) or len(lines) != len(versions):
        raise AssertionError("a version gave no answer")
    return {"root": home.run("root").strip(), "history": roots["root"], "rows": rows}


TABLES = (
    "CREATE TABLE film (id int PRIMARY KEY, title text, p image,"
    " loud text GENERATED ALWAYS AS (upper(title)) STORED);"
    "CREATE TABLE log (w text); INSERT INTO log VALUES ('a'), ('a');"
    "CREATE VIEW few AS SELECT id FROM film WHERE id < 5;"
    "INSERT INTO film (id, title, p) VALUES (1, 'one', '{media}/red.png'),"
    " (2, 'two', '{media}/gradient.jpg'), (3, 'three', NULL)"
)


class Shared(unittest.TestCase):
    """Tests that share a server; each has homes in databases of it."""

    @classmethod
    def setUpClass(cls):
        cls.server = Home.make(cls)
        cls.media = media_folder(cls)

    def home_with_tables(self):
        home = home_beside(self, self.server)
        home.sql(TABLES.format(media=self.media))
        return home

    def empty_place(self):
        """(a home that is not there yet, the arguments that say where its database is)"""
        again = Home(scratch_folder(self) / "home")
        return again, ("--database", new_database(self, owner_url(self.server)))
