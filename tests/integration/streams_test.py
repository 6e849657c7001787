#!/usr/bin/python3
"""Standard streams that are closed, full or left, and Ctrl-C in the middle of things."""

import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import wait_until  # noqa: E402


class Streams(coppice.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.sql("CREATE TABLE t (id int PRIMARY KEY)")

    def run_closed(self, redirection, *arguments):
        """Runs coppice with `redirection` of a shell; returns its exit code and standard error."""
        command = ["sh", "-c", f'exec "$0" "$@" {redirection}', coppice.PROGRAM, *arguments]
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=60, cwd=self.home.work,
            env=self.home.process_environment(),
        )  # fmt: skip
        return result.returncode, result.stderr

    def test_a_closed_stream_is_an_error_where_it_is_used(self):
        for redirection, arguments, named in (
            (">&-", ("sql", "SELECT 1"), "standard output"),
            ("<&-", ("sql",), "standard input"),
            ("<&-", ("insert", "t", "--from", "-"), "standard input"),
            ("<&-", ("shell",), "standard input"),
        ):
            with self.subTest(arguments=arguments):
                code, errors = self.run_closed(redirection, *arguments)
                self.assertEqual(code, 1, errors)
                self.assertIn(named, errors)

    def test_a_closed_stream_disturbs_nothing_that_does_not_use_it(self):
        self.assertEqual(self.run_closed("<&-", "sql", "SELECT 1")[0], 0)
        self.assertEqual(self.run_closed("<&- 2>&-", "sql", "INSERT INTO t VALUES (1)")[0], 0)
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 1)

    def test_errors_that_cannot_be_written_keep_their_exit_code(self):
        for redirection in ("2>&-", "2>/dev/full"):
            self.assertEqual(self.run_closed(redirection, "sql", "SELECT 1 / 0")[0], 1)
            self.assertEqual(self.run_closed(redirection, "describe", "nowhere")[0], 4)
            # The first statement gives a notice, which nobody can read.
            code, _ = self.run_closed(redirection, "sql", "CREATE TABLE IF NOT EXISTS t (id int); "
                                      "INSERT INTO t SELECT max(id) + 1 FROM t")  # fmt: skip
            self.assertEqual(code, 0)

    def test_a_full_disk_under_the_results_is_an_error(self):
        code, errors = self.run_closed(">/dev/full", "sql", "SELECT 1")
        self.assertEqual(code, 1)
        self.assertIn("standard output", errors)

    def test_a_reader_that_leaves_ends_a_query_early(self):
        begin = time.monotonic()
        code, errors = self.run_closed("| head -1", "sql", "--csv",
                                       "SELECT generate_series(1, 2000000000) AS i")  # fmt: skip
        self.assertEqual((code, errors), (0, ""))
        self.assertLess(time.monotonic() - begin, 50)


class Interrupts(coppice.TestCase):
    """Ctrl-C ends what runs soon, with code 130; what was not published is as if never begun."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.media = coppice.media_folder(cls)
        cls.home.sql("CREATE TABLE plain (id int PRIMARY KEY, a text)")
        cls.home.sql("CREATE TABLE photos (id int PRIMARY KEY, photo image, "
                     "w bigint GENERATED ALWAYS AS (width(photo)) STORED)")  # fmt: skip

    def sleeps(self):
        """A query sleeps in the database."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        return self.home.value(query) > 0

    def works(self):
        """An operation runs."""
        return any(job["state"] == "running" for job in self.home.json_lines("jobs"))

    def interrupt(self, *arguments, when):
        """Starts coppice and interrupts it at that moment; returns standard error."""
        process = self.home.start(*arguments, start_new_session=True)
        wait_until(lambda: process.poll() is not None or when(), "the statement did not begin")
        if process.poll() is not None:
            self.fail(f"it ended by itself: {process.stderr.read()}")
        os.kill(process.pid, signal.SIGINT)
        begin = time.monotonic()
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertLess(time.monotonic() - begin, 5, "it took too long to end")
        self.assertIn("interrupted", errors)
        return errors

    def test_a_query_that_has_no_row_yet(self):
        self.interrupt("sql", "SELECT pg_sleep(40)", when=self.sleeps)

    def test_a_query_with_engine_functions_that_has_no_row_yet(self):
        self.home.sql(f"INSERT INTO photos (id, photo) VALUES (0, '{self.media}/red.png')")
        self.interrupt("sql", "SELECT width(photo) FROM photos, pg_sleep(40)", when=self.sleeps)
        self.home.sql("DELETE FROM photos")

    def test_a_copy_to_a_file(self):
        file = self.home.work / "out.csv"
        self.interrupt("sql", f"COPY (SELECT pg_sleep(40)) TO '{file}'", when=self.sleeps)
        self.assertFalse(file.exists())

    def test_an_insert(self):
        self.home.sql("DELETE FROM plain")
        self.interrupt("sql", "INSERT INTO plain SELECT i, 'x' FROM "
                       "generate_series(1, 40) AS i WHERE pg_sleep(1) IS NOT NULL",
                       when=self.works)  # fmt: skip
        self.assertEqual(self.home.value("SELECT count(*) FROM plain"), 0)
        self.home.sql("INSERT INTO plain VALUES (1, 'a')")

    def makes(self):
        """Another session has made a table and not committed it."""
        query = ("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' "
                 "AND locktype = 'relation' AND pid <> pg_backend_pid()")  # fmt: skip
        return self.home.value(query) > 0

    def test_a_table_made_from_a_query(self):
        self.interrupt("sql", "CREATE TABLE made AS SELECT i FROM generate_series(1, 40) AS i "
                       "WHERE pg_sleep(1) IS NOT NULL", when=self.makes)  # fmt: skip
        killed = self.home.attempt("sql", "CREATE TABLE made AS SELECT 1 AS i",
                                   environment={"COPPICE_CRASH_AT": "direct.before_commit"})  # fmt: skip
        self.assertLess(killed.returncode, 0)
        self.home.sql("CREATE TABLE made AS SELECT 1 AS i")
        self.assertEqual(self.home.value("SELECT count(*) FROM made"), 1)
        self.assertEqual(self.home.versions("made"), [0, 1])

    def test_a_fill(self):
        self.home.sql("DELETE FROM plain")
        self.home.sql("INSERT INTO plain SELECT i, 'x' FROM generate_series(1, 40000) AS i")
        errors = self.interrupt(
            "sql", "ALTER TABLE plain ADD COLUMN slow text GENERATED ALWAYS AS "
            "(CASE WHEN id % 1000 = 0 THEN md5(repeat(a, 100000000)) END) STORED",
            when=self.works,
        )  # fmt: skip
        self.assertIn("goes on with it", errors)
        (job,) = [job for job in self.home.json_lines("jobs") if job["kind"] == "add column"]
        self.home.run("jobs", "discard", job["id"], "--yes")
        self.assertEqual(self.home.value("SELECT count(*) FROM plain"), 40000)

    def test_a_pipe_into_insert(self):
        process = subprocess.Popen(
            [coppice.PROGRAM, "insert", "plain", "--from", "-", "--format", "csv"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.home.process_environment(),
        )  # fmt: skip
        before = self.home.value("SELECT count(*) FROM plain")
        process.stdin.write("id,a\n" + "".join(f"{i + 10**6},x\n" for i in range(50_000)))
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(self.home.value("SELECT count(*) FROM plain"), before)


if __name__ == "__main__":
    tap.main()
