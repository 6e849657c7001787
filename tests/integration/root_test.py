#!/usr/bin/python3
"""Roots: what must and must not change them, and what is behind the kept ones."""

import hashlib
import pathlib
import random
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, root_reference, tap  # noqa: E402
from support.coppice import Home, psql  # noqa: E402
from support.file_server import FileServer, png  # noqa: E402
from support.roots import behind_the_back, owner_url, report, root, store_of  # noqa: E402


class SameContent(coppice.TestCase):
    TABLES = (
        "CREATE TABLE film (id int PRIMARY KEY, title text, year int);"
        "CREATE TABLE log (word text, n int);"
        "CREATE MATERIALIZED VIEW loud AS SELECT f.id, upper(f.title) AS t FROM film f;"
    )

    def test_order_and_history_do_not_matter(self):
        one = self.home
        one.sql(self.TABLES)
        one.sql(
            "INSERT INTO film SELECT g, 'film ' || g, 1990 + g FROM generate_series(1, 50) g;"
            "INSERT INTO log VALUES ('a', 1), ('a', 1), ('b', 2)"
        )
        other = Home.make(self)
        other.sql("CREATE TABLE film (year int, id int PRIMARY KEY, title text)")
        other.sql("DROP TABLE film")
        other.sql(self.TABLES)
        other.sql("ALTER TABLE film ADD COLUMN extra text; INSERT INTO log VALUES ('b', 2)")
        for start in (41, 21, 31, 1, 11):
            other.sql(
                "INSERT INTO film (id, title, year) SELECT g, 'was', 0 "
                f"FROM generate_series({start}, {start + 9}) g ORDER BY g DESC"
            )
        other.sql("UPDATE film SET title = 'film ' || id, year = 1990 + id WHERE id > 5")
        self.assertNotEqual(root(one), root(other))
        other.sql(
            "UPDATE film SET title = 'film ' || id, year = 1990 + id WHERE id <= 5;"
            "INSERT INTO log VALUES ('a', 1), ('c', 3), ('a', 1); DELETE FROM log WHERE n = 3;"
            "ALTER TABLE film DROP COLUMN extra"
        )
        self.assertEqual(root(one), root(other))
        self.assertNotEqual(root(one, "--history"), root(other, "--history"))
        history = root(other, "--history")
        self.assertEqual(root(other, "--history"), history)
        other.run("prune", "film", "--keep", "1", "--yes")
        other.run("prune", "log", "--keep", "1", "--yes")
        self.assertEqual(root(one), root(other))
        self.assertEqual(root(one, "--rows"), root(other, "--rows"))
        self.assertNotEqual(root(other, "--history"), history)

    def test_what_changes_a_root(self):
        home = Home.make(self)
        home.sql(self.TABLES)
        home.sql("INSERT INTO film VALUES (1, 'a', 1), (2, 'b', 2); INSERT INTO log VALUES ('a', 1)")
        seen = {root(home): "the tables"}
        for statement in (
            "UPDATE film SET title = 'c' WHERE id = 1",
            "UPDATE film SET title = NULL WHERE id = 1",
            "UPDATE film SET title = '' WHERE id = 1",
            "INSERT INTO log VALUES ('a', 1)",
            "ALTER TABLE film RENAME COLUMN year TO made",
            "ALTER TABLE film RENAME TO movie",
            "ALTER TABLE movie ALTER COLUMN made SET DEFAULT 7",
            "ALTER TABLE movie ALTER COLUMN made SET NOT NULL",
            "ALTER TABLE movie ADD CONSTRAINT later CHECK (made > 0)",
            "CREATE INDEX by_title ON movie (title)",
            "CREATE VIEW short AS SELECT id FROM movie",
            "CREATE SCHEMA s",
            "COMMENT ON TABLE movie IS 'x'",
            "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER TABLE movie SET (retention = '9')",
            "GRANT SELECT ON movie TO PUBLIC",
        ):
            home.sql(statement)
            now = root(home)
            self.assertNotIn(now, seen, statement)
            seen[now] = statement
        with (home.folder / "config.toml").open("a") as file:
            file.write('\n[media]\nreferences = "keep"\n')
        kept = root(home)
        self.assertNotIn(kept, seen)
        # How fast it is, and what one shell has in its environment, is no content.
        with (home.folder / "config.toml").open("a") as file:
            file.write("\n[workers]\ncount = 3\n")
        take = {"COPPICE_MEDIA_REFERENCES": "take"}
        self.assertEqual(home.run("root", environment=take).strip(), kept)

    def test_the_code_of_a_function_counts(self):
        home = Home.make(self)
        roots = []
        for body in ("return n + 1", "return n + 2"):
            (home.work / "code.py").write_text(f"def f(n):\n    {body}\n")
            home.sql(
                "CREATE OR REPLACE FUNCTION f(n bigint) RETURNS bigint LANGUAGE python "
                "AS 'code.py:f'"
            )
            roots.append(root(home))
        self.assertNotEqual(*roots)

    def test_a_dump_put_back_has_the_same_root(self):
        home = Home.make(self, private=True)
        home.sql(self.TABLES)
        home.sql(
            "INSERT INTO film VALUES (1, 'a', 1), (2, 'b', 2); UPDATE film SET year = 5 WHERE id = 1;"
            "INSERT INTO log VALUES ('a', 1), ('a', 1)"
        )
        url = owner_url(home)
        before, history = root(home, "--rows"), root(home, "--history")
        dump = subprocess.run(["pg_dump", url], capture_output=True, check=True).stdout
        psql(url, "CREATE DATABASE again")
        again = url.replace("/coppice?", "/again?", 1)
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", again], input=dump, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        other = Home(home.work / "other")
        other.run("init", "--database", again)
        self.assertEqual(root(other, "--rows"), before)
        self.assertEqual(root(other, "--history"), history)


