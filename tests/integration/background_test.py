#!/usr/bin/python3
"""Background jobs: they outlive their shell, their process and their server."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.jobs import ROWS, Jobs  # noqa: E402


class Background(Jobs):
    def begin(self, *arguments, **options):
        """The id of a job that is started in the background."""
        began = time.monotonic()
        result = self.home.attempt(*arguments, "--background", "--json", **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertLess(time.monotonic() - began, 8)
        return json.loads(result.stdout)["job"]

    def column(self, function="slow"):
        return (f"ALTER TABLE {self.table} ADD COLUMN twice bigint "
                f"GENERATED ALWAYS AS ({function}(id)) STORED")  # fmt: skip

    def process_of(self, job):
        """The process that runs it."""
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                log = os.readlink(folder / "fd/2")
                if log.endswith(f"/log/jobs/{job}.log") and (folder / "exe").resolve().name == "coppice":
                    return int(folder.name)
            except OSError:
                continue
        return None

    def kill(self, job):
        os.kill(self.process_of(job), signal.SIGKILL)
        coppice.wait_until(lambda: self.process_of(job) is None, "it lives on")
        coppice.wait_until(lambda: self.show(job)["state"] == "interrupted", "it still runs")

    def test_a_job_outlives_its_shell_and_is_waited_for(self):
        self.fill_rows()
        shell = subprocess.run(
            ["sh", "-c", f"exec setsid sh -c '\"$0\" sql --background \"{self.column()}\"; kill -9 0' \"$0\"",
             coppice.PROGRAM],
            cwd=self.home.work, env=self.home.process_environment(), capture_output=True, text=True,
        )  # fmt: skip
        job = shell.stdout.strip()
        self.assertRegex(job, r"^\d+-\d+$", shell.stderr)
        shown = self.show(job)
        self.assertEqual((shown["state"], shown["background"]), ("running", True))
        process = self.process_of(job)
        self.assertEqual(os.getsid(process), process)
        left_open = [os.readlink(f"/proc/{process}/fd/{fd}") for fd in os.listdir(f"/proc/{process}/fd")]
        self.assertFalse([name for name in left_open if name.startswith("/dev/pts")], left_open)
        self.assertIn("still runs after", self.home.fail("jobs", "wait", job, "--timeout", "0.5", code=1))
        self.home.run("jobs", "wait", job)
        self.assertIsNone(self.process_of(job))
        self.check_twice()
        self.assertIn("ALTER TABLE", self.show(job)["log"])

    def test_what_is_wrong_with_the_statement_is_told_at_once(self):
        for statement, code, told in [
            ("ALTER TABLE nowhere ADD COLUMN a int", 4, "nowhere"),
            (f"INSERT INTO {self.table} (id) SELECT nope FROM {self.table}", 4, "nope"),
            (f"ALTER TABLE {self.table} ADD COLUMN b bigint GENERATED ALWAYS AS (slow(idd)) STORED", 4, "idd"),
            ("SELEC 1", 1, "SELEC"),
            ("SELECT 1", 1, "cannot run in the background"),
            (f"DELETE FROM {self.table}; DELETE FROM {self.table}", 1, "is one statement"),
        ]:
            with self.subTest(statement):
                self.assertIn(told, self.home.fail("sql", "--background", statement, code=code))
                self.assertEqual([job["state"] for job in self.jobs() if job["state"] == "running"], [])
        for arguments in (["sql"], ["sql", "-f", "-"], ["insert", self.table, "--from", "-"]):
            self.assertIn("standard input", self.home.fail(*arguments, "--background", code=2))
        self.assertEqual(list((self.home.folder / "log/jobs").glob("starting*")), [])

    def test_a_statement_that_fails_later_is_told_by_wait(self):
        self.fill_rows(3000)
        self.home.sql("CREATE OR REPLACE FUNCTION picky(n bigint) RETURNS bigint IMMUTABLE LANGUAGE sql "
                      "AS 'SELECT 1 / (2999 - n) FROM pg_sleep(0.002)'")  # fmt: skip
        job = self.begin("sql", self.column("picky"))
        self.assertIn("division by zero", self.home.fail("jobs", "wait", job, code=1))
        self.assertIn("division by zero", self.show(job)["message"])
        self.assertIn("division by zero", self.show(job)["log"])
        self.assertEqual(self.left_behind(), [])

    def test_relative_files_are_those_of_the_working_directory(self):
        (self.home.work / "rows.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(500)))
        self.home.run("jobs", "wait", self.begin("insert", self.table, "--from", "rows.csv"))
        self.assertEqual(self.home.value(f"SELECT count(*) FROM {self.table}"), 500)

    def test_a_killed_job_goes_on_with_the_next_command(self):
        self.fill_rows()
        job = self.begin("sql", self.column())
        self.await_running(512)
        self.kill(job)
        done = self.show(job)["rows_done"]
        self.home.sql("SELECT 1")
        self.home.run("jobs", "wait", job)
        self.check_twice()
        self.assertGreaterEqual(done, 512)
        self.assertEqual(self.show(job)["rows_done"], ROWS)

    def test_a_paused_job_stays_paused_and_is_resumed_in_the_background(self):
        self.fill_rows()
        job = self.begin("sql", self.column())
        self.await_running(1)
        self.home.run("jobs", "pause", job)
        coppice.wait_until(lambda: self.process_of(job) is None, "it still runs")
        self.home.sql("SELECT 1")
        self.home.run("jobs", "resume", "--all")
        self.assertEqual(self.show(job)["state"], "paused")
        self.assertEqual(self.home.attempt("jobs", "wait", job).returncode, 3)
        self.assertEqual(self.begin("jobs", "resume", job), job)
        self.home.run("jobs", "wait", job)
        self.check_twice()

    def test_a_cancelled_job_leaves_nothing(self):
        self.fill_rows()
        job = self.begin("sql", self.column())
        self.await_running(1)
        self.home.run("jobs", "cancel", job, "--yes")
        self.assertEqual(self.home.attempt("jobs", "wait", job).returncode, 130)
        self.assertEqual(self.left_behind(), [])

    def test_a_job_that_has_kept_nothing_is_run_anew(self):
        """One transaction, killed: the next command runs it again, once."""
        self.home.sql(f"ALTER TABLE {self.table} ADD COLUMN n bigint")
        job = self.begin("sql", f"INSERT INTO {self.table} (id, n) SELECT i, slow_sql(i) "
                         "FROM generate_series(1, 12000) i")  # fmt: skip
        self.kill(job)
        self.home.run("jobs", "wait", job)
        self.assertEqual(self.home.value(f"SELECT count(*) FROM {self.table}"), 12000)
        first, second = sorted(self.jobs(), key=lambda entry: int(entry["id"].split("-")[1]))[-2:]
        self.assertEqual((first["id"], first["state"]), (job, "discarded"))
        self.assertIn(second["id"], first["message"])
        self.assertEqual(second["state"], "published")

    def test_a_table_that_is_made_from_a_query_gets_its_rows_after_all(self):
        """Killed while the table is there and has no row yet, and when its rows wait to be published."""
        self.fill_rows(600)
        for point in (None, "stage.sources"):
            with self.subTest(point=point):
                made = f"{self.table}_{'rows' if point else 'none'}"
                crash = {"environment": {"COPPICE_CRASH_AT": point}} if point else {}
                job = self.begin("sql", f"CREATE TABLE {made} AS SELECT id, slow(id) AS twice FROM {self.table}",
                                 **crash)  # fmt: skip
                if point:
                    coppice.wait_until(lambda: self.process_of(job) is None, "it still runs")
                else:
                    os.kill(self.process_of(job), signal.SIGKILL)
                    coppice.wait_until(lambda: self.process_of(job) is None, "it lives on")
                    self.assertEqual(self.home.value(f"SELECT count(*) FROM {made}"), 0)
                self.home.run("jobs", "wait", job)
                self.assertEqual(
                    self.home.values(f"SELECT count(*), count(*) FILTER (WHERE twice = 2 * id) FROM {made}"),
                    [[600, 600]],
                )

    def test_a_job_that_ends_its_process_again_and_again_is_given_up(self):
        self.fill_rows()
        crash = {"COPPICE_CRASH_AT": "fill.range_computed"}
        job = self.begin("sql", self.column(), environment=crash)
        states = []
        for _ in range(8):
            coppice.wait_until(lambda: self.process_of(job) is None, "it still runs")
            coppice.wait_until(lambda: self.show(job)["state"] == "interrupted", "no state")
            states.append(self.show(job)["message"])
            if "by itself any more" in states[-1]:
                break
            time.sleep(5.2)  # a start is given time
            self.home.attempt("sql", "SELECT 1", environment=crash)
            time.sleep(1)
        self.assertIn("by itself any more", states[-1])
        self.home.sql("SELECT 1")
        time.sleep(1)
        self.assertEqual(self.show(job)["state"], "interrupted")
        self.home.run("jobs", "resume", job)
        self.check_twice()

    def test_all_jobs_survive_the_end_of_the_server_and_of_themselves(self):
        self.fill_rows()
        fill = self.begin("sql", self.column())
        self.await_running(512)
        process = self.process_of(fill)
        self.home.kill_server()
        os.kill(process, signal.SIGKILL)
        coppice.wait_until(lambda: not coppice.process_exists(process), "it lives on")
        self.home.run("jobs", "resume", "--all")
        self.home.run("jobs", "wait", fill)
        self.check_twice()


if __name__ == "__main__":
    tap.main()
