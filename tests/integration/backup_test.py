#!/usr/bin/python3
"""Every kind of change between two backups: what is restored of the second, and of a full one, is the
living home: its roots, the rows of every version, and what the next statements give."""

import functools
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.backups import Repository, home_beside, state  # noqa: E402
from support.coppice import Home, psql  # noqa: E402
from support.roots import owner_url  # noqa: E402

FILMS = (
    "CREATE TABLE film (id int PRIMARY KEY, title text NOT NULL, year int DEFAULT 1990,"
    " loud text GENERATED ALWAYS AS (upper(title)) STORED);"
    "INSERT INTO film SELECT g, 'film ' || g, 1950 + g FROM generate_series(1, 60) g;"
    "UPDATE film SET year = year + 1 WHERE id % 10 = 0"
)
NEXT_FILM = "INSERT INTO film (id, title) VALUES (900, 'new'); SELECT * FROM film WHERE id = 900"
PICTURES = (
    "CREATE TABLE pic (id int PRIMARY KEY, p image, w bigint GENERATED ALWAYS AS (width(p)) STORED);"
    "INSERT INTO pic (id, p) VALUES (1, '{media}/red.png'), (2, '{media}/gradient.jpg'), (3, NULL)"
)
NEXT_PICTURE = (
    "INSERT INTO pic (id, p) VALUES (9, '{media}/alpha.png');"
    "SELECT to_jsonb(t) FROM pic t ORDER BY id"
)
CODE = "def double(n):\n    return 2 * n\n\ndef third(n):\n    return 6 // n\n"
PYTHON = (
    "CREATE FUNCTION double(n bigint) RETURNS bigint LANGUAGE python IMMUTABLE AS '{code}:double';"
    "CREATE FUNCTION third(n bigint) RETURNS bigint LANGUAGE python IMMUTABLE AS '{code}:third';"
    "CREATE TABLE calc (id int PRIMARY KEY, n bigint, d bigint OPTIONS (on_error 'ignore')"
    " GENERATED ALWAYS AS (third(n)) STORED);"
    "INSERT INTO calc (id, n) VALUES (1, 1), (2, 0), (3, 3)"
)


class Change:
    """`before` and `after` are SQL or lists of arguments; `then` is SQL whose rows must be equal."""

    def __init__(self, before, after, then):
        self.before = before if isinstance(before, list) else [before]
        self.after = after if isinstance(after, list) else [after]
        self.then = then


def keep(table, versions):
    return ("prune", table, "--keep", str(versions), "--yes")


