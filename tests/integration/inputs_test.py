#!/usr/bin/python3
"""Input that is too large, too deep or not text at all: a clear error in good time, and the home as
it was. Media that cannot be read or stored: the same."""

import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Failed  # noqa: E402


class Statements(coppice.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.sql("CREATE TABLE t (id int PRIMARY KEY, a text)")

    def give(self, text, limit_seconds=60):
        """Runs SQL from standard input; returns (exit code, what it said on standard error)."""
        begin = time.monotonic()
        data = text.encode() if isinstance(text, str) else text
        result = self.home.attempt("sql", "-f", "-", stdin=data, timeout=limit_seconds)
        self.assertLess(time.monotonic() - begin, limit_seconds)
        self.assertGreaterEqual(result.returncode, 0, "the program crashed")
        errors = result.stderr.decode(errors="replace")
        self.assertNotIn("AddressSanitizer", errors)
        return result.returncode, errors

    def refused(self, text, *words):
        code, errors = self.give(text)
        self.assertEqual(code, 1, errors[:2000])
        for word in words:
            self.assertIn(word, errors[:5000])
        self.assertLess(len(errors), 20000, "an error is for people to read")
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 0)

    def test_an_expression_of_100000_terms(self):
        code, errors = self.give("SELECT " + "+".join(["1"] * 100_000))
        if code != 0:  # refused is as good as done, a crash is not
            self.assertEqual(code, 1)
            self.assertRegex(errors, "too (long|large|deep|many|complex)|more than|limit")

    def test_an_expression_nested_10000_deep(self):
        for opening, closing in (("(", ")"), ("abs(", ")"), ("NOT ", ""), ("- ", ""),
                                 ("CASE WHEN true THEN ", " END"), ("(SELECT ", ")")):  # fmt: skip
            with self.subTest(opening):
                code, errors = self.give("SELECT " + opening * 10_000 + "1" + closing * 10_000)
                self.assertIn(code, (0, 1))
                if code == 1:
                    self.assertNotEqual(errors.strip(), "")

    def test_a_deep_expression_in_a_computed_column(self):
        expression = "(" * 5000 + "id" + " + 1)" * 5000
        code, errors = self.give(f"CREATE TABLE deep (id int, c int GENERATED ALWAYS AS "
                                 f"({expression}) STORED)")  # fmt: skip
        self.assertIn(code, (0, 1))
        self.assertEqual(self.home.value("SELECT 1"), 1)

    def test_a_chain_in_a_computed_column_may_be_long(self):
        """It is kept with a parenthesis an operator."""
        code, errors = self.give(f"CREATE TABLE chain (id int, c int GENERATED ALWAYS AS "
                                 f"({' + '.join(['id'] * 2000)}) STORED); "
                                 "INSERT INTO chain (id) VALUES (2)")  # fmt: skip
        self.assertEqual(code, 0, errors)
        self.assertEqual(self.home.value("SELECT c FROM chain"), 4000)

    def test_a_statement_of_50_megabytes(self):
        big = "x" * 50_000_000
        code, errors = self.give(f"SELECT length('{big}')", limit_seconds=120)
        self.assertIn(code, (0, 1))
        self.assertLess(len(errors), 20000)

    def test_an_insert_of_many_values(self):
        values = ",".join(f"({i},'{'v' * 100}')" for i in range(20_000))
        code, errors = self.give(f"INSERT INTO t VALUES {values}; DELETE FROM t;", 120)
        self.assertEqual(code, 0, errors[:2000])

    def test_invalid_utf8(self):
        self.refused(b"INSERT INTO t VALUES (1, '\xff\xfe')", "UTF-8", "line 1")

    def test_a_nul(self):
        self.refused(b"INSERT INTO t VALUES (1, 'a\x00b')", "line 1")

    def test_an_unfinished_statement(self):
        self.refused("INSERT INTO t VALUES (1, 'abc", "line 1")
        self.refused("INSERT INTO t VALUES (1,", "line 1")
        self.refused("INSERT INTO t /* open", "line 1")

    def test_parameters_are_bound_never_spliced(self):
        evil = "x'); DROP TABLE t; --"
        out = self.home.json_lines("sql", "-p", f"word={evil}", "SELECT $word::text AS word")
        self.assertEqual(out, [{"word": evil}])
        self.home.fail("sql", "SELECT $missing::text", code=2)


    def test_parameters_are_named_in_errors(self):
        errors = self.home.fail("sql", "-p", b"word=\xff", "SELECT $word::text")
        self.assertIn("parameter word is not UTF-8", errors)
        errors = self.home.fail("sql", "-p", "f=x", "SELECT $f IS NULL")
        self.assertIn("parameter $f", errors)

    def test_export_reads_only(self):
        for text in ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
                     "SELECT * FROM t FOR UPDATE", "SELECT * INTO x FROM t"):  # fmt: skip
            self.assertIn("not supported", self.home.fail("export", text))
        self.assertEqual(self.home.run("export", "VALUES (1)").splitlines()[1:], ["1"])

    def test_what_was_done_before_is_told_above_the_excerpt(self):
        errors = self.home.fail("sql", "SELECT 1; SELECT nope", code=4)
        self.assertRegex(errors, r"nope.* does not exist.*; the statement before it was done\nLINE 1")


