#!/usr/bin/python3
"""Backups as files that need no Coppice: psql and tar alone read them."""

import hashlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.backups import Repository, Shared, new_database  # noqa: E402
from support.coppice import Home, psql, scratch_folder  # noqa: E402
from support.roots import owner_url  # noqa: E402

SCHEMA = r"""
CREATE SCHEMA films; CREATE SCHEMA "Odd ""name";
CREATE FUNCTION films.is_good(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n > 0';
CREATE TABLE films.film (
  id bigint PRIMARY KEY, title text NOT NULL, poster image, stars int DEFAULT 3 CHECK (films.is_good(stars)),
  width int GENERATED ALWAYS AS (width(poster)) STORED, loud text GENERATED ALWAYS AS (upper(title)) STORED,
  UNIQUE (title, stars));
CREATE INDEX film_loud ON films.film (loud DESC);
CREATE TABLE "Odd ""name"."a table" ("the key" int GENERATED ALWAYS AS IDENTITY (START WITH 10), "b.c" text,
  n serial, j jsonb, a text[], s timestamptz, d interval, x bytea, f float8, m numeric(12, 4), PRIMARY KEY ("the key"));
CREATE TABLE plain (w text); CREATE TABLE empty (i int, p image[]);
CREATE MATERIALIZED VIEW films.bright AS SELECT f.id, f.title FROM films.film f WHERE f.stars > 2;
CREATE VIEW films.few AS SELECT id, loud FROM films.film WHERE id < 3;
CREATE VIEW fewer AS SELECT * FROM films.few WHERE id = 1;
CREATE VIEW of_workers AS SELECT id, height(poster) AS high FROM films.film;
CREATE VIEW over_those AS SELECT id FROM of_workers;
CREATE VIEW before AS SELECT id FROM films."film:0";
CREATE FUNCTION how_many() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM films.film';
CREATE FUNCTION name_of(f films.film) RETURNS text LANGUAGE sql STABLE AS 'SELECT f.title';
CREATE FUNCTION joined(a text, b text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN concat(a, b); END$$;
CREATE VIEW counted AS SELECT how_many() AS n, max(name_of(f)) AS last FROM films.film f;
COMMENT ON TABLE films.film IS 'what ''we'' \ show'; COMMENT ON COLUMN films.film.stars IS 'of five';
COMMENT ON VIEW films.few IS 'the first'; COMMENT ON SCHEMA films IS 'all of them'
"""

ROWS = r"""
INSERT INTO films.film (id, title, poster, stars) VALUES (1, 'one', '{media}/red.png', 4),
  (2, E'tab\there \\. and\nline', '{media}/gradient.jpg', 2), (3, 'Übung €', NULL, NULL);
INSERT INTO "Odd ""name"."a table" ("b.c", j, a, s, d, x, f, m) VALUES
  (E'\\.', '{{"k": [1, null, "ä\""]}}', ARRAY['a,b', NULL, '{{}}', E'\\'], '2026-02-03 04:05:06.789+02',
   '1 year 2 days -3.5 seconds', '\x00ff5c', 'NaN', -0.1000), (NULL, NULL, '{{}}', 'infinity', NULL, '', '-Infinity', 1e7),
  ('', 'null', NULL, '0044-03-15 12:00:00 BC', '-1 mons', NULL, 0.1, 12345678.9999);
INSERT INTO plain VALUES ('same'), ('same'), (NULL), (E'\r\n\b\f\v');
DELETE FROM films.film WHERE id = 3; INSERT INTO films.film (id, title) VALUES (4, 'four');
UPDATE films.film SET stars = 5 WHERE id = 1
"""

TABLES = ("films.film", '"Odd ""name"."a table"', "plain", "empty", "films.bright")
CHECKSUM = """SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET IntervalStyle = 'postgres';
SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C")) FROM {} t"""


def sums(url, tables=TABLES):
    """What plain SQL says of each table."""
    return {table: psql(url, CHECKSUM.format(table)).stdout for table in tables}


def values(url, query):
    return [line for line in psql(url, query).stdout.splitlines() if line]


def load(url, folder):
    """What a person would do; returns psql's result."""
    return subprocess.run(
        ["psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "--dbname", url,
         "-f", folder / "backup.sql"], capture_output=True, text=True, timeout=120)  # fmt: skip


