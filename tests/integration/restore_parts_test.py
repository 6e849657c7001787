#!/usr/bin/python3
"""What a restore would do; one table of a backup, lost media and roots, in a home that is there."""

import hashlib
import os
import signal
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import Repository, Shared, home_beside  # noqa: E402
from support.coppice import Home, psql, scratch_folder  # noqa: E402
from support.roots import store_of  # noqa: E402

TABLES = """
CREATE SCHEMA films;
CREATE FUNCTION tag(title text) RETURNS text LANGUAGE python IMMUTABLE AS '{code}:tag';
CREATE TABLE films.film (id int PRIMARY KEY, title text NOT NULL, n serial, p image, stars int DEFAULT 3 CHECK (stars > 0),
  loud text GENERATED ALWAYS AS (upper(title)) STORED, width int OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (width(p)) STORED,
  tagged text GENERATED ALWAYS AS (tag(title)) STORED, UNIQUE (title));
COMMENT ON TABLE films.film IS 'it''s films'; COMMENT ON COLUMN films.film.title IS 'as shown';
CREATE MATERIALIZED VIEW films.bright AS SELECT f.id, f.title FROM films.film f WHERE f.stars > 2;
INSERT INTO films.film (id, title, p) VALUES (1, 'one', '{media}/red.png'), (2, 'two', '{media}/gradient.jpg');
INSERT INTO films.film (id, title, stars) VALUES (3, E'a\\tb\\\\\\n', 1);
DELETE FROM films.film WHERE id = 2; UPDATE films.film SET title = 'uno' WHERE id = 1;
CREATE TABLE log (w text[]); INSERT INTO log VALUES (ARRAY['a', NULL]), (NULL)
"""
COLUMNS = "id, title, n, p, stars, loud, width, tagged"


def path_of(home, name):
    digest, extension = name.removeprefix("media:").split(".")
    return home.folder / "media" / "sha256" / digest[:2] / f"{digest}.{extension}"


