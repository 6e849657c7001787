#!/usr/bin/python3
"""Roots: what docs/formats/root.md says, computed a second time (support/root_reference.py), and what
must and must not change them."""

import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, root_reference, tap  # noqa: E402
from support.coppice import Home, psql  # noqa: E402
from support.file_server import FileServer, png  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/formats/root.md"


def report(home, *arguments, **options):
    (found,) = home.json_lines("root", *arguments, **options)
    return found


def root(home, *arguments):
    return home.run("root", *arguments).strip()


def owner_url(home):
    """The role that may write the store of a private server."""
    return home.status()["database_url"].replace("coppice_reader@", "coppice@", 1)


def behind_the_back(home, text):
    return psql(owner_url(home), "SET session_replication_role = replica; " + text)


def store_of(home, table, column):
    """Where the cells of a column lie: ("coppice_store.t3", "c1")."""
    ((store, physical),) = home.values(
        "SELECT t.store_name, c.physical FROM coppice.tables t JOIN coppice.columns c "
        f"USING (table_id) WHERE t.table_name = '{table}' AND c.name = '{column}' "
        "AND c.to_version IS NULL"
    )
    return "coppice_store." + store, physical


class Format(coppice.TestCase):
    """The vectors of the page come out of the reference and out of a home."""

    def test_vectors(self):
        page = PAGE.read_text()
        self.assertEqual(
            root_reference.aes256_ctr_stream(bytes(32), 16).hex(),
            "dc95c078a2408989ad48a21492842087",  # NIST: AES-256 of a zero block, key zero
        )
        self.assertIn(root_reference.home_root([]).hex(), page)
        self.assertEqual(root(self.home), root_reference.home_root([]).hex())

        self.home.sql(
            "CREATE TABLE film (id integer PRIMARY KEY, title text);"
            "INSERT INTO film VALUES (1, 'Street'), (2, NULL), (3, '')"
        )
        rows = [{"id": "1", "title": "Street"}, {"id": "2", "title": None}, {"id": "3", "title": ""}]
        columns = {
            "id": root_reference.column_root(
                "id", "integer", root_reference.cell_sum(rows, ["id"], "id"), not_null=True
            ),
            "title": root_reference.column_root(
                "title", "text", root_reference.cell_sum(rows, ["id"], "title")
            ),
        }
        film = root_reference.table_root(
            "public", "film", columns.values(),
            constraints=[("film_pkey", "primary key", None, True, ["id"])],
        )  # fmt: skip
        for name, expected in columns.items():
            self.assertIn(expected.hex(), page)
            self.assertEqual(root(self.home, "--table", "film", "--column", name), expected.hex())
        self.assertIn(film.hex(), page)
        self.assertEqual(root(self.home, "--table", "film"), film.hex())
        self.assertIn(root_reference.home_root([film]).hex(), page)
        self.assertEqual(root(self.home), root_reference.home_root([film]).hex())

        self.home.sql("CREATE TABLE log (word text); INSERT INTO log VALUES ('a'), ('a'), (NULL)")
        words = [{"word": "a"}, {"word": "a"}, {"word": None}]
        log = root_reference.table_root(
            "public", "log", [root_reference.column_root("word", "text", None)],
            rows=root_reference.row_sum(words, ["word"]),
        )  # fmt: skip
        self.assertIn(log.hex(), page)
        self.assertEqual(root(self.home, "--table", "log"), log.hex())
        self.assertEqual(root(self.home), root_reference.home_root([film, log]).hex())

        self.home.sql(
            "CREATE SCHEMA shop; COMMENT ON SCHEMA shop IS 'sold';"
            "CREATE TABLE shop.sale (id bigint GENERATED ALWAYS AS IDENTITY (START 5) PRIMARY KEY, "
            "  price numeric(6,2) NOT NULL DEFAULT 1.50 CHECK (price > 0), "
            "  twice numeric GENERATED ALWAYS AS (price * 2) STORED);"
            "CREATE INDEX sale_price ON shop.sale (price);"
            "COMMENT ON COLUMN shop.sale.price IS 'in euro';"
            "INSERT INTO shop.sale DEFAULT VALUES;"
            "CREATE VIEW shop.dear AS SELECT id FROM shop.sale WHERE price > 100"
        )
        sale = [{"id": "5", "price": "1.50", "twice": "3.00"}]

        def cells(name):
            return root_reference.cell_sum(sale, ["id"], name)

        expected = root_reference.table_root(
            "shop", "sale",
            [root_reference.column_root("id", "bigint", cells("id"), not_null=True,
                                        identity="always", sequence=" start 5"),
             root_reference.column_root("price", "numeric(6,2)", cells("price"), not_null=True,
                                        default="1.50", comment="in euro"),
             root_reference.column_root("twice", "numeric", cells("twice"),
                                        expression="price * 2")],
            constraints=[("sale_pkey", "primary key", None, True, ["id"]),
                         ("sale_price_check", "check", "price > 0", True, ["price"])],
            indexes=[("sale_price", "CREATE INDEX ON shop.sale USING btree (price)")],
        )  # fmt: skip
        self.assertEqual(root(self.home, "--table", "shop.sale"), expected.hex())
        view = "SELECT id FROM shop.sale WHERE price > 100"
        self.assertEqual(
            root(self.home),
            root_reference.home_root(
                [film, log, expected], schemas=[("shop", "sold")],
                views=[("shop", "dear", 0, view, None)],
            ).hex(),
        )  # fmt: skip


