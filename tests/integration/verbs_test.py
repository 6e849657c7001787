#!/usr/bin/python3
"""Verbs around the data: schema dump and apply, ls and describe, jobs, media, status and doctor."""

import hashlib
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Home  # noqa: E402

NOW = {"COPPICE_MEDIA_GRACE_S": "0"}  # media that nobody needs may go at once


class Schema(unittest.TestCase):
    SCHEMA = """
        CREATE SCHEMA films;
        CREATE TABLE films.film (
          id bigint PRIMARY KEY, title text NOT NULL, year int CHECK (year > 1880),
          label text GENERATED ALWAYS AS (title || ' ' || year) STORED);
        CREATE INDEX ON films.film (year) WHERE title <> '';
        CREATE VIEW films.recent (key, name) AS SELECT id, title FROM films.film WHERE year > 2000;
        COMMENT ON TABLE films.film IS 'it''s ours';
        GRANT SELECT ON films.recent TO PUBLIC;
    """

    def setUp(self):
        self.home = Home.make(self)

    def write(self, name, text):
        (self.home.work / name).write_text(text)
        return name

    def test_a_dump_is_the_same_after_a_round_trip(self):
        self.home.run("apply", self.write("schema.sql", self.SCHEMA))
        dump = self.home.run("schema", "dump")
        other = Home.make(self)
        other.run("apply", "-", stdin=dump)
        self.assertEqual(other.run("schema", "dump"), dump)

    def test_a_dump_knows_of_renames(self):
        self.home.sql(self.SCHEMA)
        self.home.sql("ALTER TABLE films.film RENAME COLUMN year TO made; "
                      "ALTER TABLE films.film RENAME TO movie")  # fmt: skip
        dump = self.home.run("schema", "dump")
        self.assertNotIn("year", dump.replace("film_year_check", "").replace("film_year_idx", ""))
        other = Home.make(self)
        other.run("apply", "-", stdin=dump)
        other.sql("INSERT INTO films.movie (id, title, made) VALUES (1, 'Street', 2010)")
        self.assertEqual(other.rows("SELECT * FROM films.recent"), [{"key": 1, "name": "Street"}])

    def test_an_error_is_told_at_its_place_in_the_file(self):
        text = "CREATE TABLE one (id int);\n\nCREATE TABLE two (\n  id int,\n  n imaginary\n);\n"
        errors = self.home.fail("apply", self.write("schema.sql", text), code=4)
        self.assertIn("imaginary", errors)
        self.assertRegex(errors, r"line [345]")
        self.assertEqual(self.home.json_lines("ls"), [])

    def test_what_is_kept_is_not_called_equal(self):
        self.home.sql("CREATE TABLE one (id int); CREATE TABLE two (id int)")
        result = self.home.attempt("apply", self.write("schema.sql", "CREATE TABLE one (id int);"))
        self.assertIn("keep", result.stdout)
        self.assertIn("nothing to do: the schema has all that", result.stderr)
        self.assertNotIn("is what the file says", result.stderr)

    def test_apply_takes_up_a_fill_that_was_killed(self):
        self.home.sql("CREATE TABLE t (id int PRIMARY KEY); "
                      "INSERT INTO t SELECT i FROM generate_series(1, 25000) AS i")  # fmt: skip
        file = self.write("schema.sql", "CREATE TABLE t (id int PRIMARY KEY, "
                          "twice int GENERATED ALWAYS AS (id * 2) STORED);")  # fmt: skip
        killed = self.home.attempt("apply", file,
                                   environment={"COPPICE_CRASH_AT": "fill.range_stored"})  # fmt: skip
        self.assertLess(killed.returncode, 0)
        self.home.run("apply", file)
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE twice = id * 2"), 25000)
        self.assertEqual(self.home.json_lines("schema", "diff", file), [])