class Parts(Shared):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        code = scratch_folder(cls) / "tags.py"
        code.write_text("def tag(title):\n    return '#' + title\n")
        cls.home = cls.server
        cls.home.sql(TABLES.format(media=cls.media, code=code))
        cls.repository = Repository(cls)
        cls.backup = cls.repository.back_up(cls.home)

    def restored(self, home, table, name, *arguments, **options):
        return self.repository.report(home, "restore", "--table", table, "--as", name, *arguments, **options)

    def rows(self, home, table, columns=COLUMNS):
        return home.values(f"SELECT {columns} FROM {table} ORDER BY 1")

    # One table.

    def test_a_table_beside_the_one_that_is_there(self):
        home = self.home
        before = home.run("root", "--table", "films.film")
        report, _ = self.restored(home, "films.film", "films.again")
        self.assertEqual((report["rows"], report["version"], report["media_added"]), (2, 1, 0))
        self.assertEqual(report["plain_columns"], [])
        self.assertEqual(self.rows(home, "films.again"), self.rows(home, "films.film"))
        self.assertEqual(home.run("root", "--table", "films.film"), before)
        # It is an ordinary table: computed columns, keys, defaults, comments, versions.
        home.sql("INSERT INTO films.again (id, title) VALUES (4, 'four')")
        self.assertEqual(home.values("SELECT stars, loud, tagged, n > 3 FROM films.again WHERE id = 4"),
                         [[3, "FOUR", "#four", True]])  # fmt: skip
        for wrong in ("(4, 'x', 3)", "(5, 'four', 3)", "(5, NULL, 3)", "(5, 'x', 0)"):
            self.assertNotIn("INSERT 0", home.attempt(
                "sql", f"INSERT INTO films.again (id, title, stars) VALUES {wrong}").stdout, wrong)  # fmt: skip
        entries = home.json_lines("history", "films.again")
        self.assertEqual([entry["kind"] for entry in entries], ["create table", "restore", "insert"])
        self.assertIn("coppice restore --table films.film --as films.again", entries[1]["statement"])
        self.assertEqual(home.value("SELECT obj_description('films.again'::regclass) AS a"), "it's films")
        home.run("revert", "films.again", "--to", "0", "--yes")
        self.assertEqual(home.value("SELECT count(*) FROM films.again"), 0)
        home.sql("DROP TABLE films.again")

    def test_versions_of_a_table(self):
        home = self.home
        versions = home.versions("films.film")
        for version in versions[1:]:
            name = f"then_{version}"
            report, _ = self.restored(home, f"films.film:{version}", name)
            self.assertEqual(report["from_version"], version)
            self.assertEqual(self.rows(home, name), self.rows(home, f'films."film:{version}"'))
        times = {entry["version"]: entry["published_at"] for entry in home.json_lines("history", "films.film")}
        report, _ = self.restored(home, f"films.film:{times[versions[-2]]}", "at_a_time")
        self.assertEqual(report["from_version"], versions[-2])
        self.assertIn("it has the versions from 0", self.repository.fail(
            home, "restore", "--table", "films.film:99", "--as", "never", code=4))  # fmt: skip

    def test_what_a_version_does_not_meet_is_left_out(self):
        home = home_beside(self, self.server)
        home.sql("CREATE TABLE t (id int, a int); INSERT INTO t VALUES (1, NULL), (1, 2); DELETE FROM t;"
                 "ALTER TABLE t ADD PRIMARY KEY (id); INSERT INTO t VALUES (1, 1)")  # fmt: skip
        repository = Repository(self)
        repository.back_up(home)
        _, said = repository.report(home, "restore", "--table", "t:1", "--as", "u")
        self.assertIn("without constraints", said)
        self.assertEqual(self.rows(home, "u", "a"), [[2], [None]])
        repository.report(home, "restore", "--table", "t", "--as", "v")
        self.assertIn("duplicate", home.fail("sql", "INSERT INTO v VALUES (1, 1)"))

    def test_into_a_home_that_knows_less(self):
        other = home_beside(self, self.server)
        report, said = self.restored(other, "films.film", "film")
        self.assertEqual(report["plain_columns"], ["tagged"])
        self.assertIn("tagged cannot be computed here", said)
        self.assertEqual((report["media_objects"], report["media_added"]), (1, 1))
        self.assertEqual(self.rows(other, "film"), self.rows(self.home, "films.film"))
        self.assertEqual(other.values("SELECT width(p) FROM film WHERE id = 1"),
                         other.values("SELECT width FROM film WHERE id = 1"))  # fmt: skip
        other.sql("UPDATE film SET tagged = 'mine' WHERE id = 1; INSERT INTO film (id, title) VALUES (9, 'nine')")
        self.assertEqual(other.values("SELECT tagged, loud FROM film WHERE id = 9"), [[None, "NINE"]])
        report, _ = self.restored(other, "films.bright", "bright")
        self.assertEqual(self.rows(other, "bright", "id, title"), self.rows(self.home, "films.bright", "id, title"))
        self.restored(other, "log", "log")
        self.assertEqual(other.values("SELECT w FROM log ORDER BY 1"), self.home.values("SELECT w FROM log ORDER BY 1"))
        self.assertEqual(other.run("root", "--rows"), other.run("root"))
        # And what was restored can be backed up and restored.
        repository = Repository(self)
        backup = repository.back_up(other)
        again = repository.restore(self, self.server)
        self.assertEqual(again.run("root").strip(), backup["root"])

    def test_a_table_that_cannot_be_restored(self):
        home = self.home
        fail = lambda *words, code: self.repository.fail(home, "restore", *words, code=code)  # noqa: E731
        self.assertIn("films.film", fail("--table", "films.fulm", "--as", "x", code=4))
        self.assertIn("there is a films.film already", fail("--table", "films.film", "--as", "films.film", code=1))
        self.assertIn("schema", fail("--table", "films.film", "--as", "nowhere.film", code=4))
        self.assertIn("belong together", fail("--table", "films.film", code=2))
        self.assertIn("belong together", fail("--as", "films.film", code=2))
        self.assertIn("two different", fail("--table", "log", "--as", "x", "--media-only", code=2))
        nowhere = Home(scratch_folder(self) / "home")
        self.repository.fail(nowhere, "restore", "--table", "log", "--as", "x", code=4)
        self.assertFalse(nowhere.folder.exists())

    def test_a_dry_run_of_a_table(self):
        other = home_beside(self, self.server)
        report, _ = self.restored(other, "films.film", "film", "--dry-run")
        self.assertEqual((report["rows"], report["media_added"], report["version"]), (2, 1, None))
        self.assertEqual(other.status()["tables"], 0)
        self.assertEqual(list((other.folder / "media" / "sha256").glob("*/*")), [])

    def test_a_table_whose_restore_is_killed(self):
        other = home_beside(self, self.server)
        for point in ("restore_table.media_there", "restore_table.rows_written"):
            killed = self.repository.call(other, "restore", "--table", "films.film", "--as", "film",
                                          environment={"COPPICE_CRASH_AT": point})  # fmt: skip
            self.assertEqual(killed.returncode, -signal.SIGKILL)
            self.assertEqual(other.status()["tables"], 0)
            left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'coppice_store'::regnamespace"
            self.assertEqual(psql(other.owner_url, left).stdout.strip(), "0")
            self.assertEqual(other.json_lines("jobs"), [])
        self.restored(other, "films.film", "film")
        self.assertEqual(self.rows(other, "film"), self.rows(self.home, "films.film"))

    # Media.

    def test_lost_media_come_back(self):
        home = self.home_with_tables()
        repository = Repository(self)
        repository.back_up(home)
        names = [row[0] for row in home.values("SELECT p FROM film WHERE p IS NOT NULL ORDER BY id")]
        missing, damaged = (path_of(home, name) for name in names)
        kept = damaged.read_bytes()
        missing.unlink()
        damaged.write_bytes(b"x" * len(kept))
        home.sql("INSERT INTO film (id, title) VALUES (7, 'while they are lost')")
        report, _ = repository.report(home, "restore", "--media-only", "--dry-run")
        self.assertEqual((report["missing"], report["damaged"], report["restored"]), (1, 1, 2))
        self.assertFalse(missing.exists())
        report, _ = repository.report(home, "restore", "--media-only")
        self.assertEqual((report["missing"], report["damaged"], report["restored"]), (1, 1, 2))
        for path in (missing, damaged):
            self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), path.stem)
        report, _ = repository.report(home, "restore", "--media-only")
        self.assertEqual((report["objects"], report["missing"], report["damaged"]), (2, 0, 0))
        # What came after the backup is in none.
        home.sql(f"INSERT INTO film (id, title, p) VALUES (8, 'new', '{self.media}/alpha.png')")
        (new,) = home.values("SELECT p FROM film WHERE id = 8")[0]
        os.unlink(path_of(home, new))
        report, said = repository.report(home, "restore", "--media-only", code=3)
        self.assertEqual(report["lacking"], [new])
        self.assertIn(new, said)

    # A whole home.

    def test_what_a_restore_would_do(self):
        home = self.home_with_tables()
        repository = Repository(self)
        backup = repository.back_up(home)
        files = [(str(path), path.stat().st_mtime_ns) for path in repository.objects()]
        place, where = self.empty_place()
        plan, _ = repository.report(place, "restore", "--dry-run", *where)
        self.assertFalse(place.folder.exists())
        self.assertEqual((plan["backup"], plan["refused"]), (backup["id"], ""))
        self.assertEqual((plan["tables"], plan["rows"], plan["media_objects"]), (2, 5, 2))
        stored = sum(path.stat().st_size for path in repository.objects())
        self.assertGreater(plan["bytes_read"], plan["media_bytes"] // 2)
        self.assertLess(plan["bytes_read"], stored)
        self.assertGreater(plan["seconds"], 0)
        self.assertIn("measured", plan["rates"])
        self.assertIn("assumed", plan["rates"])
        self.assertEqual((plan["home"], plan["lost_versions"]), (str(home.folder), 0))
        home.sql("DELETE FROM film WHERE id = 1; UPDATE film SET title = 'x'; CREATE TABLE later (i int)")
        plan, _ = repository.report(home, "restore", "--dry-run")
        self.assertIn("is not empty", plan["refused"])
        self.assertEqual(plan["lost_versions"], 3)
        self.assertEqual(plan["lost"], ["public.film: the versions 2 to 3",
                                        "public.later: all of it, which was made since"])  # fmt: skip
        self.assertGreater(plan["loss_seconds"], 0)
        self.assertEqual([(str(path), path.stat().st_mtime_ns) for path in repository.objects()], files)
        repository.report(home, "drill")
        plan, _ = repository.report(place, "restore", "--dry-run")
        self.assertIn("the drill of", plan["rates"])
        home.folder.rename(home.folder.parent / "away")
        plan, _ = repository.report(place, "restore", "--dry-run")
        self.assertEqual((plan["home"], plan["lost"]), ("", []))
        said = repository.call(place, "restore", "--dry-run").stdout
        self.assertIn("no living home is at hand", said)
        home.folder.parent.joinpath("away").rename(home.folder)
        self.assertFalse(place.folder.exists())

    def test_a_dry_run_sees_a_damaged_backup(self):
        home = self.home_with_tables()
        repository = Repository(self)
        repository.back_up(home)
        for pack in repository.objects():
            if "packs" in pack.parts:
                pack.chmod(0o600)
                content = pack.read_bytes()
                pack.write_bytes(content[:100] + bytes(len(content) - 200) + content[-100:])
        place, where = self.empty_place()
        result = repository.call(place, "restore", "--dry-run", "--json", *where)
        self.assertTrue(result.returncode == 6 or "not whole" in result.stdout, result)

    def test_rows_that_differ_are_named(self):
        home = self.home_with_tables()
        home.run("root")
        repository = Repository(self)
        repository.back_up(home)
        store, column = store_of(home, "film", "title")
        psql(home.owner_url, f"UPDATE {store} SET {column} = 'changed' WHERE {column} IN ('two', 'three')")
        store, column = store_of(home, "log", "w")
        psql(home.owner_url, f"UPDATE {store} SET {column} = 'b' WHERE ctid = '(0,1)'")
        repository.back_up(home, "--full")
        again, where = self.empty_place()
        report, said = repository.report(again, "restore", *where, code=6)
        self.assertEqual(len(report["differences"]), 2)
        self.assertIn("public.film.title of the rows id = 2; id = 3", report["differences"])
        self.assertRegex(report["differences"][1], r"^public\.log of the rows _row = \d+$")
        self.assertIn("id = 2; id = 3", said)

    def test_roots_of_a_backup(self):
        home = self.home
        nobody = Home(scratch_folder(self) / "no home")
        root = lambda *words: self.repository.call(nobody, "root", "--backup", "latest", *words).stdout  # noqa: E731
        self.assertEqual(root().strip(), self.backup["root"])
        self.assertEqual(root("--table", "films.film"), home.run("root", "--table", "films.film"))
        self.assertEqual(root("--table", "films.film", "--column", "title"),
                         home.run("root", "--table", "films.film", "--column", "title"))  # fmt: skip
        self.assertEqual(root("--table", "log"), home.run("root", "--table", "log"))
        fail = lambda *words, code: self.repository.fail(nobody, "root", "--backup", "latest", *words, code=code)  # noqa: E731
        self.assertIn("films.film", fail("--table", "films.fulm", code=4))
        self.assertIn("no column", fail("--table", "films.film", "--column", "titel", code=4))
        self.assertIn("verify --rows", fail("--rows", code=2))
        self.assertFalse(nobody.folder.exists())


if __name__ == "__main__":
    tap.main()