UPDATES = [f"UPDATE film SET title = title || '{i}' WHERE id % 7 = {i}" for i in range(5)]
CHANGES = {
    "nothing": Change(FILMS, [], NEXT_FILM),
    "rows": Change(
        FILMS,
        "INSERT INTO film (id, title) VALUES (61, 'a\tb\\nc'), (62, ''), (63, E'line\\nfeed \\\\. x');"
        "UPDATE film SET title = 'x' WHERE id < 4; DELETE FROM film WHERE id IN (5, 62);"
        "INSERT INTO film (id, title) VALUES (5, 'again')",
        NEXT_FILM,
    ),
    "upsert": Change(
        FILMS,
        "INSERT INTO film (id, title) SELECT g, 'up' FROM generate_series(50, 70) g "
        "ON CONFLICT (id) DO UPDATE SET title = excluded.title || film.year;"
        "INSERT INTO film (id, title) VALUES (1, 'no') ON CONFLICT DO NOTHING",
        NEXT_FILM,
    ),
    "truncate": Change(
        FILMS, "TRUNCATE film; INSERT INTO film (id, title) VALUES (7, 'only')", NEXT_FILM
    ),
    "fill_by_sql": Change(
        FILMS,
        "ALTER TABLE film ADD COLUMN age int GENERATED ALWAYS AS (2000 - year) STORED;"
        "UPDATE film SET year = 1 WHERE id = 3",
        NEXT_FILM,
    ),
    "add_plain": Change(
        FILMS,
        "ALTER TABLE film ADD COLUMN genre text DEFAULT 'drama'; UPDATE film SET genre = NULL "
        "WHERE id = 2; ALTER TABLE film ADD COLUMN empty text",
        NEXT_FILM,
    ),
    "changed_expression": Change(
        FILMS,
        [("alter-column", "film.loud", "lower(title) || year"), "UPDATE film SET year = 0 WHERE id = 4"],
        NEXT_FILM,
    ),
    "changed_type": Change(
        FILMS,
        "ALTER TABLE film ALTER year DROP DEFAULT;"
        "ALTER TABLE film ALTER year TYPE text USING 'y' || year;"
        "ALTER TABLE film ALTER year SET DEFAULT 'none'; DELETE FROM film WHERE id = 9",
        NEXT_FILM,
    ),
    "drop_column": Change(
        FILMS,
        "ALTER TABLE film DROP COLUMN year; INSERT INTO film (id, title) VALUES (77, 'n');"
        "ALTER TABLE film ADD COLUMN year text",
        NEXT_FILM,
    ),
    "drop_column_and_prune": Change(
        [FILMS, "ALTER TABLE film ADD COLUMN extra text DEFAULT 'e'"],
        ["ALTER TABLE film DROP COLUMN extra", *UPDATES, keep("film", 2),
         "ALTER TABLE film ADD COLUMN extra int DEFAULT 4"],
        NEXT_FILM,
    ),
    "drop_table": Change(
        [FILMS, "CREATE TABLE log (w text); INSERT INTO log VALUES ('a'), ('a')"],
        "DROP TABLE log; UPDATE film SET year = 3 WHERE id = 1",
        NEXT_FILM,
    ),
    "drop_and_make_again": Change(
        FILMS,
        "DROP TABLE film; CREATE TABLE film (id bigint, title text, PRIMARY KEY (title));"
        "INSERT INTO film VALUES (1, 'other'); UPDATE film SET id = 2",
        NEXT_FILM,
    ),
    "rename": Change(
        FILMS,
        "ALTER TABLE film RENAME COLUMN year TO made; ALTER TABLE film RENAME TO movie;"
        "UPDATE movie SET made = 5 WHERE id = 5; ALTER TABLE movie RENAME CONSTRAINT film_pkey TO k",
        "INSERT INTO movie (id, title) VALUES (900, 'new'); SELECT * FROM movie WHERE id = 900",
    ),
    "swapped_names": Change(
        [FILMS, "CREATE TABLE log (w text); INSERT INTO log VALUES ('a')"],
        "ALTER TABLE film RENAME TO x; ALTER TABLE log RENAME TO film; ALTER TABLE x RENAME TO log;"
        "INSERT INTO film VALUES ('b')",
        "INSERT INTO log (id, title) VALUES (900, 'n'); SELECT count(*) FROM film, log",
    ),
    "prune_below_the_point": Change([FILMS, *UPDATES], [*UPDATES[:2], keep("film", 4)], NEXT_FILM),
    "prune_above_the_point": Change(FILMS, [*UPDATES, keep("film", 2)], NEXT_FILM),
    "prune_to_the_point": Change([FILMS, *UPDATES], [keep("film", 1)], NEXT_FILM),
    "revert": Change(
        [FILMS, *UPDATES, "ALTER TABLE film ADD COLUMN c text DEFAULT 'c'"],
        [("revert", "film", "--to", "2", "--yes"), *UPDATES[:1]],
        NEXT_FILM,
    ),
    "snapshot": Change(
        [FILMS, ("snapshot", "create", "film", "first")],
        [*UPDATES, ("snapshot", "create", "film", "second"), keep("film", 1),
         ("snapshot", "drop", "film", "second", "--yes")],
        'SELECT count(*), max(title) FROM "film:first"; ' + NEXT_FILM,
    ),
    "view_made": Change(
        FILMS,
        "CREATE MATERIALIZED VIEW old AS SELECT f.id, f.year + 1 AS y FROM film f WHERE f.year < 1980;"
        "ALTER TABLE old ADD COLUMN z int GENERATED ALWAYS AS (y * 2) STORED;"
        "UPDATE film SET year = 1900 WHERE id = 55; DELETE FROM film WHERE id = 1",
        NEXT_FILM + "; UPDATE film SET year = 3 WHERE id = 900; SELECT * FROM old WHERE id > 40",
    ),
    "view_dropped": Change(
        [FILMS, "CREATE MATERIALIZED VIEW old AS SELECT f.id FROM film f WHERE f.year < 1980"],
        "DROP MATERIALIZED VIEW old; UPDATE film SET year = 1 WHERE id = 2;"
        "CREATE MATERIALIZED VIEW old AS SELECT f.id, f.title AS t FROM film f",
        NEXT_FILM + "; SELECT * FROM old ORDER BY id",
    ),
    "iterator_view": Change(
        [FILMS, "CREATE MATERIALIZED VIEW word AS SELECT f.id, i.pos, i.element FROM film f,"
         " LATERAL elements(to_jsonb(string_to_array(f.title, ' '))) AS i"],
        "UPDATE film SET title = 'one two three' WHERE id = 3; DELETE FROM film WHERE id = 4;"
        "CREATE MATERIALIZED VIEW cry AS SELECT w.id, w.element || '[]' AS e FROM word w WHERE w.pos = 0",
        NEXT_FILM + "; SELECT * FROM word ORDER BY id, pos; SELECT * FROM cry ORDER BY id",
    ),
    "serial_and_identity": Change(
        "CREATE TABLE s (a serial PRIMARY KEY, b int GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5),"
        " c smallint GENERATED BY DEFAULT AS IDENTITY (CYCLE MAXVALUE 3), t text);"
        "INSERT INTO s (t) SELECT 'x' FROM generate_series(1, 20); CREATE TABLE never (a serial, t text)",
        "INSERT INTO s (t) VALUES ('y'); DELETE FROM s WHERE a > 15;"
        "ALTER TABLE s ADD COLUMN d bigserial",
        "INSERT INTO s (t) VALUES ('z'), ('z'), ('z'), ('z'); SELECT * FROM s ORDER BY a;"
        "INSERT INTO never (t) VALUES ('z'); SELECT * FROM never",
    ),
    "schemas": Change(
        'CREATE SCHEMA "Big x"; CREATE TABLE "Big x"."T ""y" (id int, "a b" text);'
        "INSERT INTO \"Big x\".\"T \"\"y\" VALUES (1, 'a'); CREATE SCHEMA gone",
        'DROP SCHEMA gone; CREATE SCHEMA new; CREATE TABLE new.film (id int PRIMARY KEY);'
        "INSERT INTO new.film VALUES (3); COMMENT ON SCHEMA new IS 'it''s new';"
        'UPDATE "Big x"."T ""y" SET "a b" = NULL',
        'INSERT INTO "Big x"."T ""y" VALUES (2); SELECT * FROM "Big x"."T ""y" ORDER BY id;'
        "INSERT INTO new.film VALUES (4); SELECT count(*) FROM new.film",
    ),
    "constraints_and_indexes": Change(
        FILMS,
        "ALTER TABLE film ADD CONSTRAINT later CHECK (year > 0); CREATE INDEX by_year ON film (year);"
        "CREATE INDEX \"by Upper\" ON film (lower(title) DESC) WHERE year > 1960;"
        "ALTER TABLE film ADD CONSTRAINT pair UNIQUE (title, year); UPDATE film SET title = 'x' "
        "WHERE id = 3",
        NEXT_FILM,
    ),
    "functions": Change(
        "CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * x';"
        "CREATE TABLE n (a int PRIMARY KEY, t int GENERATED ALWAYS AS (twice(a)) STORED);"
        "INSERT INTO n SELECT generate_series(1, 20)",
        "CREATE FUNCTION cube(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
        "$$ BEGIN RETURN x * x * x; END $$; COMMENT ON FUNCTION cube(int) IS 'x^3';"
        "CREATE AGGREGATE product(float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1');"
        "CREATE FUNCTION a_six() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT twice(3)';"
        "CREATE VIEW over AS SELECT product(a) AS p, cube(3) AS c, a_six() AS s FROM n WHERE a < 6;"
        "CREATE FUNCTION seen() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM n; END;"
        "CREATE VIEW above AS SELECT seen() AS s; CREATE FUNCTION joined(text, text) RETURNS text "
        "LANGUAGE sql STABLE AS 'SELECT $1 || $2 || (SELECT s FROM above)';"
        "CREATE AGGREGATE chain(text) (SFUNC = joined, STYPE = text, INITCOND = 'it''s');"
        "CREATE FUNCTION last_one() RETURNS n LANGUAGE sql STABLE AS 'SELECT * FROM n ORDER BY a DESC LIMIT 1';"
        "ALTER TABLE n ADD COLUMN c int GENERATED ALWAYS AS (cube(a)) STORED",
        "INSERT INTO n VALUES (30); SELECT * FROM n ORDER BY a; SELECT * FROM over; SELECT seen();"
        "SELECT chain(a::text ORDER BY a) FROM n",
    ),
    "views": Change(
        FILMS + "; CREATE VIEW few AS SELECT id, title FROM film WHERE id < 5",
        "CREATE VIEW fewer AS SELECT f.title FROM few f; CREATE VIEW past AS SELECT id FROM \"film:1\";"
        "CREATE VIEW a (x, y) AS SELECT id, loud FROM film; COMMENT ON VIEW a IS 'an a';"
        "DELETE FROM film WHERE id = 2",
        NEXT_FILM + "; SELECT count(*) FROM few, fewer, past, a",
    ),
    "grants_and_comments": Change(
        FILMS,
        "GRANT SELECT ON film TO PUBLIC; COMMENT ON TABLE film IS 'it''s a film';"
        "COMMENT ON COLUMN film.title IS E'line\\nfeed'; CREATE VIEW few AS SELECT id FROM film;"
        "GRANT SELECT ON few TO {role} WITH GRANT OPTION; GRANT SELECT (id, title) ON film TO {role};"
        "CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO {role}; ALTER TABLE film SET (retention = '9')",
        NEXT_FILM,
    ),
    "media": Change(
        PICTURES,
        "ALTER TABLE pic ADD COLUMN t image GENERATED ALWAYS AS (resize(p, 8)) STORED;"
        "INSERT INTO pic (id, p) VALUES (4, '{media}/still.gif'); DELETE FROM pic WHERE id = 2",
        NEXT_PICTURE,
    ),
    "media_in_arrays": Change(
        "CREATE TABLE album (id int PRIMARY KEY, a image[]);"
        "INSERT INTO album VALUES (1, ARRAY['{media}/red.png', '{media}/alpha.png']::image[])",
        "INSERT INTO album VALUES (2, ARRAY['{media}/still.gif']::image[]), (3, '{{}}')",
        "SELECT to_jsonb(a) FROM album a ORDER BY id",
    ),
    "cell_errors": Change(
        "CREATE TABLE pic (id int PRIMARY KEY, p image, w bigint OPTIONS (on_error 'ignore')"
        " GENERATED ALWAYS AS (width(crop(p, 0, 0, 40, 40))) STORED);"
        "INSERT INTO pic (id, p) VALUES (1, '{media}/red.png'), (2, '{media}/alpha.png')",
        ["INSERT INTO pic (id, p) VALUES (3, '{media}/alpha.png'), (4, '{media}/gradient.jpg')",
         ("recompute", "pic", "--errors")],
        NEXT_PICTURE,
    ),
    "recompute": Change(
        PICTURES,
        [("recompute", "pic", "w"), ("recompute", "pic", "--where", "id < 3")],
        NEXT_PICTURE,
    ),
    "python": Change(
        PYTHON,
        ["CREATE OR REPLACE FUNCTION third(n bigint) RETURNS bigint LANGUAGE python IMMUTABLE "
         "AS '{code}:double'; COMMENT ON FUNCTION double(bigint) IS 'two';"
         "ALTER TABLE calc ADD COLUMN e bigint GENERATED ALWAYS AS (double(n)) STORED",
         ("recompute", "calc", "d", "--errors"),
         "INSERT INTO calc (id, n) VALUES (7, 7)"],
        "INSERT INTO calc (id, n) VALUES (8, 8); SELECT * FROM calc ORDER BY id;"
        "SELECT count(*) FROM coppice.results",
    ),
    "frames": Change(
        "CREATE TABLE film (id int PRIMARY KEY, clip video); INSERT INTO film VALUES (1, '{media}/clip.mp4')",
        "CREATE MATERIALIZED VIEW f AS SELECT i.pos, i.frame FROM film f,"
        " LATERAL frames(f.clip, fps => 2, stored => 'false') AS i;"
        "CREATE TABLE kept AS SELECT pos, frame FROM f; DROP MATERIALIZED VIEW f; DELETE FROM film",
        "SELECT * FROM kept ORDER BY pos; SELECT width(frame) AS w FROM kept",
    ),
}  # fmt: skip


