#!/usr/bin/python3
"""Functions of users: real workers that fail in every way that user code fails, and what their walls
keep from them."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import process_exists, wait_until  # noqa: E402

CODE = r'''
import os, pathlib, socket, struct, sys, time, zlib
import numpy
from coppice import function, scratch_file

def double(n): return 2 * n
def join(a, b, c): return f"{a}-{b}-{c}"
def size(picture): return picture.stat().st_size
def raises(n):
    if n == 3:
        raise ValueError("three is bad")
    return n
def dies(n):
    if n == 7: os.kill(os.getpid(), 9)
    return n
def hangs(n):
    if n == 5: time.sleep(600)
    return n
def prints(n):
    print("noise", n)
    sys.stdout.flush()
    os.write(1, b"\xff\xff\xff\xffgarbage")
    return n
def wrong_type(n): return str(n)
def not_utf8(n): return b"\xff".decode(errors="surrogateescape")
def huge(n): return "x" * n
def picture(width):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path = scratch_file(".of-no-meaning")
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" + b"\x80" * width)) + chunk(b"IEND", b""))
    return path
def no_picture(n):
    path = scratch_file(".png")
    path.write_text("hello, this is no picture")
    return path
def other_file(n): return "/etc/passwd"
def unit(v): return v / numpy.sqrt((v * v).sum())
def seen_pid(n): return os.getpid()
def eats(n): return len(bytearray(n))
def reach(what):
    home, action = what.split("|")
    try:
        if action == "read config": open(home + "/config.toml").read()
        if action == "write media": open(home + "/media/incoming/x", "w")
        if action == "list home": os.listdir(home)
        if action == "socket": socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if action == "unix socket": socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if action == "temporary file": scratch_file().write_text("x")
        return "reached"
    except OSError as error:
        return "refused"

@function(batched=True)
def sizes_of_batches(numbers): return [len(numbers)] * len(numbers)
@function(batched=True)
def batch_raises(numbers):
    if 3 in numbers:
        raise KeyError("three")
    return numbers
@function(batched=True)
def batch_dies(numbers):
    if 7 in numbers: os._exit(3)
    return numbers
@function(batched=True)
def slow_batch(numbers):
    time.sleep(0.7)
    return numbers
@function(batched=True)
def too_few(numbers): return numbers[1:]
'''


class Functions(coppice.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.home.work / "code.py").write_text(CODE)

    def make(self, declaration, name, settings="", language="python", replace=False):
        source = f"code.py:{name}" if language == "python" else name
        quoted = source.replace("'", "''")
        self.home.sql(
            f"CREATE {'OR REPLACE ' if replace else ''}FUNCTION {declaration} LANGUAGE {language} "
            f"STABLE AS '{quoted}' {settings}"
        )

    def refused(self, statement, words):
        result = self.home.attempt("sql", statement)
        self.assertIn(result.returncode, (1, 2, 4), result.stderr)
        self.assertIn(words, result.stderr)

    def results(self, call, count=20):
        """The cells of a column computed by `call` over n = 0 … count - 1: values, or "type: message"."""
        self.home.sql(
            "DROP TABLE IF EXISTS probe; CREATE TABLE probe (n bigint PRIMARY KEY, value text "
            f"OPTIONS (on_error 'ignore') GENERATED ALWAYS AS (({call})::text) STORED); "
            f"INSERT INTO probe SELECT generate_series(0, {count - 1})"
        )
        errors = {
            int(entry["key"].removeprefix("n = ")): f"{entry['type']}: {entry['message']}"
            for entry in self.home.json_lines("errors", "probe")
        }  # fmt: skip
        return [
            errors[n] if n in errors else value
            for n, value in self.home.values("SELECT n, value FROM probe ORDER BY n")
        ]  # fmt: skip

    def only_fails(self, call, row, pattern, count=20):
        results = self.results(call, count)
        self.assertRegex(str(results.pop(row)), pattern)
        self.assertEqual(results, [str(n) for n in range(count) if n != row])


class Python(Functions):
    def test_a_function_is_called_in_queries_and_columns(self):
        self.make("double(n bigint) RETURNS bigint", "double")
        self.assertEqual(self.home.value("SELECT double(21)"), 42)
        self.assertEqual(self.home.value("SELECT double(double(x)) FROM (VALUES (5)) v(x)"), 20)
        self.assertIsNone(self.home.value("SELECT double(NULL)"))
        self.assertEqual(self.results("double(n)", 3000)[2999], "5998")

    def test_defaults_and_named_arguments(self):
        self.make("joined(a text, b bigint DEFAULT 2, c text DEFAULT 'c') RETURNS text", "join")
        self.assertEqual(self.home.value("SELECT joined('a')"), "a-2-c")
        self.assertEqual(self.home.value("SELECT joined('a', c => 'x')"), "a-2-x")

    def test_media_come_as_files_and_go_as_files(self):
        self.make("picture(width bigint) RETURNS image", "picture")
        self.make("size(picture image) RETURNS bigint", "size")
        row = self.home.values(
            "SELECT width(picture(7)), size(picture(7)) > 60, size(resize(picture(8), 4)) > 60"
        )
        self.assertEqual(row, [[7, True, True]])
        self.home.sql(
            "CREATE TABLE made (w bigint, p image GENERATED ALWAYS AS (picture(w)) STORED);"
            "INSERT INTO made VALUES (3)"
        )
        self.assertRegex(self.home.value("SELECT p FROM made"), r"^media:[0-9a-f]{64}\.png$")
        self.assertEqual(list((self.home.folder / "scratch").iterdir()), [])

    def test_only_what_it_wrote_and_what_is_a_picture_becomes_one(self):
        self.make("no_picture(n bigint) RETURNS image", "no_picture")
        self.make("other_file(n bigint) RETURNS document", "other_file")
        self.assertIn("not an image", self.home.fail("sql", "SELECT no_picture(1)"))
        self.assertIn("not a file that it wrote", self.home.fail("sql", "SELECT other_file(1)"))

    def test_arrays_are_numpy_arrays(self):
        self.make("unit(v float8[]) RETURNS float8[]", "unit")
        self.assertEqual(self.home.value("SELECT unit(ARRAY[3, 4])"), [0.6, 0.8])
        self.assertIn("NULL", self.home.fail("sql", "SELECT unit(ARRAY[1, NULL]::float8[])"))
        self.assertIn("dimension", self.home.fail("sql", "SELECT unit('{{1},{2}}'::float8[])"))

    def test_batches_have_the_size_that_was_set(self):
        self.make("batches(n bigint) RETURNS bigint", "sizes_of_batches", "SET batch = 16 SET workers = 1")
        sizes = [int(value) for value in self.results("batches(n)", 40)]
        self.assertEqual(max(sizes), 16)
        self.assertGreater(sizes.count(16), 16)

    def test_it_runs_in_as_many_processes_as_were_set(self):
        self.make("seen_pid(n bigint) RETURNS bigint", "seen_pid", "SET workers = 1")
        self.assertEqual(len(set(self.results("seen_pid(n)", 5000))), 1)


class Faults(Functions):
    def test_an_exception_is_a_failure_of_its_row(self):
        self.make("raises(n bigint) RETURNS bigint", "raises")
        self.only_fails("raises(n)", 3, r"^exception: ValueError: three is bad \(code.py, line \d+: raise")

    def test_an_exception_in_a_batch_is_a_failure_of_its_row(self):
        self.make("batch_raises(n bigint) RETURNS bigint", "batch_raises")
        self.only_fails("batch_raises(n)", 3, r"^exception: KeyError: 'three' \(code.py, line")

    def test_a_crash_is_a_failure_of_its_row(self):
        self.make("dies(n bigint) RETURNS bigint", "dies")
        self.only_fails("dies(n)", 7, "^crash: .*killed by signal 9")

    def test_a_crash_in_a_batch_is_a_failure_of_its_row(self):
        self.make("batch_dies(n bigint) RETURNS bigint", "batch_dies", "SET batch = 16")
        self.only_fails("batch_dies(n)", 7, "^crash: .*exit code 3")

    def test_a_hang_is_a_failure_of_its_row(self):
        self.make("hangs(n bigint) RETURNS bigint", "hangs", "SET timeout = '500ms'")
        self.only_fails("hangs(n)", 5, "^timeout: .*500 ms")

    def test_what_it_prints_does_not_reach_the_engine(self):
        self.make("prints(n bigint) RETURNS bigint", "prints")
        self.assertEqual(self.results("prints(n)"), [str(n) for n in range(20)])

    def test_wrong_types_and_counts_are_failures(self):
        self.make("wrong_type(n bigint) RETURNS bigint", "wrong_type")
        self.make("too_few(n bigint) RETURNS bigint", "too_few")
        self.make("not_utf8(n bigint) RETURNS text", "not_utf8")
        for result in self.results("wrong_type(n)", 3):
            self.assertRegex(result, "^type: the function gave '[0-9]', a str, not a bigint")
        for result in self.results("too_few(n)", 3):
            self.assertRegex(result, "^count: ")
        self.assertRegex(self.results("not_utf8(n)", 1)[0], "^encoding: ")

    def test_a_result_larger_than_a_frame_is_a_failure_of_its_row(self):
        self.make("huge(n bigint) RETURNS text", "huge")
        self.only_fails("length(huge(CASE n WHEN 2 THEN 70000000 ELSE n END))", 2, "^limit: ", 5)

    def test_memory_is_limited(self):
        self.make("eats(n bigint) RETURNS bigint", "eats", "SET memory = '1GB'")
        self.only_fails("eats(CASE n WHEN 2 THEN 3000000000 ELSE n END)", 2, "^memory: ", 5)

    def test_kill_from_outside_costs_no_row(self):
        self.make("slow_batch(n bigint) RETURNS bigint", "slow_batch", "SET workers = 1")
        engine = self.home.start("sql", "SELECT sum(n) FROM (SELECT slow_batch(x) AS n FROM "
                                 "generate_series(1, 4) x) s", "--csv")  # fmt: skip
        wait_until(lambda: workers_of(engine.pid), "no worker was started")
        time.sleep(0.6)
        for pid in workers_of(engine.pid):
            os.kill(pid, signal.SIGKILL)
        output, errors = engine.communicate(timeout=60)
        self.assertEqual(output.split(), ["sum", "10"], errors)

    def test_workers_die_with_their_engine(self):
        self.make("hangs2(n bigint) RETURNS bigint", "hangs")
        engine = self.home.start("sql", "SELECT hangs2(5)")
        self.addCleanup(lambda: [pipe.close() for pipe in (engine.stdout, engine.stderr)])
        wait_until(lambda: workers_of(engine.pid), "no worker was started")
        workers = workers_of(engine.pid)
        engine.send_signal(signal.SIGKILL)
        engine.wait()
        wait_until(lambda: not any(process_exists(pid) for pid in workers), "a worker lives on")


def workers_of(pid):
    """The Python workers that a process has started."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == pid and b"coppice_worker.py" in words:
            found.append(int(folder.name))
    return found


