#!/usr/bin/python3
"""Rows and cells of a backup, back into the table they came from."""

import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import Repository, Shared, home_beside  # noqa: E402

NO_GRACE = {"COPPICE_MEDIA_GRACE_S": "0"}
TABLES = """
CREATE SCHEMA films;
CREATE TABLE films.film (id int, lang text, title text NOT NULL, n numeric(6,2), tags text[], facts jsonb, raw bytea,
  seen timestamptz, p image, loud text GENERATED ALWAYS AS (upper(title)) STORED, width int GENERATED ALWAYS AS (width(p)) STORED,
  PRIMARY KEY (id, lang));
CREATE MATERIALIZED VIEW films.long AS SELECT f.id, f.title FROM films.film f WHERE length(f.title) > 3;
INSERT INTO films.film (id, lang, title, n, tags, facts, raw, seen, p)
  SELECT i, 'en', 'film ' || i, i / 3.0, ARRAY['a,b', NULL, '"'], jsonb_build_object('n', null, 'i', i), '\\x0001ff', '2026-01-02 03:04:05.678+00',
  CASE i % 2 WHEN 0 THEN '{media}/red.png' ELSE '{media}/gradient.jpg' END FROM generate_series(1, 40) i;
INSERT INTO films.film (id, lang, title, facts) VALUES (41, 'd''e', E'a\\tb\\\\\\n"', 'null'), (42, 'NULL', '', NULL);
CREATE TABLE keyless (a int); INSERT INTO keyless VALUES (1)
"""
ALL = "id, lang, title, n, tags, facts::text AS f, raw, seen, p, loud, width"