class Jobs(unittest.TestCase):
    def setUp(self):
        self.home = Home.make(self)
        self.media = coppice.media_folder(self)
        self.home.sql("CREATE TABLE p (id int PRIMARY KEY, photo image, "
                      "wide bigint GENERATED ALWAYS AS (width(photo)) STORED)")  # fmt: skip

    def kill(self, point):
        killed = self.home.attempt(
            "sql", f"INSERT INTO p (id, photo) VALUES (1, '{self.media}/red.png')",
            environment={"COPPICE_CRASH_AT": point},
        )  # fmt: skip
        self.assertLess(killed.returncode, 0)
        (job,) = self.home.json_lines("jobs")
        self.assertEqual((job["state"], job["table"]), ("interrupted", "public.p"))
        return job["id"]

    def test_a_killed_insert_goes_on(self):
        for point in ("stage.sources", "stage.batch_computed", "stage.all_stored"):
            with self.subTest(point):
                self.home.run("jobs", "resume", self.kill(point))
                self.assertEqual(self.home.rows("SELECT id, wide FROM p"), [{"id": 1, "wide": 64}])
                self.assertEqual(self.home.json_lines("jobs"), [])
                self.home.sql("DELETE FROM p")

    def test_a_killed_insert_is_given_up(self):
        job = self.kill("stage.batch_stored")
        self.home.run("jobs", "discard", job, "--yes")
        self.assertEqual(self.home.rows("SELECT * FROM p"), [])
        self.assertEqual(self.home.json_lines("jobs"), [])
        (entry,) = [e for e in self.home.json_lines("jobs", "list", "--all") if e["id"] == job]
        self.assertEqual(entry["state"], "discarded")
        self.home.fail("jobs", "resume", job, code=5)
        self.home.fail("jobs", "discard", job, "--yes", code=5)

    def test_every_operation_can_be_listed(self):
        self.home.run("sql", "-f", "-", stdin="INSERT INTO p (id) SELECT coalesce(max(id), 0) + 1 FROM p;\n" * 120)
        self.assertEqual(len(self.home.json_lines("jobs", "list", "--all")), 121)

    def test_ids_that_nobody_has(self):
        self.home.fail("jobs", "resume", "999-1", code=4)
        self.home.fail("jobs", "resume", "nonsense", code=2)


class Media(unittest.TestCase):
    def setUp(self):
        self.home = Home.make(self)
        self.media = coppice.media_folder(self)
        self.home.sql("CREATE TABLE p (id int PRIMARY KEY, photo image, "
                      "small image GENERATED ALWAYS AS (resize(photo, 16)) STORED)")  # fmt: skip
        self.home.sql(f"INSERT INTO p (id, photo) VALUES (1, '{self.media}/red.png'), "
                      f"(2, '{self.media}/gradient.jpg')")  # fmt: skip

    def paths(self, what):
        return [pathlib.Path(line) for line in self.home.run("media", "path", what).splitlines()]

    def test_path_cat_and_export_give_the_bytes(self):
        value = self.home.value("SELECT photo FROM p WHERE id = 1")
        (path,) = self.paths(value)
        self.assertEqual(path.read_bytes(), (self.media / "red.png").read_bytes())
        self.assertEqual(len(self.paths("p.small")), 2)
        cat = self.home.attempt("media", "cat", value, stdin=b"")
        self.assertEqual(hashlib.sha256(cat.stdout).hexdigest(), path.stem)
        self.home.run("media", "export", "p.photo", "out/photos")
        exported = sorted((self.home.work / "out/photos").iterdir())
        self.assertEqual(exported, sorted(exported[0].parent / p.name for p in self.paths("p.photo")))

    def test_what_is_no_media_is_refused(self):
        self.home.fail("media", "path", "p.id", code=1)
        self.home.fail("media", "path", "p.phot", code=4)
        self.home.fail("media", "path", "nowhere.photo", code=4)
        self.home.fail("media", "path", "media:12", code=2)
        self.home.fail("media", "path", f"media:{'0' * 64}.png", code=4)

    def test_gc_keeps_what_any_version_needs(self):
        everything = self.paths("p.photo") + self.paths("p.small")
        self.home.sql("DELETE FROM p WHERE id = 1")
        self.home.run("media", "gc", "--yes", environment=NOW)
        self.assertTrue(all(path.exists() for path in everything))
        self.home.run("prune", "p", "--keep", "1", "--yes")
        lost = self.home.json_lines("media", "gc", "--dry-run", environment=NOW)
        self.assertEqual(len(lost), 2)
        self.assertTrue(all(path.exists() for path in everything))
        # Without the hook the grace period holds.
        self.assertEqual(self.home.json_lines("media", "gc", "--dry-run"), [])
        (gone,) = self.home.json_lines("media", "gc", "--yes", environment=NOW)
        self.assertEqual(gone["objects"], 2)
        self.assertEqual(sum(path.exists() for path in everything), 2)
        self.assertTrue(all(p.exists() for p in self.paths("p.photo") + self.paths("p.small")))
        self.assertEqual(self.home.status()["media_objects"], 1)

    def test_gc_keeps_what_an_interrupted_statement_needs(self):
        self.home.attempt(
            "sql", f"INSERT INTO p (id, photo) VALUES (3, '{self.media}/alpha.png')",
            environment={"COPPICE_CRASH_AT": "stage.all_stored"},
        )  # fmt: skip
        self.home.run("media", "gc", "--yes", environment=NOW)
        (job,) = self.home.json_lines("jobs")
        self.home.run("jobs", "resume", job["id"])
        for value in self.home.values("SELECT photo, small FROM p WHERE id = 3")[0]:
            self.assertTrue(self.paths(value)[0].exists())