class OtherThings(coppice.TestCase):
    def test_a_kept_url_counts_by_what_it_gave(self):
        server = FileServer.start(self)
        keep = {"COPPICE_MEDIA_REFERENCES": "keep"}
        self.home.sql("CREATE TABLE r (id int PRIMARY KEY, i image)")
        roots = []
        for width in (3, 4):
            picture = png(width, 2)
            url = server.put("/a.png", picture)
            self.home.sql("DELETE FROM r", environment=keep)
            self.home.sql(f"INSERT INTO r VALUES (1, '{url}'), (2, '{url}'), (3, NULL)",
                          environment=keep)  # fmt: skip
            rows = [{"id": "1", "i": url}, {"id": "2", "i": url}, {"id": "3", "i": None}]

            def cells(name, rows=rows):
                return root_reference.cell_sum(rows, ["id"], name)

            expected = root_reference.table_root(
                "public", "r",
                [root_reference.column_root("id", "integer", cells("id"), not_null=True),
                 root_reference.column_root("i", "image", cells("i"))],
                constraints=[("r_pkey", "primary key", None, True, ["id"])],
                references=[(url, f"media:{hashlib.sha256(picture).hexdigest()}.png")],
            )  # fmt: skip
            roots.append(root(self.home, "--table", "r"))
            self.assertEqual(roots[-1], expected.hex())
        self.assertNotEqual(*roots)
        # The records of URLs that no row names any more are no content.
        self.home.sql("DELETE FROM r")
        empty = root(self.home, "--table", "r")
        self.home.sql("CREATE TABLE never (id int PRIMARY KEY, i image)")
        never = report(self.home, "--table", "never")["tables"][0]
        self.home.sql("DROP TABLE never; ALTER TABLE r RENAME TO never;"
                      "ALTER TABLE never RENAME CONSTRAINT r_pkey TO never_pkey")  # fmt: skip
        self.assertNotEqual(root(self.home, "--table", "never"), empty)
        self.assertEqual(root(self.home, "--table", "never"), never["root"])

    def test_a_materialized_view_is_a_table(self):
        self.home.sql("CREATE TABLE base (id int PRIMARY KEY, n int);"
                      "INSERT INTO base VALUES (1, 1), (2, 1), (3, 5);"
                      "CREATE MATERIALIZED VIEW twice AS SELECT b.n * 2 AS m FROM base b")  # fmt: skip
        for change in ("", "UPDATE base SET n = 7 WHERE id = 1", "DELETE FROM base WHERE id = 3"):
            if change:
                self.home.sql(change)
            rows = [{"m": str(m)} for (m,) in self.home.values("SELECT m FROM twice")]
            column = root_reference.column_root("m", "integer", None, derived="b.n * 2")
            expected = root_reference.table_root(
                "public", "twice", [column], rows=root_reference.row_sum(rows, ["m"]),
                query="SELECT b.n * 2 AS m FROM base b",
            )  # fmt: skip
            self.assertEqual(root(self.home, "--table", "twice"), expected.hex())

    def test_views_over_versions_and_renamed_columns(self):
        self.home.sql("CREATE TABLE film (id int PRIMARY KEY, title text);"
                      "INSERT INTO film VALUES (1, 'a');"
                      'CREATE VIEW old AS SELECT id, title FROM "film:1";'
                      "CREATE VIEW now (x, y) AS SELECT id, title FROM film")  # fmt: skip
        before = root(self.home)
        self.assertEqual(root(self.home, "--rows"), before)
        self.home.sql("ALTER TABLE film RENAME COLUMN title TO name; ALTER TABLE film RENAME TO f")
        after = root(self.home)
        self.assertNotEqual(after, before)
        self.assertEqual(root(self.home, "--rows"), after)
        self.assertEqual(self.home.values("SELECT * FROM now"), [[1, "a"]])

    def test_tables_that_come_and_go_meanwhile(self):
        self.home.sql("CREATE TABLE stays (id int PRIMARY KEY); INSERT INTO stays VALUES (1)")
        alone = root(self.home, "--table", "stays")
        enough = threading.Event()

        def come_and_go():
            while not enough.is_set():
                self.home.sql("CREATE TABLE goes (id int PRIMARY KEY, v int);"
                              "INSERT INTO goes SELECT g, g FROM generate_series(1, 500) g;"
                              "CREATE INDEX i ON goes (v); CREATE VIEW w AS SELECT v FROM goes;"
                              "ALTER TABLE goes RENAME COLUMN v TO x; DROP VIEW w; DROP INDEX i;"
                              "ALTER TABLE goes DROP COLUMN x; DROP TABLE goes")  # fmt: skip

        other = threading.Thread(target=come_and_go)
        other.start()
        try:
            for _ in range(20):
                tables = {table["table"]: table["root"] for table in report(self.home)["tables"]}
                self.assertEqual(tables["public.stays"], alone)
        finally:
            enough.set()
            other.join()