def file_of(name):
    """Where the file of a media name is, by docs/formats/media_store.md alone."""
    match = re.fullmatch(r"media:([0-9a-f]{64})\.([a-z0-9]{1,12})", name)
    return match[1], f"media/sha256/{match[1][:2]}/{match[1]}.{match[2]}"


class Exports(Shared):
    def exported(self, *arguments, repository=None, code=0):
        """(the folder, the report), made without any home."""
        folder = scratch_folder(self) / "out"
        nobody = Home(scratch_folder(self) / "no home")
        repository = repository or self.repository
        report, errors = repository.report(nobody, "backup", "export", "--to", folder, *arguments, code=code)
        self.assertFalse(nobody.folder.exists())
        return folder, report, errors

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = cls.server
        cls.home.sql(SCHEMA)
        cls.home.sql(ROWS.format(media=cls.media))
        cls.role = "reader_of_films"
        owner = owner_url(cls.home)
        psql(owner, f"CREATE ROLE {cls.role}; CREATE AGGREGATE public.all_of (text) (SFUNC = joined, STYPE = text)")
        cls.addClassCleanup(psql, owner, f"DROP OWNED BY {cls.role}; DROP ROLE {cls.role}", check=False)
        psql(owner, f"GRANT SELECT ON films.few TO {cls.role}; GRANT USAGE ON SCHEMA films TO {cls.role}; "
             f"GRANT SELECT (id) ON films.film TO {cls.role}; GRANT SELECT ON of_workers TO {cls.role}")
        cls.repository = Repository(cls)
        cls.repository.back_up(cls.home)

    def test_psql_and_tar_alone_read_it(self):
        folder, report, _ = self.exported()
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["backup.sql", "media.tar"])
        self.assertEqual(sorted(folder.parent.iterdir()), [folder])
        plain = new_database(self, owner_url(self.server))
        loaded = load(plain, folder)
        self.assertEqual((loaded.returncode, loaded.stderr), (0, ""))
        home = self.home.status()["database_url"]
        self.assertEqual(sums(plain), sums(home))
        self.assertEqual(report["tables"], len(TABLES))
        self.assertEqual(report["rows"], sum(int(text.split("|")[0]) for text in sums(plain).values()))
        # Nothing is left of Coppice but the domains.
        self.assertEqual(values(plain, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'coppice'::regnamespace"), ["0"])
        self.assertEqual(values(plain, "SELECT count(*) FROM pg_class WHERE relnamespace = 'coppice'::regnamespace"), ["0"])
        # Views, functions and what they rely on.
        for query in ("SELECT * FROM films.few ORDER BY 1", "SELECT * FROM fewer", "SELECT * FROM counted",
                      "SELECT all_of(w) FROM plain WHERE w = 'same'"):  # fmt: skip
            self.assertEqual(values(plain, query), values(home, query), query)
        self.assertEqual([text.partition(":")[0] for text in report["left_out"]],
                         ["view public.of_workers", "view public.over_those", "view public.before"])  # fmt: skip
        self.constraints_hold(plain)
        self.comments_and_rights_are_there(plain)

    def constraints_hold(self, plain):
        for wrong, why in (
            ("INSERT INTO films.film (id, title) VALUES (1, 'x')", "film_pkey"),
            ("INSERT INTO films.film (id) VALUES (9)", "not-null"),
            ("INSERT INTO films.film (id, title, stars) VALUES (9, 'x', 0)", "film_stars_check"),
            ("INSERT INTO films.film (id, title, stars) VALUES (9, 'one', 5)", "film_title_stars_key"),
            ('INSERT INTO "Odd ""name"."a table" ("the key") VALUES (1)', "GENERATED ALWAYS"),
        ):
            failed = psql(plain, wrong, check=False)
            self.assertEqual(failed.returncode, 1, wrong)
            self.assertIn(why, failed.stderr)
        self.assertEqual(values(plain, "INSERT INTO films.film (id, title) VALUES (9, 'x') RETURNING stars"), ["3"])
        taken = 'SELECT max("the key"), max(n) FROM "Odd ""name"."a table"'
        ((key, number),) = [row.split("|") for row in values(plain, taken)]
        more = 'INSERT INTO "Odd ""name"."a table" ("b.c") VALUES (\'new\') RETURNING "the key", n'
        ((new_key, new_number),) = [row.split("|") for row in values(plain, more)]
        self.assertGreater(int(new_key), int(key))
        self.assertGreater(int(new_number), int(number))
        self.assertEqual(values(plain, "SELECT indexdef FROM pg_indexes WHERE indexname = 'film_loud'"),
                         ["CREATE INDEX film_loud ON films.film USING btree (loud DESC)"])  # fmt: skip

    def comments_and_rights_are_there(self, plain):
        self.assertEqual(values(plain, "SELECT obj_description('films.film'::regclass)"), [r"what 'we' \ show"])
        self.assertEqual(values(plain, "SELECT col_description('films.film'::regclass, 4)"), ["of five"])
        self.assertEqual(values(plain, "SELECT obj_description('films.few'::regclass)"), ["the first"])
        rights = f"""SELECT has_table_privilege('{self.role}', 'films.few', 'SELECT'),
            has_table_privilege('{self.role}', 'films.film', 'SELECT'),
            has_column_privilege('{self.role}', 'films.film', 'id', 'SELECT')"""
        self.assertEqual(values(plain, rights), ["t|f|t"])

    def test_every_media_value_leads_to_its_file(self):
        folder, report, _ = self.exported()
        plain = new_database(self, owner_url(self.server))
        self.assertEqual(load(plain, folder).returncode, 0)
        names = set()
        for table in TABLES:
            for row in values(plain, f"SELECT row_to_json(t) FROM {table} t"):
                names |= set(re.findall(r'"(media:[^"]*)"', row))
        self.assertEqual(len(names), 2)
        subprocess.run(["tar", "--extract", "--file", "media.tar"], cwd=folder, check=True)
        for name in names:
            digest, path = file_of(name)
            self.assertEqual(hashlib.sha256((folder / path).read_bytes()).hexdigest(), digest)
        with tarfile.open(folder / "media.tar") as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar}
        self.assertEqual(len(files), report["media_objects"])
        self.assertEqual(sum(map(len, files.values())), report["media_bytes"])
        for path, content in files.items():
            self.assertEqual(hashlib.sha256(content).hexdigest(), pathlib.Path(path).stem)

    def test_pg_dump_and_tar_make_a_home(self):
        home = self.home
        subprocess.run(["tar", "--create", "--file", home.work / "home.tar", "media"], cwd=home.folder, check=True)
        dump = subprocess.run(["pg_dump", owner_url(home)], capture_output=True, check=True).stdout
        again = Home(scratch_folder(self) / "home")
        database = new_database(self, owner_url(self.server))
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", database], input=dump, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        again.folder.mkdir()
        subprocess.run(["tar", "--extract", "--file", home.work / "home.tar"], cwd=again.folder, check=True)
        again.run("init", "--database", database)
        (there,), (here,) = home.json_lines("status"), again.json_lines("status")
        for what in ("tables", "rows", "media_objects", "media_bytes"):
            self.assertEqual(here[what], there[what])
        for options in ((), ("--rows",), ("--history",)):
            self.assertEqual(again.run("root", *options), home.run("root", *options))
        again.sql(f"INSERT INTO films.film (id, title, poster) VALUES (20, 'new', '{self.media}/alpha.png')")
        self.assertEqual(again.values("SELECT width > 0 FROM films.film WHERE poster IS NOT NULL AND width IS NOT NULL"),
                         [[True]] * 3)  # fmt: skip

    def test_all_of_it_can_be_restored(self):
        again = self.repository.restore(self, self.server)
        self.assertEqual(again.values("SELECT n, last FROM counted"), self.home.values("SELECT n, last FROM counted"))

    def test_histories(self):
        folder, _, _ = self.exported("--history")
        plain = new_database(self, owner_url(self.server))
        self.assertEqual(load(plain, folder).stderr, "")
        # As docs/formats/export.md says it.
        ((table, tree),) = [row.split("|") for row in values(
            plain, "SELECT table_id, tree_id FROM coppice_history.tables "
            "WHERE (schema_name, table_name) = ('films', 'film')")]  # fmt: skip
        versions = values(plain, f"SELECT version FROM coppice_history.versions WHERE tree_id = {tree} ORDER BY 1")
        self.assertGreaterEqual(len(versions), 4)
        for version in versions:
            columns = [row.split("|") for row in values(
                plain, f"SELECT physical, quote_ident(name) FROM coppice_history.columns WHERE table_id = {table} "
                f"AND from_version <= {version} AND (to_version IS NULL OR to_version > {version}) "
                "ORDER BY position")]  # fmt: skip
            select = ", ".join(f"{physical} AS {name}" for physical, name in columns)
            query = (f"WITH t AS (SELECT {select} FROM coppice_history.t{table} r, coppice_history.versions v "
                     f"WHERE v.tree_id = {tree} AND v.version = {version} "
                     "AND r._from <= v.high_op AND r._from <> ALL (v.open_ops) "
                     "AND (r._to > v.high_op OR r._to = ANY (v.open_ops))) "
                     "SELECT coalesce(json_agg(t ORDER BY t::text), '[]')::text FROM t")  # fmt: skip
            expected = self.home.value("SELECT coalesce(json_agg(t ORDER BY t::text), '[]')::text AS a "
                                       f'FROM films."film:{version}" t')  # fmt: skip
            self.assertEqual(psql(plain, query).stdout.strip(), expected)

    def test_what_is_not_empty_stays_as_it_is(self):
        folder = scratch_folder(self)
        (folder / "mine").write_text("mine")
        said = self.repository.fail(self.home, "backup", "export", "--to", folder, code=5)
        self.assertIn("is not empty", said)
        self.assertEqual([path.name for path in folder.iterdir()], ["mine"])
        said = self.repository.fail(self.home, "backup", "export", "--to", folder / "mine", code=5)
        self.assertIn("is no folder", said)
        said = self.repository.fail(self.home, "backup", "export", "--to", folder / "a" / "b", code=4)
        self.assertIn(str(folder / "a" / "b"), said)
        self.repository.fail(self.home, "backup", "export", code=2)
        self.assertIn("there is no backup", self.repository.fail(
            self.home, "backup", "export", "ffffffff", "--to", folder / "out", code=4))  # fmt: skip
        (folder / "into").mkdir()
        self.repository.report(self.home, "backup", "export", "--to", folder / "into")
        self.assertEqual(sorted(path.name for path in folder.iterdir()), ["into", "mine"])
        full = new_database(self, owner_url(self.server))
        psql(full, "CREATE TABLE plain (i int)")
        self.assertEqual(load(full, folder / "into").returncode, 3)
        self.assertEqual(values(full, "SELECT count(*) FROM pg_class WHERE relname IN ('plain', 'empty')"), ["1"])

    def test_exports_that_are_killed_leave_nothing_under_the_name(self):
        folder = scratch_folder(self) / "out"
        for point in ("export.sql_written", "export.before_rename"):
            killed = self.repository.call(self.home, "backup", "export", "--to", folder,
                                          environment={"COPPICE_CRASH_AT": point})  # fmt: skip
            self.assertEqual(killed.returncode, -signal.SIGKILL)
            self.assertFalse(folder.exists())
        self.repository.report(self.home, "backup", "export", "--to", folder)
        self.assertEqual(sorted(folder.parent.iterdir()), [folder])

    def test_a_full_disk(self):
        folder = scratch_folder(self)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        script = ('mount -t tmpfs -o size="$2",mode=755 tmpfs "$1" || exit 99; shift 2; P=$1; D=$2; shift 2; '
                  '"$P" backup export --to "$D/out" "$@"; code=$?; ls -A "$D"; exit $code')  # fmt: skip
        for size in ("4k", "12k"):  # of backup.sql, and of media.tar
            result = subprocess.run(
                ["unshare", *user, "--mount", "sh", "-c", script, "sh", folder, size, coppice.PROGRAM, folder,
                 *self.repository.flags], capture_output=True, text=True,
                env=self.home.process_environment(self.repository.environment))  # fmt: skip
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("No space left", result.stderr)
            self.assertEqual(result.stdout, "")

    def test_damaged_media_cost_only_themselves(self):
        home = self.home_with_tables()
        (name,) = home.values("SELECT p FROM film WHERE id = 1")[0]
        _, path = file_of(name)
        os.unlink(home.folder / path)
        repository = Repository(self)
        self.assertEqual(repository.call(home, "backup", "create").returncode, 3)
        folder, report, errors = self.exported(repository=repository, code=3)
        self.assertIn(name, errors)
        self.assertEqual((len(report["damaged"]), report["media_objects"]), (1, 1))
        plain = new_database(self, owner_url(self.server))
        self.assertEqual(load(plain, folder).returncode, 0)
        self.assertEqual(values(plain, "SELECT p FROM film WHERE id = 1"), [name])


if __name__ == "__main__":
    tap.main()