class Rows(coppice.TestCase):
    """insert TABLE --from: what is wrong with a line is said with its number."""

    def setUp(self):
        self.home.sql("DROP TABLE IF EXISTS t")
        self.home.sql("CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL)")

    def file(self, name, data):
        file = self.home.work / name
        file.write_bytes(data if isinstance(data, bytes) else data.encode())
        return file

    def test_good_files(self):
        self.home.run("insert", "t", "--from", self.file("a.csv", "id,a\n1,x\n2,\"y, z\"\n"))
        self.home.run("insert", "t", "--from", self.file("a.jsonl", '{"a": "j", "id": 3}\n'))
        self.home.run("insert", "t", "--from", "-", stdin="id,a\n4,stdin\n")
        self.assertEqual(
            self.home.values("SELECT * FROM t ORDER BY id"),
            [[1, "x"], [2, "y, z"], [3, "j"], [4, "stdin"]],
        )
        self.assertEqual(self.home.versions("t"), [0, 1, 2, 3])

    def refused(self, name, data, *words):
        errors = self.home.fail("insert", "t", "--from", self.file(name, data))
        for word in words:
            self.assertIn(word, errors)
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 0)
        self.assertEqual(self.home.versions("t"), [0])

    def test_a_wrong_column_count_is_named_with_its_line(self):
        self.refused("b.csv", "id,a\n1,x\n2,y,z\n", "b.csv", "line 3")
        self.refused("c.csv", "id,a\n1,x\n2\n", "c.csv", "line 3")

    def test_an_unknown_column_gets_the_nearest_name(self):
        self.home.sql("ALTER TABLE t ADD COLUMN title text")
        errors = self.home.fail("insert", "t", "--from", self.file("d.csv", "id,titel\n1,x\n"), code=4)
        self.assertIn("titel", errors)
        self.assertIn("title", errors)

    def test_a_wrong_type_is_named_with_its_line(self):
        self.refused("e.csv", "id,a\n1,x\ntwo,y\n", "two", "line 3")

    def test_a_duplicate_key_is_named(self):
        self.refused("f.csv", "id,a\n1,x\n1,y\n", "(id)=(1)")

    def test_broken_json_is_named_with_its_line(self):
        self.refused("g.jsonl", '{"id": 1, "a": "x"}\n{"id": 2,\n', "g.jsonl", "line 2")

    def test_bytes_that_are_no_text(self):
        self.refused("h.csv", b"id,a\n1,\xff\n", "UTF")
        self.refused("i.csv", "id,a\n1,x\n".encode("utf-16"), "i.csv", "UTF-8", "byte 0xff")
        self.refused("j.jsonl", b'{"id": 1, "a": "\xff"}', "j.jsonl", "line 1, column 17", "UTF-8")

    def test_a_line_without_an_end(self):
        for format in ("csv", "jsonl"):
            errors = self.home.fail("insert", "t", "--from", "/dev/zero", "--format", format)
            self.assertIn("/dev/zero, line 1", errors)

    def test_an_end_marker_in_csv_is_a_value(self):
        """Servers before PostgreSQL 18 would end there and drop the rows behind it."""
        lines = ["\\." if i % 3 == 0 else "y" * (i % 7) + str(i) for i in range(1, 30_000)]
        file = self.file("k.csv", "\n".join(["a", *lines]) + "\n")
        self.home.sql("DROP TABLE IF EXISTS words; CREATE TABLE words (a text)")
        self.home.run("insert", "words", "--from", file)
        self.home.sql(f"COPY words FROM '{file}' (FORMAT csv, HEADER)")
        self.assertEqual(
            self.home.values("SELECT count(*), count(*) FILTER (WHERE a = E'\\\\.') FROM words"),
            [[59_998, 2 * 9_999]],
        )
        out = self.home.run("export", "words")
        self.home.run("insert", "words", "--from", "-", "--format", "csv", stdin=out)
        self.assertEqual(self.home.value("SELECT count(*) FROM words"), 2 * 59_998)

    def test_numbers_and_json_keep_every_digit(self):
        self.home.sql("CREATE TABLE IF NOT EXISTS exact (n numeric, j json, a numeric[], o jsonb[])")
        number = "123456789012345678901234567890.1234567890"
        line = ('{"n": %s, "j": {"b": %s, "a": [1.50, {}], "b": null}, "a": [%s, null], '
                '"o": [{"x": 1.10, "y": ["\\"", "\\\\"]}, "s"]}' % (number, number, number))  # fmt: skip
        self.home.run("insert", "exact", "--from", self.file("n.jsonl", line))
        self.assertEqual(
            self.home.values("SELECT n::text, j::text, a::text, o[1]::text, o[2]::text FROM exact"),
            [[number, '{"b":%s,"a":[1.50,{}],"b":null}' % number, "{%s,NULL}" % number,
              '{"x": 1.10, "y": ["\\"", "\\\\"]}', '"s"']],
        )  # fmt: skip

    def test_json_nested_100000_deep(self):
        deep = '{"id": 1, "a": ' + "[" * 100_000 + "]" * 100_000 + "}"
        self.home.run("insert", "t", "--from", self.file("d.jsonl", deep))
        self.assertEqual(self.home.value("SELECT length(a) FROM t"), 200_000)

    def test_lines_of_json_are_counted_as_in_the_file(self):
        self.refused("l.jsonl", '\n{"id": 1, "a": "x\\ny"}\n\n{"id": "two", "a": "z"}\n', "line 4")

    def test_a_file_that_is_written_keeps_its_old_content_when_the_query_fails(self):
        file = self.file("old.csv", "kept\n")
        self.home.fail("sql", f"COPY (SELECT 1 / 0) TO '{file}'")
        self.assertEqual(file.read_text(), "kept\n")
        self.home.run("sql", f"COPY (SELECT 7) TO '{file}'")
        self.assertEqual(file.read_text(), "7\n")

    def test_a_missing_file(self):
        errors = self.home.fail("insert", "t", "--from", self.home.work / "absent.csv", code=4)
        self.assertIn("absent.csv", errors)