class Damage(coppice.TestCase):
    """What somebody changes behind Coppice's back is found from the rows."""

    private = True

    def test_a_flipped_value_is_named(self):
        self.home.sql(
            "CREATE TABLE film (id int PRIMARY KEY, title text, year int);"
            "INSERT INTO film SELECT g, 'film ' || g, g FROM generate_series(1, 1000) g"
        )
        before = root(self.home)
        self.assertEqual(root(self.home, "--rows"), before)
        store, physical = store_of(self.home, "film", "title")
        behind_the_back(self.home, f"UPDATE {store} SET {physical} = 'Film 500' "
                                   f"WHERE {physical} = 'film 500'")  # fmt: skip
        found = self.home.attempt("root", "--rows")
        self.assertEqual(found.returncode, 6, found.stderr)
        self.assertNotEqual(found.stdout.strip(), before)
        self.assertIn("public.film.title", found.stderr)
        self.assertNotIn("year", found.stderr)
        result = self.home.attempt("root", "--rows", "--json")
        self.assertIn('"differences":["public.film.title"]', result.stdout)

        # A change through Coppice does not hide it.
        self.home.sql("UPDATE film SET title = 'other' WHERE id = 500; DELETE FROM film WHERE id = 1")
        self.assertIn("public.film.title", self.home.fail("root", "--rows", code=6))
        self.home.run("root", "--rows", "--accept")
        self.assertEqual(root(self.home, "--rows"), root(self.home))

    def test_a_row_more_in_a_table_without_a_key(self):
        self.home.sql("CREATE TABLE log (word text); INSERT INTO log VALUES ('a'), ('a')")
        before = root(self.home, "--table", "log")
        store, _ = store_of(self.home, "log", "word")
        behind_the_back(
            self.home, f"INSERT INTO {store} SELECT * FROM {store} LIMIT 1"
        )
        self.assertEqual(root(self.home, "--table", "log"), before)
        said = self.home.fail("root", "--table", "log", "--rows", code=6)
        self.assertIn("public.log", said)

    def test_a_changed_history_is_another_history(self):
        self.home.sql("CREATE TABLE h (id int PRIMARY KEY, v int); INSERT INTO h VALUES (1, 1);"
                      "UPDATE h SET v = 2")  # fmt: skip
        content, history = root(self.home, "--table", "h", "--rows"), root(self.home, "--history")
        store, physical = store_of(self.home, "h", "v")
        behind_the_back(self.home, f"UPDATE {store} SET {physical} = 7 WHERE {physical} = 1")
        self.assertEqual(root(self.home, "--table", "h", "--rows"), content)
        self.assertEqual(root(self.home, "--history"), history)  # of what was kept
        found = self.home.attempt("root", "--history", "--rows")
        self.assertEqual(found.returncode, 6, found.stderr)
        self.assertNotEqual(found.stdout.strip(), history)
        self.assertIn("older versions of public.h", found.stderr)

    def test_a_kept_history_is_that_of_the_rows(self):
        home = Home.make(self)
        home.sql("CREATE TABLE k (id int PRIMARY KEY, v int); CREATE TABLE said (word text)")
        for step in (
            "INSERT INTO k SELECT g, g FROM generate_series(1, 50) g; INSERT INTO said VALUES ('a')",
            "UPDATE k SET v = v + 1 WHERE id % 3 = 0; DELETE FROM k WHERE id = 7",
            "UPDATE k SET v = 0 WHERE id = 3; UPDATE k SET v = 1 WHERE id = 3",
            "ALTER TABLE k ADD COLUMN w int GENERATED ALWAYS AS (v * 2) STORED",
            "DELETE FROM said; INSERT INTO said VALUES ('b'), ('c')",
            "ALTER TABLE k DROP COLUMN w; INSERT INTO k VALUES (99, 9)",
        ):
            home.sql(step)
            kept = root(home, "--history")
            self.assertEqual(root(home, "--history", "--rows"), kept, step)
        home.run("revert", "k", "--to", "1", "--yes")
        kept = root(home, "--history")
        self.assertEqual(root(home, "--history", "--rows"), kept)
        home.run("prune", "k", "--keep", "2", "--yes")
        pruned = root(home, "--history")
        self.assertNotEqual(pruned, kept)
        self.assertEqual(root(home, "--history", "--rows"), pruned)