class History(coppice.TestCase):
    """The history root, made a second time from the catalog and the store."""

    private = True
    LIST = re.compile(r"^\| `(\w+)` \| .+? \| (.+?); (.+?) \|$", re.M)

    def rows_of(self, columns, source):
        texts = ", ".join(
            f"CASE WHEN {c} THEN 't' ELSE 'f' END" if c == "not_null" else f"{c}::text"
            for c in columns
        )
        found = psql(owner_url(self.home),
                     f"SET TimeZone = 'UTC'; SELECT json_build_array({texts}) FROM {source}")  # fmt: skip
        return [json.loads(line) for line in found.stdout.splitlines()]

    def test_history_root(self):
        self.home.sql(
            "CREATE TABLE film (id int PRIMARY KEY, title text, n int OPTIONS (on_error 'ignore') "
            "  GENERATED ALWAYS AS (10 / (id - 2)) STORED);"
            "INSERT INTO film (id, title) VALUES (1, 'a'), (2, 'b'), (3, NULL);"
            "UPDATE film SET title = 'c' WHERE id = 1; DELETE FROM film WHERE id = 2;"
            "ALTER TABLE film ADD COLUMN made int DEFAULT 5; ALTER TABLE film DROP COLUMN title;"
            "INSERT INTO film (id) VALUES (4)"
        )
        self.home.run("snapshot", "create", "film", "here")
        for pruned in (False, True):
            if pruned:
                self.home.run("prune", "film", "--keep", "3", "--yes")
            floor = self.home.value("SELECT floor_version FROM coppice.trees")
            self.assertEqual(floor > 0, pruned)
            conditions = {
                "versions": f"version >= {floor}",
                "operations": "state = 'published'",
                "columns": f"state = 'live' AND (to_version IS NULL OR to_version > {floor})",
            }
            lists = {}
            for name, keys, others in self.LIST.findall(PAGE.read_text()):
                keys = keys.split(", ")
                order = ", ".join(f'{key} COLLATE "C"' if key in ("name", "url_sha256", "function_id")
                                  else key for key in keys)  # fmt: skip
                lists[name] = self.rows_of(
                    keys + others.split(", "),
                    f"coppice.{name} WHERE {conditions.get(name, 'true')} ORDER BY {order}",
                )
            self.assertEqual(len(lists), 7)
            self.assertEqual(len(lists["cell_errors"]), 0 if pruned else 1)
            store, _ = store_of(self.home, "film", "id")
            physical = sorted({row[4] for row in lists["columns"]})
            versions = root_reference.Sum()
            for row in self.rows_of(["_row", "_from", "_to", *physical], store):
                versions.add("coppice root 1 row version", row)
            content = bytes.fromhex(root(self.home))
            expected = root_reference.history_root(
                content, [("public", "film", versions.digest())], lists
            )
            self.assertEqual(root(self.home, "--history"), expected.hex())