class Walls(Functions):
    private = True

    def reached(self, function, *actions):
        home = self.home.folder
        return {
            action: self.home.value(f"SELECT {function}('{home}|{action}')") for action in actions
        }  # fmt: skip

    def test_user_code_reaches_what_it_needs_and_no_more(self):
        self.make("reach(what text) RETURNS text", "reach")
        self.assertEqual(
            self.reached("reach", "read config", "write media", "list home", "socket", "unix socket",
                         "temporary file"),
            {"read config": "refused", "write media": "refused", "list home": "refused",
             "socket": "refused", "unix socket": "refused", "temporary file": "reached"},
        )  # fmt: skip

    def test_the_network_is_there_when_it_is_asked_for(self):
        self.make("reach_net(what text) RETURNS text", "reach", "SET network = on")
        self.assertEqual(
            self.reached("reach_net", "socket", "unix socket", "read config"),
            {"socket": "reached", "unix socket": "refused", "read config": "refused"},
        )


class Commands(Functions):
    def test_arguments_are_words_and_no_shell_reads_them(self):
        self.make("said(t text) RETURNS text", "echo {0}", language="command")
        text = "a  b; $(touch /tmp/x) 'q' > *"
        self.assertEqual(
            self.home.json_lines("sql", "SELECT said($t) AS said", "-p", f"t={text}"),
            [{"said": text}],
        )

    def test_output_is_read_by_the_type(self):
        self.make("number(t text) RETURNS bigint", "echo {0}", language="command")
        self.assertEqual(self.home.value("SELECT number('12')"), 12)
        self.assertIn("'twelve' is not a bigint", self.home.fail("sql", "SELECT number('twelve')"))
        self.make("raw() RETURNS text", r"printf '\377'", language="command")
        self.assertIn("not UTF-8", self.home.fail("sql", "SELECT raw()"))
        self.make("nul() RETURNS text", r"printf 'a\0b'", language="command")
        self.assertIn("NUL", self.home.fail("sql", "SELECT nul()"))

    def test_a_failing_program_is_a_failure_of_its_row(self):
        program = self.home.work / "check.sh"
        program.write_text("#!/bin/sh\n[ $1 = 3 ] && { echo first; echo no threes >&2; exit 4; }\necho $1\n")
        program.chmod(0o755)
        self.make("checked(n bigint) RETURNS bigint", "./check.sh {0}", language="command")
        self.only_fails("checked(n)", 3, "^exit: check.sh ended with exit code 4: no threes$")
        # The home runs its copy.
        program.unlink()
        self.assertEqual(self.home.value("SELECT checked(5)"), 5)

    def test_a_hanging_program_is_ended(self):
        self.make("asleep(s text) RETURNS text", "sleep {0}", "SET timeout = '300ms'", "command")
        begin = time.monotonic()
        self.assertIn("did not end within 0.3 s", self.home.fail("sql", "SELECT asleep('600')"))
        self.assertLess(time.monotonic() - begin, 10)

    def test_a_program_writes_media_to_the_file_that_it_is_given(self):
        self.make("noted(t text) RETURNS document", "sh -c 'echo \"$0\" > \"$1\"' {0} {out}", language="command")
        self.assertEqual(self.home.value("SELECT text(noted('a  note'))"), "a  note\n")
        self.make("nothing() RETURNS image", "true {out}", language="command")
        self.assertIn("wrote no file", self.home.fail("sql", "SELECT nothing()"))

    def test_commands_that_cannot_be_are_refused(self):
        for source, words in (
            ("nosuchprogram {0}", "no program"), ("echo {1}", "{1}"), ("echo hi", "does not use"),
            ("echo ''{0}", "never closed"), ("{0}", "the program itself"), ("./check2.sh {0}", "not there"),
            ("echo {0} {out}", "no media"),
        ):  # fmt: skip
            with self.subTest(source=source):
                statement = f"CREATE FUNCTION bad(t text) RETURNS text LANGUAGE command AS '{source}'"
                self.refused(statement, words)