class WritersGoOn(coppice.TestCase):
    ROOTS = 4

    def test_while_rows_are_read(self):
        self.home.sql("CREATE TABLE w (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int);"
                      "INSERT INTO w (n) SELECT g FROM generate_series(1, 5000) g")  # fmt: skip
        change = "INSERT INTO w (n) VALUES (1), (2); UPDATE w SET n = n + 1 WHERE id % 1000 = 7"
        enough, failures = threading.Event(), []

        def write():
            while not enough.is_set():
                result = self.home.attempt("sql", change)
                if result.returncode != 0:
                    failures.append(result.stderr)

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            seen = set()
            for _ in range(self.ROOTS):
                seen.add(report(self.home)["root"])
                self.assertEqual(report(self.home, "--rows")["differences"], [])
                self.home.attempt("prune", "w", "--keep", "1", "--yes")
        finally:
            enough.set()
            for writer in writers:
                writer.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(seen), self.ROOTS)
        last = report(self.home)
        (count,) = self.home.values("SELECT count(*) FROM w")
        self.assertEqual([last["tables"][0]["rows"]], count)
        self.assertEqual(report(self.home, "--rows")["root"], last["root"])


class WrongInput(coppice.TestCase):
    def test_names(self):
        self.home.sql("CREATE TABLE film (id int PRIMARY KEY, title text); CREATE TABLE log (w text)")
        self.assertIn('did you mean "film"', self.home.fail("root", "--table", "flim", code=4))
        said = self.home.fail("root", "--table", "film", "--column", "titel", code=4)
        self.assertIn('did you mean "title"', said)
        said = self.home.fail("root", "--table", "log", "--column", "w", code=5)
        self.assertIn("no primary key", said)
        self.home.sql("CREATE VIEW v AS SELECT id FROM film")
        self.assertIn("view", self.home.fail("root", "--table", "v", code=5))