class Rescue(Shared):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.origin = home_beside(cls, cls.server)
        cls.origin.sql(TABLES.format(media=cls.media))
        cls.repository = Repository(cls)
        cls.backup = cls.repository.back_up(cls.origin)

    def setUp(self):
        self.home = self.repository.restore(self, self.server)
        self.before = self.rows()

    def rows(self, table="films.film"):
        return self.home.values(f"SELECT {ALL if table == 'films.film' else '*'} FROM {table} ORDER BY 1, 2")

    def rescue(self, where, *words, table="films.film", into="films.film"):
        return self.repository.report(self.home, "restore", "--table", table, "--where", where, "--into", into, *words)

    def fail(self, *words, code):
        return self.repository.fail(self.home, "restore", *words, code=code)

    def test_rows_that_are_gone_and_cells_that_are_wrong(self):
        self.home.sql("DELETE FROM films.film WHERE id < 5 OR id > 40;"
                      "UPDATE films.film SET title = 'bad', n = 0, facts = NULL WHERE id BETWEEN 5 AND 9")  # fmt: skip
        damaged, long = self.rows(), self.rows("films.long")
        version = self.home.versions("films.film")[-1]
        plan, said = self.rescue("id < 8 OR lang <> 'en'", "--dry-run")
        self.assertEqual((plan["matched"], plan["changed"], plan["missing"], plan["version"]), (9, 3, 6, None))
        self.assertIn({"row": "id = 5, lang = en", "column": "title", "now": "bad", "then": "film 5"}, plan["differences"])
        self.assertEqual(sum(not one["column"] for one in plan["differences"]), 6)
        self.assertEqual(self.rows(), damaged)
        report, _ = self.rescue("id < 8 OR lang <> 'en'")
        self.assertEqual((report["changed"], report["inserted"], report["version"]), (3, 6, version + 1))
        after = self.rows()
        right = {tuple(map(str, row[:2])): row for row in self.before}
        for row in after:
            if row[0] in (8, 9):
                self.assertEqual(row[2], "bad")
            else:
                self.assertEqual(row, right[str(row[0]), row[1]])
        self.assertEqual(len(after), 42)
        self.assertIn([5, "film 5"], self.rows("films.long"))
        self.assertEqual(self.home.run("root", "--rows"), self.home.run("root"))
        # An ordinary operation: revert undoes it, view and all.
        self.home.run("revert", "films.film", "--to", str(version), "--yes")
        self.assertEqual(self.rows(), damaged)
        self.assertEqual(self.rows("films.long"), long)
        # Nothing to do: no version.
        self.rescue("true")
        versions = self.home.versions("films.film")
        report, _ = self.rescue("true")
        self.assertEqual((report["matched"], report["changed"], report["inserted"], report["version"]), (42, 0, 0, None))
        self.assertEqual(self.home.versions("films.film"), versions)
        self.assertEqual(self.rows(), self.before)

    def test_single_cells(self):
        self.home.sql("UPDATE films.film SET title = 'bad', n = 7 WHERE id IN (2, 3); DELETE FROM films.film WHERE id = 4")
        report, said = self.rescue("film.id IN (2, 4)", "--columns", "title")
        self.assertEqual((report["changed"], report["missing"], report["inserted"]), (1, 1, 0))
        self.assertEqual(self.home.values("SELECT id, title, n, loud FROM films.film WHERE id < 5 ORDER BY 1"),
                         [[1, "film 1", 0.33, "FILM 1"], [2, "film 2", 7, "FILM 2"], [3, "bad", 7, "BAD"]])  # fmt: skip
        report, _ = self.rescue("loud LIKE 'FILM%'", "--columns", 'n,"title"', "--columns", "seen")
        self.assertEqual((report["matched"], report["changed"]), (40, 2))
        report, _ = self.rescue("id = 4")
        self.assertEqual(self.rows(), self.before)

    def test_media_come_with_their_rows(self):
        self.home.sql("DELETE FROM films.film WHERE id > 0")
        self.home.run("prune", "films.film", "--keep", "1", "--yes")
        self.home.run("media", "gc", "--yes", environment=NO_GRACE)
        names = {row[8] for row in self.before if row[8]}
        self.assertEqual([name for name in names if self.there(name)], [])
        report, _ = self.rescue("id = 2")
        self.assertEqual((report["media_added"], report["inserted"]), (1, 1))
        self.assertEqual(self.rows(), [row for row in self.before if row[0] == 2])
        self.rescue("true")
        self.assertEqual(self.rows(), self.before)
        self.assertTrue(all(self.there(name) for name in names))

    def there(self, name):
        digest = name.removeprefix("media:").split(".")[0]
        return any(self.home.folder.glob(f"media/sha256/{digest[:2]}/{digest}.*"))

    def test_versions_and_other_tables(self):
        self.home.sql("UPDATE films.film SET title = 'second' WHERE id = 1")
        self.repository.back_up(self.home)
        self.home.sql("UPDATE films.film SET title = 'third' WHERE id = 1")
        version = self.home.versions("films.film")[-1]
        self.rescue("id = 1")
        self.assertEqual(self.home.value("SELECT title FROM films.film WHERE id = 1"), "second")
        self.rescue("id = 1", table=f"films.film:{version - 2}")
        self.assertEqual(self.home.value("SELECT title FROM films.film WHERE id = 1"), "film 1")
        self.home.sql("CREATE TABLE other (title text, id int, lang text, more int DEFAULT 5, PRIMARY KEY (id, lang))")
        report, _ = self.rescue("id < 3", into="other")
        self.assertEqual(self.home.values("SELECT id, lang, title, more FROM other ORDER BY 1"),
                         [[1, "en", "second", 5], [2, "en", "film 2", 5]])  # fmt: skip

    def test_bad_input(self):
        full = ("--table", "films.film", "--into", "films.film", "--where")
        for condition, code, word in (
            ("nowhere = 1", 4, "nowhere"), ("id = ", 2, ""), ("true); DELETE FROM films.film; --", 2, ""),
            ("id", 2, "boolean"), ("true ORDER BY 1", 2, ""), ("", 2, ""), ("pg_read_file('/etc/passwd') <> ''", 1, "denied"),
        ):  # fmt: skip
            result = self.repository.call(self.home, "restore", *full, condition)
            self.assertNotEqual(result.returncode, 0, condition)
            self.assertIn(word, result.stderr, condition)
        self.assertIn("no primary key", self.fail("--table", "keyless", "--into", "keyless", "--where", "true", code=5))
        self.assertIn("computed", self.fail(*full, "true", "--columns", "loud", code=5))
        self.assertIn("primary key", self.fail(*full, "true", "--columns", "id", code=5))
        self.assertIn("title", self.fail(*full, "true", "--columns", "titel", code=4))
        self.assertIn("no name of a column", self.fail(*full, "true", "--columns", "film.title", code=2))
        self.assertIn("films.film", self.fail("--table", "films.fulm", "--into", "films.film", "--where", "true", code=4))
        self.assertIn("films.film", self.fail("--table", "films.film", "--into", "films.fulm", "--where", "true", code=4))
        self.assertIn("needs --where", self.fail("--table", "films.film", "--into", "films.film", code=2))
        self.assertIn("--into", self.fail("--table", "films.film", "--where", "true", code=2))
        self.assertIn("two different", self.fail(*full, "true", "--as", "x", code=2))
        self.home.sql("ALTER TABLE films.film ALTER COLUMN n TYPE text")
        self.assertIn("n is text now", self.fail(*full, "true", code=1))
        self.assertEqual(self.home.values("SELECT * FROM keyless"), [[1]])
        self.assertEqual(len(self.rows()), 42)

    def test_killed(self):
        self.home.sql("DELETE FROM films.film WHERE id < 5")
        damaged = self.rows()
        code = self.repository.call(self.home, "restore", "--table", "films.film", "--into", "films.film", "--where",
                                       "true", environment={"COPPICE_CRASH_AT": "rescue.media_there"}).returncode  # fmt: skip
        self.assertIn(code, (-signal.SIGKILL, 128 + signal.SIGKILL))
        self.assertEqual(self.rows(), damaged)
        self.rescue("true")
        self.assertEqual(self.rows(), self.before)


if __name__ == "__main__":
    tap.main()