class Changes(unittest.TestCase):
    """Each in a home of its own; the homes share a server."""

    @classmethod
    def setUpClass(cls):
        cls.server = Home.make(cls)
        cls.media = coppice.media_folder(cls)
        cls.role = "coppice_some_reader"
        psql(owner_url(cls.server), f"DO $$ BEGIN CREATE ROLE {cls.role}; EXCEPTION WHEN others "
             "THEN NULL; END $$")  # fmt: skip

    def perform(self, home, steps):
        for step in steps:
            if isinstance(step, tuple):
                home.run(*step)
            else:
                home.sql(self.text(step))

    def text(self, statement):
        code = self.server.work / "code.py"
        code.write_text(CODE)
        return statement.format(media=self.media, code=code, role=self.role)

    def run_change(self, name):
        change = CHANGES[name]
        home = home_beside(self, self.server)
        repository = Repository(self)
        self.perform(home, change.before)
        first = repository.back_up(home)
        before = state(home)
        self.perform(home, change.after)
        second = repository.back_up(home)
        full = repository.back_up(home, "--full")
        self.assertEqual(second["parent"], first["id"])
        self.assertEqual(full["parent"], "")
        expected = state(home)
        self.assertEqual(second["root"], expected["root"])
        self.assertEqual(full["root"], expected["root"])
        restored = {}
        for kind, report in (("incremental", second), ("full", full)):
            again = repository.restore(self, self.server, "--backup", report["id"])
            self.assertEqual(state(again), expected, kind)
            restored[kind] = again
        if name in ("rows", "prune_above_the_point", "drop_and_make_again"):
            again = repository.restore(self, self.server, "--backup", first["id"])
            self.assertEqual(state(again), before)
        then = self.text(change.then)
        wanted = home.rows(then)
        for kind, again in restored.items():
            self.assertEqual(again.rows(then), wanted, kind)
            self.assertEqual(again.run("root"), home.run("root"), kind)


for change_name in CHANGES:
    setattr(Changes, f"test_{change_name}", functools.partialmethod(Changes.run_change, change_name))


if __name__ == "__main__":
    tap.main()