class RandomHistories(coppice.TestCase):
    """Whatever happens to the tables, the kept sums are those of the rows."""

    SEEDS, LONG_SEEDS = 2, 60
    STEPS = 25

    def steps(self, rng):
        """Statements that may fail; what counts is what is there after them."""
        number = rng.randrange(1, 40)
        column = rng.choice(["title", "year", "extra", "twice", "kind"])
        yield rng.choice([
            f"INSERT INTO film (id, title, year) SELECT g, 'n' || g, g FROM generate_series({number}, "
            f"{number + rng.randrange(12)}) g ON CONFLICT (id) DO UPDATE SET year = excluded.year + 1",
            f"INSERT INTO film (id, title) VALUES ({number}, NULL) ON CONFLICT DO NOTHING",
            f"UPDATE film SET title = title || '.' WHERE id % {1 + number % 7} = 0",
            f"UPDATE film SET id = id + 100 WHERE id = {number}",
            f"DELETE FROM film WHERE id % {2 + number % 9} = 0",
            "DELETE FROM film WHERE id > 30",
            f"INSERT INTO log SELECT 'w{number % 3}', 1 FROM generate_series(1, 3)",
            f"DELETE FROM log WHERE word = 'w{number % 3}'",
            f"ALTER TABLE film ADD COLUMN extra int DEFAULT {number}",
            "ALTER TABLE film ADD COLUMN extra text DEFAULT gen_random_uuid()::text",
            "ALTER TABLE film ADD COLUMN twice int GENERATED ALWAYS AS (year * 2) STORED",
            f"ALTER TABLE film ALTER COLUMN twice SET EXPRESSION AS (year * {number})",
            f"ALTER TABLE film DROP COLUMN {column}",
            "ALTER TABLE film ALTER COLUMN year TYPE text USING 'y' || year",
            "ALTER TABLE film ALTER COLUMN year TYPE int USING length(year::text)",
            f"ALTER TABLE film RENAME COLUMN {column} TO kind",
            "ALTER TABLE film RENAME COLUMN kind TO title",
            "ALTER TABLE log ADD COLUMN more int DEFAULT 1",
            "ALTER TABLE log ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY",
            "ALTER TABLE log ADD PRIMARY KEY (id)",
            "ALTER TABLE log DROP CONSTRAINT log_pkey",
            "CREATE MATERIALIZED VIEW loud AS SELECT f.id, f.id * 3 AS n FROM film f WHERE f.id > 3",
            "DROP MATERIALIZED VIEW loud",
            "DROP TABLE log",
            "CREATE TABLE log (word text, n int)",
        ])  # fmt: skip

    def verb(self, rng, home):
        versions = home.versions("film")
        return rng.choice([
            ("prune", "film", "--keep", str(rng.randrange(1, 4)), "--yes"),
            ("revert", "film", "--to", str(rng.choice(versions)), "--yes"),
            ("recompute", "film"),
            ("prune", "log", "--keep", "1", "--yes"),
        ])  # fmt: skip

    def run_seed(self, seed):
        rng = random.Random(seed)
        home = Home.make(self)
        home.sql("CREATE TABLE film (id int PRIMARY KEY, title text, year int);"
                 "CREATE TABLE log (word text, n int)")  # fmt: skip
        done, read = [], 0
        for _ in range(self.STEPS):
            arguments = self.verb(rng, home) if rng.random() < 0.25 else None
            for statement in [None] if arguments else self.steps(rng):
                command = arguments or ("sql", statement)
                if home.attempt(*command).returncode == 0:
                    done.append(command)
            if rng.random() < 0.3:
                continue  # the next call has more to catch up with
            kept = report(home)
            read += kept["rows_read"]
            fresh = home.attempt("root", "--rows", "--json")
            self.assertEqual(fresh.returncode, 0, f"seed {seed}: {done}\n{fresh.stderr}")
            self.assertIn(f'"root":"{kept["root"]}"', fresh.stdout, f"seed {seed}: {done}")
        self.assertGreater(len(done), self.STEPS // 4, f"seed {seed}: nearly every step failed")

    def test_kept_sums_are_those_of_the_rows(self):
        for seed in range(1, 1 + (self.LONG_SEEDS if tap.long else self.SEEDS)):
            with self.subTest(seed=seed):
                self.run_seed(seed)

    def test_what_a_call_costs_follows_the_change(self):
        home = self.home
        home.sql("CREATE TABLE c (id int PRIMARY KEY, v int, w text);"
                 "INSERT INTO c SELECT g, g, 'x' FROM generate_series(1, 5000) g")  # fmt: skip
        self.assertEqual(report(home)["rows_read"], 5000)
        self.assertEqual(report(home)["rows_read"], 0)
        home.sql("UPDATE c SET v = 0 WHERE id <= 10; DELETE FROM c WHERE id = 11;"
                 "INSERT INTO c VALUES (9999, 1, 'y')")  # fmt: skip
        self.assertEqual(report(home)["rows_read"], 10 + 10 + 1 + 1)
        home.sql("ALTER TABLE c RENAME COLUMN w TO x; ALTER TABLE c RENAME TO d")
        self.assertEqual(report(home)["rows_read"], 0)
        home.sql("ALTER TABLE d ALTER COLUMN v TYPE bigint")
        self.assertEqual(report(home)["rows_read"], 5000)
        self.assertEqual(report(home, "--rows")["differences"], [])

    def test_another_primary_key_makes_other_sums(self):
        home = self.home
        home.sql("CREATE TABLE k (a int PRIMARY KEY, b int NOT NULL, c text);"
                 "INSERT INTO k VALUES (1, 3, 'x'), (2, 4, 'y')")  # fmt: skip
        roots = [root(home, "--table", "k", "--column", "c")]
        for key in ("b", "b, a", "a"):
            home.sql(f"ALTER TABLE k DROP CONSTRAINT k_pkey; ALTER TABLE k ADD PRIMARY KEY ({key})")
            roots.append(root(home, "--table", "k", "--column", "c"))
            self.assertEqual(root(home, "--table", "k", "--column", "c", "--rows"), roots[-1])
        self.assertEqual(len(set(roots)), 3)
        self.assertEqual(roots[0], roots[3])


if __name__ == "__main__":
    tap.main()
