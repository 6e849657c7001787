#!/usr/bin/python3
"""Roots: what docs/formats/root.md says, computed a second time (support/root_reference.py)."""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, root_reference, tap  # noqa: E402
from support.coppice import psql  # noqa: E402
from support.roots import owner_url, report, root, store_of  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/formats/root.md"


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


if __name__ == "__main__":
    tap.main()