class Media(coppice.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.media = coppice.media_folder(cls)
        cls.home.sql("CREATE TABLE p (id int PRIMARY KEY, photo image, "
                     "w bigint GENERATED ALWAYS AS (width(photo)) STORED)")  # fmt: skip

    def tearDown(self):
        self.home.sql("DELETE FROM p")

    def test_an_unreadable_file(self):
        file = self.home.work / "closed.png"
        shutil.copy(self.media / "red.png", file)
        file.chmod(0)
        # Root reads every file, so there it is a folder's name that cannot be read as a file.
        if os.geteuid() == 0:
            file.unlink()
            file.mkdir()
        errors = self.home.fail("sql", f"INSERT INTO p (id, photo) VALUES (1, '{file}')")
        self.assertIn("closed.png", errors)
        self.assertRegex(errors, "ermission denied|directory|folder")

    def test_a_folder_of_files_becomes_rows(self):
        folder = self.home.work / "folder"
        folder.mkdir()
        for name in ("red.png", "gradient.jpg", "truncated.jpg"):
            shutil.copy(self.media / name, folder)
        self.home.sql("CREATE TABLE album (photo image, w bigint GENERATED ALWAYS AS "
                      "(width(photo)) STORED)")  # fmt: skip
        errors = self.home.fail("insert", "album", "--from", folder)
        self.assertIn("truncated.jpg", errors)
        self.assertEqual(self.home.value("SELECT count(*) FROM album"), 0)
        result = self.home.attempt("insert", "album", "--from", folder, "--skip-bad-files")
        self.assertIn(result.returncode, (0, 3), result.stderr)
        self.assertIn("truncated.jpg", result.stderr)
        self.assertEqual(self.home.values("SELECT w FROM album ORDER BY w"), [[64], [640]])

    def test_a_folder_with_odd_names(self):
        folder = self.home.work / "odd names"
        (folder / "sub").mkdir(parents=True)
        self.home.sql("CREATE TABLE shots (file text, photo image)")
        for name in ("a,b\"c.png", "new\nline.png", "sub/ü.png", ".hidden.png"):
            shutil.copy(self.media / "red.png", folder / name)
        (folder / "link.png").symlink_to(self.media / "alpha.png")
        (folder / "sub" / "loop").symlink_to(folder)
        (folder / "sub" / "broken.png").symlink_to("/nowhere")
        os.mkfifo(folder / "pipe.png")
        self.home.run("insert", "shots", "--from", folder)
        names = [["a,b\"c.png"], ["link.png"], ["new\nline.png"], ["sub/ü.png"]]
        self.assertEqual(self.home.values('SELECT file FROM shots ORDER BY file COLLATE "C"'), names)
        shutil.copy(self.media / "red.png", os.fsencode(folder) + b"/\xff.png")
        errors = self.home.fail("insert", "shots", "--from", folder)
        self.assertIn("odd names/\\xff.png is not UTF-8", errors)
        result = self.home.attempt("insert", "shots", "--from", folder, "--skip-bad-files")
        self.assertIn("odd names/\\xff.png is not UTF-8", result.stderr)
        self.assertEqual(self.home.value("SELECT count(*) FROM shots"), 8)

    def test_relative_names_are_under_the_working_directory(self):
        shutil.copy(self.media / "red.png", self.home.work / "near.png")
        self.home.sql("INSERT INTO p (id, photo) VALUES (1, 'near.png')")
        self.assertEqual(self.home.value("SELECT w FROM p"), 64)

    def test_the_source_is_never_changed_and_may_go(self):
        file = self.home.work / "source.png"
        shutil.copy(self.media / "red.png", file)
        self.home.sql(f"INSERT INTO p (id, photo) VALUES (1, '{file}')")
        self.assertEqual(file.read_bytes(), (self.media / "red.png").read_bytes())
        value = self.home.value("SELECT photo FROM p")
        file.write_bytes(b"something else now")
        result = self.home.attempt("media", "cat", value, stdin=b"")
        self.assertEqual(result.stdout, (self.media / "red.png").read_bytes())

    def test_disk_full_while_storing(self):
        """The media folder on a file system of 256 KiB: the error says so, and nothing is left."""
        mount = 'mount -t tmpfs -o size=256k tmpfs "$1/media" && shift && exec "$@"'
        wrapper = ["unshare", "--mount", "sh", "-c", mount, "sh", str(self.home.folder)]
        if os.geteuid() != 0:
            wrapper[1:1] = ["--user", "--map-root-user"]
        noise = self.home.work / "noise.png"
        noise.write_bytes(png_of_noise(500, 500))
        program, coppice.PROGRAM = coppice.PROGRAM, wrapper[0]
        try:
            result = self.home.attempt(*wrapper[1:], program, "sql",
                                       f"INSERT INTO p (id, photo) VALUES (1, '{noise}')")  # fmt: skip
        finally:
            coppice.PROGRAM = program
        if result.returncode != 1 or "full" not in result.stderr:
            raise Failed(result, "a full disk was expected")
        self.assertEqual(self.home.value("SELECT count(*) FROM p"), 0)
        self.home.sql(f"INSERT INTO p (id, photo) VALUES (1, '{noise}')")
        self.assertEqual(self.home.value("SELECT w FROM p"), 500)

    def test_killed_workers_cost_at_most_a_cell_each(self):
        """Workers are killed while rows go in: the statement succeeds; a cell that went down with
        its worker is NULL and listed, for the column says so."""
        self.home.sql("DROP TABLE p; CREATE TABLE p (id int PRIMARY KEY, photo image, w bigint "
                      "OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (width(photo)) STORED)")  # fmt: skip
        values = ", ".join(f"({i}, '{self.media}/gradient.jpg')" for i in range(1, 400))
        insert = self.home.start("sql", f"INSERT INTO p (id, photo) VALUES {values}")
        killed = 0
        while insert.poll() is None and killed < 3:
            killed += kill_one_worker(insert.pid)
            time.sleep(0.05)
        _, errors = insert.communicate(timeout=120)
        self.assertEqual(insert.returncode, 0, errors)
        (rows, computed), = self.home.values("SELECT count(*), count(w) FROM p")
        self.assertEqual(rows, 399)
        self.assertGreaterEqual(computed, 399 - killed)
        self.assertEqual(len(self.home.json_lines("errors", "p")), 399 - computed)


def kill_one_worker(parent):
    """Kills a coppice-media that is a child of `parent`; 1 when there was one. One that is just
    starting is left alone: a program that dies three times at its start is another case."""
    uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
            name = stat[stat.index("(") + 1 : stat.rindex(")")]
            fields = stat.rpartition(")")[2].split()
            age = uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")
            if int(fields[1]) == parent and "coppice-media" in name and age > 0.3:
                os.kill(int(entry.name), 9)
                return 1
        except (OSError, ValueError):
            continue
    return 0


def png_of_noise(width, height):
    """A PNG that does not compress: about width * height * 3 bytes."""
    import random
    import zlib

    from support.make_media import png_chunk

    source = random.Random(1)
    lines = b"".join(b"\x00" + source.randbytes(width * 3) for _ in range(height))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(lines))
        + png_chunk(b"IEND", b"")
    )


if __name__ == "__main__":
    tap.main()