class Care(coppice.TestCase):
    def test_ls_and_describe(self):
        self.home.sql("CREATE TABLE t (id int PRIMARY KEY, n int); "
                      "INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS i; "
                      "DELETE FROM t WHERE id > 7; CREATE VIEW v AS SELECT n FROM t; "
                      "COMMENT ON TABLE t IS 'numbers'")  # fmt: skip
        table, view = self.home.json_lines("ls", "public")
        self.assertEqual(
            {k: table[k] for k in ("name", "kind", "columns", "rows", "version", "comment")},
            {"name": "t", "kind": "table", "columns": 2, "rows": 7, "version": 2,
             "comment": "numbers"},
        )  # fmt: skip
        self.assertEqual((view["name"], view["kind"], view["rows"]), ("v", "view", None))
        columns = [row["column"] for row in self.home.json_lines("describe", "t") if "column" in row]
        self.assertEqual(columns, ["id", "n"])
        self.home.fail("describe", "tt", code=4)
        self.home.fail("ls", "nowhere", code=4)
        self.assertEqual(self.home.status()["rows"], 7)

    def test_conditions_and_views_are_told_in_the_users_words(self):
        home = Home.make(self)
        home.sql("CREATE TABLE c (id int PRIMARY KEY, n int, "
                 "twice int GENERATED ALWAYS AS (n * 2) STORED); "
                 "CREATE VIEW cv AS SELECT n FROM c; INSERT INTO c (id, n) VALUES (1, 2)")  # fmt: skip
        errors = home.fail("recompute", "c", "twice", "--where", "id = 1 AND nope = 2", code=4)
        self.assertIn("(line 1, column 12)", errors)
        self.assertIn("LINE 1: id = 1 AND nope = 2\n", errors)
        home.run("recompute", "c", "twice", "--where", "id = 1 -- the first")
        self.assertIn("is a view", home.fail("alter-column", "cv.n", "1", code=5))

    def test_doctor_finds_a_lost_and_a_damaged_object(self):
        home = Home.make(self)
        media = coppice.media_folder(self)
        self.assertNotIn("error", {f["level"] for f in home.json_lines("doctor")})
        home.sql("CREATE TABLE p (photo image)")
        home.sql(f"INSERT INTO p VALUES ('{media}/red.png'), ('{media}/alpha.png')")
        paths = [pathlib.Path(line) for line in home.run("media", "path", "p.photo").splitlines()]
        paths[0].unlink()
        size = paths[1].stat().st_size
        paths[1].chmod(0o640)
        paths[1].write_bytes(b"x" * size)
        findings = home.json_lines("doctor", code=1)
        errors = [f["found"] for f in findings if f["level"] == "error"]
        self.assertEqual(len(errors), 2, findings)
        self.assertIn("missing", errors[0])
        self.assertIn("damaged", errors[1])


if __name__ == "__main__":
    tap.main()