class Values(coppice.TestCase):
    """Each of these is a value of its own, and means what the page says."""

    private = True
    TEXTS = {
        "text": [None, "", "0", "NULL", "\\N", "a\tb\nc\\d", "é", "e\u0301", "🎬"],
        "float8": ["0", "-0", "NaN", "Infinity", "0.1", "0.30000000000000004", "1e+100"],
        "numeric": ["1", "1.0", "1.00", "NaN", None],
        "boolean": ["t", "f"],
        "bytea": ["\\x", "\\x00ff", "\\x5c"],
        "timestamptz": ["2026-11-22 10:00:00+00", "infinity"],
        "interval": ["1 mon 2 days 03:00:00", "-00:00:01"],
        "date[]": ["{2026-01-02,NULL}", "{}"],
        "text[]": ["{a,\"b c\",NULL,\"NULL\",\"\"}", "{{a,b},{c,d}}"],
        "jsonb": ['{"a": 1.50, "b": [true, null]}', "null", "{}"],
        "json": ['{"b":1,  "a":2}'],
        "tstzrange": ['["2026-11-22 10:00:00+00",)', "empty"],
        "money": ["$12.50", "-$1.00"],
        "uuid": ["00000000-0000-0000-0000-000000000001"],
    }

    def test_the_form_of_every_value(self):
        columns = [f"c{i} {name}" for i, name in enumerate(self.TEXTS)]
        self.home.sql(f"CREATE TABLE v (id int PRIMARY KEY, {', '.join(columns)})")
        count = max(len(texts) for texts in self.TEXTS.values())
        rows = []
        for number in range(count):
            row = {"id": str(number)}
            for i, texts in enumerate(self.TEXTS.values()):
                row[f"c{i}"] = texts[number] if number < len(texts) else None
            rows.append(row)

        def literal(text):
            return "NULL" if text is None else "$x$" + text + "$x$"

        values = ["(" + ", ".join(literal(text) for text in row.values()) + ")" for row in rows]
        self.home.sql("INSERT INTO v VALUES " + ", ".join(values))
        names = {"boolean": "boolean", "float8": "double precision",
                 "timestamptz": "timestamp with time zone"}  # fmt: skip
        (table,) = report(self.home, "--table", "v", "--rows")["tables"]
        for i, name in enumerate(self.TEXTS):
            expected = root_reference.column_root(
                f"c{i}", names.get(name, name), root_reference.cell_sum(rows, ["id"], f"c{i}")
            )
            self.assertEqual(table["columns"][f"c{i}"], expected.hex(), name)

    def test_settings_of_the_database_change_nothing(self):
        self.home.sql(
            "CREATE TABLE s (id int PRIMARY KEY, t timestamptz, i interval, d date[], f float8, "
            "b bytea, m money);"
            "INSERT INTO s VALUES (1, '2026-11-22 10:00+01', '1 mon 2 days', '{2026-02-03}', "
            "0.1::float8 + 0.2, '\\x00ff', 12.5::numeric::money)"
        )
        before = root(self.home, "--table", "s", "--rows")
        (name,) = psql(owner_url(self.home), "SELECT current_database()").stdout.split()
        settings = {"TimeZone": "Asia/Tokyo", "DateStyle": "German", "IntervalStyle": "iso_8601",
                    "extra_float_digits": "-5", "bytea_output": "escape"}  # fmt: skip
        try:
            for setting, value in settings.items():
                psql(owner_url(self.home), f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'")
            self.assertEqual(root(self.home, "--table", "s", "--rows"), before)
        finally:
            psql(owner_url(self.home), f'ALTER DATABASE "{name}" RESET ALL')

    def test_a_large_text(self):
        text = "ab\\c\t" * 2_000_000
        self.home.sql(
            "CREATE TABLE big (id int PRIMARY KEY, t text);"
            r"INSERT INTO big VALUES (1, repeat(E'ab\\c\t', 2000000))"
        )
        expected = root_reference.column_root(
            "t", "text", root_reference.cell_sum([{"id": "1", "t": text}], ["id"], "t")
        )
        self.assertEqual(root(self.home, "--table", "big", "--column", "t"), expected.hex())

    def test_media_count_by_their_content(self):
        media = coppice.media_folder(self)
        pictures = sorted(media.glob("*.jpg"))[:1] + sorted(media.glob("*.png"))[:1]
        self.assertEqual(len(pictures), 2)
        copy = self.home.work / ("other name" + pictures[0].suffix)
        copy.write_bytes(pictures[0].read_bytes())
        roots = []
        for file in (pictures[0], copy, pictures[1]):
            self.home.sql("CREATE TABLE m (id int PRIMARY KEY, p image)")
            self.home.sql(f"INSERT INTO m VALUES (1, '{file}')")
            roots.append(root(self.home, "--table", "m"))
            self.home.sql("DROP TABLE m")
        self.assertEqual(roots[0], roots[1])
        self.assertNotEqual(roots[0], roots[2])


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
        self.assertNotEqual(root(self.home, "--history"), history)


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