class Code(Functions):
    def test_new_code_is_noticed_used_when_told_and_recomputed_when_told(self):
        file = self.home.work / "shout.py"
        file.write_text("def shout(t): return t + '!'\n")
        create = (
            "CREATE OR REPLACE FUNCTION shout(t text) RETURNS text LANGUAGE python STABLE "
            "AS 'shout.py:shout'"
        )
        self.home.sql(
            f"{create}; CREATE TABLE s (a text, b text GENERATED ALWAYS AS (shout(a)) STORED); "
            "INSERT INTO s VALUES ('x')"
        )
        self.assertIsNone(self.listed("shout")["state"])
        file.write_text("def shout(t): return t + '?'\n")
        self.assertIn("has changed since", self.listed("shout")["state"])
        self.assertIn("has changed since", self.home.run("doctor"))
        self.assertEqual(self.home.status()["stale_functions"], ["public.shout(text)"])
        self.assertRegex(self.home.run("status"), r"(?m)^stale +public\.shout\(text\): .* has changed since")
        self.home.sql("INSERT INTO s VALUES ('y')")
        self.assertEqual(self.shouted(), ["x!", "y!"])
        notice = self.home.attempt("sql", create).stderr
        self.assertIn("coppice recompute s b", notice)
        self.home.sql("INSERT INTO s VALUES ('z')")
        self.assertEqual(self.shouted(), ["x!", "y!", "z?"])
        self.assertIn("s.b is of version 1", self.listed("shout")["state"])
        self.assertIn("stale", self.home.attempt("describe", "s").stderr)
        self.home.run("recompute", "s", "b")
        self.assertEqual(self.shouted(), ["x?", "y?", "z?"])
        self.assertIsNone(self.listed("shout")["state"])
        self.assertEqual(self.home.status()["stale_functions"], [])
        # Settings alone make nothing stale.
        self.home.sql(create + " SET workers = 1")
        self.assertIsNone(self.listed("shout")["state"])

    def shouted(self):
        return [b for (b,) in self.home.values("SELECT b FROM s ORDER BY a")]

    def listed(self, name):
        (entry,) = (
            f for f in self.home.json_lines("functions") if f["function"].startswith(name + "(")
        )  # fmt: skip
        return entry

    def test_a_function_in_use_cannot_be_dropped(self):
        self.make("used(n bigint) RETURNS bigint", "double")
        self.home.sql("CREATE TABLE u (a bigint, b bigint GENERATED ALWAYS AS (used(a)) STORED);"
                      "CREATE VIEW v AS SELECT used(a) AS x FROM u")  # fmt: skip
        error = self.home.fail("sql", "DROP FUNCTION used(bigint)", code=5)
        self.assertRegex(error, "column u.b, view v")
        self.home.sql("DROP VIEW v; DROP TABLE u; DROP FUNCTION used")
        self.assertIn("does not exist", self.home.fail("sql", "SELECT used(1)", code=4))
        self.home.sql("DROP FUNCTION IF EXISTS used(bigint)")

    def test_another_process_sees_a_changed_function(self):
        file = self.home.work / "other.py"
        file.write_text("def f(n): return n + 1\n")
        create = "CREATE OR REPLACE FUNCTION other(n bigint) RETURNS bigint LANGUAGE python AS 'other.py:f'"
        self.home.sql(create)
        shell = subprocess.Popen(
            [coppice.PROGRAM, "shell", "--csv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=self.home.process_environment(),
        )  # fmt: skip

        def ask():
            shell.stdin.write("SELECT other(1) AS answer;\n")
            shell.stdin.flush()
            while (line := shell.stdout.readline()) and line.strip() != "answer":
                pass
            return shell.stdout.readline().strip()

        with shell:
            self.assertEqual(ask(), "2")
            file.write_text("def f(n): return n + 10\n")
            self.home.sql(create)
            self.assertEqual(ask(), "11")
            shell.stdin.close()

    def test_statements_that_cannot_be_are_refused(self):
        begin = "CREATE FUNCTION bad(n bigint) RETURNS bigint LANGUAGE python"
        for statement, words in (
            (f"{begin} AS 'code.py:doubel'", "no function doubel"),
            (f"{begin} AS 'nothing.py:f'", "no file"),
            (f"{begin} AS 'code.py'", "names no function"),
            (f"{begin} AS 'code.py:join'", "cannot be called with 1 argument"),
            (f"{begin} AS 'code.py:double' SET bacth = 3", "batch"),
            (f"{begin} AS 'code.py:double' SET timeout = 30", "unit"),
            (f"{begin} AS 'code.py:double' SET gpu = '77'", "no device"),
            (f"{begin} COST 100 AS 'code.py:double'", "COST"),
            (f"{begin} SECURITY DEFINER AS 'code.py:double'", "SECURITY DEFINER"),
            (f"{begin} CALLED ON NULL INPUT AS 'code.py:double'", "NULL INPUT"),
            (begin.replace("bad", "width") + " AS 'code.py:double'", "engine function"),
            (begin.replace("bad", "lower") + " AS 'code.py:double'", "PostgreSQL"),
            (begin.replace("bigint)", "numeric)") + " AS 'code.py:double'", "float8"),
            (begin.replace("RETURNS", "RETURNS SETOF") + " AS 'code.py:double'", "one value"),
            (begin.replace("python", "pyhton") + " AS 'code.py:double'", "python"),
        ):
            with self.subTest(statement=statement):
                self.refused(statement, words)


class Schema(Functions):
    def test_a_dump_makes_the_same_functions_again(self):
        self.make("kept(n bigint) RETURNS bigint", "double", "SET batch = 8 SET timeout = '10s'")
        self.make("told(t text DEFAULT 'x') RETURNS text", "echo {0}", language="command")
        self.home.sql(
            "CREATE FUNCTION slug(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';"
            "CREATE TABLE d (a bigint, b bigint GENERATED ALWAYS AS (kept(a)) STORED, c text, "
            "s text GENERATED ALWAYS AS (slug(c)) STORED);"
            "CREATE FUNCTION many() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM d';"
            "COMMENT ON FUNCTION kept(bigint) IS 'twice'; INSERT INTO d VALUES (1, 'A')"
        )
        self.assertEqual(self.home.values("SELECT b, s, many() FROM d"), [[2, "a", 1]])
        dump = self.home.run("schema", "dump")
        file = self.home.work / "dump.sql"
        file.write_text(dump)
        self.assertIn("nothing to do", self.home.attempt("apply", file).stderr)
        other = coppice.Home.make(self)
        other.work = self.home.work
        other.run("apply", file)
        self.assertEqual(other.run("schema", "dump"), dump)
        other.sql("INSERT INTO d VALUES (4, 'B')")
        self.assertEqual(other.values("SELECT b, s, many() FROM d"), [[8, "b", 1]])
        self.assertEqual(re.search(r"SET timeout = '(\w+)'", dump)[1], "10s")


if __name__ == "__main__":
    tap.main()
