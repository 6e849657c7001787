#!/usr/bin/python3
"""Jobs: progress, pause, cancel and resume of what another process runs."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402

# 512 rows a batch, 2 workers: a batch takes 2.5 seconds, a row 5 ms.
CODE = """
import time

def slow(n):
    time.sleep(0.01)
    return 2 * n
"""
SLOW_SQL = "CREATE FUNCTION slow_sql(n bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS " \
           "'SELECT 2 * n FROM pg_sleep(0.0002)'"  # fmt: skip
ROWS = 1500


class Jobs(coppice.TestCase):
    private = True  # its server is killed, and its sessions are looked at
    number = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.home.work / "code.py").write_text(CODE)
        cls.home.sql("CREATE FUNCTION slow(n bigint) RETURNS bigint LANGUAGE python VOLATILE "
                     "AS 'code.py:slow' SET workers = 2 SET batch = 32")  # fmt: skip
        cls.home.sql(SLOW_SQL)

    def setUp(self):
        Jobs.number += 1
        self.table = f"t{Jobs.number}"
        self.home.sql(f"CREATE TABLE {self.table} (id bigint PRIMARY KEY)")

    def fill_rows(self, rows=ROWS):
        self.home.sql(f"INSERT INTO {self.table} SELECT i FROM generate_series(1, {rows}) i")

    def add_column(self, function="slow"):
        return self.start("sql", f"ALTER TABLE {self.table} ADD COLUMN twice bigint "
                          f"GENERATED ALWAYS AS ({function}(id)) STORED")  # fmt: skip

    def start(self, *arguments, **options):
        process = self.home.start(*arguments, **options)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def jobs(self):
        return [job for job in self.home.json_lines("jobs", "list", "--all")
                if job["table"] == f"public.{self.table}" and job["kind"] != "create table"]  # fmt: skip

    def newest(self):
        return max(self.jobs(), key=lambda job: int(job["id"].split("-")[1]))

    def show(self, job):
        (row,) = self.home.json_lines("jobs", "show", job)
        return row

    def await_running(self, rows=1, process=None):
        """The job, once it has done so many rows."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if process is not None and process.poll() is not None:
                self.fail(f"it ended: {process.communicate()}")
            for job in self.jobs():
                if job["state"] != "running":
                    continue
                if rows == 0 or (self.show(job["id"])["rows_done"] or 0) >= rows:
                    return job["id"]
            time.sleep(0.05)
        self.fail(f"nothing runs: {self.jobs()}")

    def check_twice(self, rows=ROWS):
        self.assertEqual(self.home.values(f"SELECT count(*), count(*) FILTER (WHERE twice = 2 * id) "
                                          f"FROM {self.table}"), [[rows, rows]])  # fmt: skip

    def left_behind(self):
        """Staging tables and hidden columns of the table."""
        tree = self.home.value(f"SELECT tree_id FROM coppice.tables WHERE table_name = '{self.table}'")
        return self.home.values(
            f"SELECT relname::text FROM pg_class WHERE relname ~ '^s{tree}_' AND relkind = 'r' "
            "UNION ALL SELECT c.name FROM coppice.columns c JOIN coppice.tables t USING (table_id) "
            f"WHERE t.table_name = '{self.table}' AND c.state = 'filling'"
        )


class Fills(Jobs):
    def test_a_paused_fill_keeps_its_rows_and_waits_for_its_user(self):
        for function, rows in (("slow", ROWS), ("slow_sql", 25_000)):
            with self.subTest(function):
                self.setUp()
                self.fill_rows(rows)
                process = self.add_column(function)
                job = self.await_running(512, process)
                began = time.monotonic()
                self.home.run("jobs", "pause", job)
                self.assertLess(time.monotonic() - began, 10)
                _, errors = process.communicate(timeout=30)
                self.assertEqual(process.returncode, 3, errors)
                self.assertIn(f"job {job} was paused by", errors)
                self.assertIn(f"coppice jobs resume {job}", errors)
                done = self.show(job)
                self.assertEqual(done["state"], "paused")
                self.assertGreaterEqual(done["rows_done"], 512)
                # No statement takes it up, and it stands in nobody's way.
                self.home.sql(f"INSERT INTO {self.table} VALUES ({rows + 1})")
                self.assertEqual(self.show(job)["state"], "paused")
                self.assertIn("paused already", self.home.fail("jobs", "pause", job, code=5))
                self.home.run("jobs", "resume", job)
                self.assertEqual(self.show(job)["state"], "published")
                self.assertEqual(self.show(job)["rows_done"], rows)
                self.check_twice(rows + 1)
                for verb in ("pause", "cancel", "resume"):
                    yes = ["--yes"] if verb == "cancel" else []
                    self.assertIn("is over (published)",
                                  self.home.fail("jobs", verb, job, *yes, code=5))  # fmt: skip

    def test_a_cancelled_fill_leaves_nothing(self):
        self.fill_rows()
        process = self.add_column()
        job = self.await_running(512, process)
        self.home.run("jobs", "cancel", job, "--yes")
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn(f"job {job} was cancelled by", errors)
        self.assertEqual(self.show(job)["state"], "cancelled")
        self.assertEqual(self.left_behind(), [])
        self.home.sql(f"ALTER TABLE {self.table} ADD COLUMN twice bigint DEFAULT 7")

    def test_a_paused_fill_is_cancelled_and_an_interrupted_one_paused(self):
        self.fill_rows()
        process = self.add_column()
        job = self.await_running(1, process)
        process.kill()
        process.wait()
        coppice.wait_until(lambda: self.show(job)["state"] == "interrupted", "it still runs")
        self.home.run("jobs", "pause", job)
        self.home.sql("SELECT 1")
        self.assertEqual(self.show(job)["state"], "paused")
        self.home.run("jobs", "cancel", job, "--yes")
        self.assertEqual(self.show(job)["state"], "cancelled")
        self.assertEqual(self.left_behind(), [])

    def test_progress_is_that_of_the_last_moments(self):
        self.fill_rows()
        process = self.start("sql", "--progress", f"ALTER TABLE {self.table} ADD COLUMN twice bigint "
                             "GENERATED ALWAYS AS (slow(id)) STORED")  # fmt: skip
        job = self.await_running(512, process)
        seen = self.show(job)
        self.assertEqual(seen["rows_total"], ROWS)
        self.assertGreater(float(seen["rows_per_second"]), 40)
        self.assertLess(float(seen["rows_per_second"]), 250)
        left = (ROWS - seen["rows_done"]) / float(seen["rows_per_second"])
        self.assertLess(abs(seen["seconds_left"] - left), 3)
        (listed,) = [entry for entry in self.jobs() if entry["id"] == job]
        self.assertRegex(listed["progress"], rf"\d+ of {ROWS}")
        self.assertGreater(float(listed["rows_per_second"]), 0)
        _, errors = process.communicate(timeout=60)
        told = [json.loads(line)["progress"] for line in errors.splitlines() if '"progress"' in line]
        self.assertTrue(any(40 < step.get("rows_per_second", 0) < 250 for step in told), told)
        self.assertIsNone(self.show(job)["rows_per_second"])

    def test_of_two_that_resume_at_once_one_does(self):
        self.fill_rows()
        process = self.add_column()
        job = self.await_running(1, process)
        self.home.run("jobs", "pause", job)
        process.communicate(timeout=30)
        both = [self.start("jobs", "resume", job) for _ in range(2)]
        ended = [(p.communicate(timeout=60), p.returncode)[1] for p in both]
        self.assertIn(0, ended)
        self.assertEqual(len([code for code in ended if code in (0, 1, 5)]), 2, ended)
        self.check_twice()
        self.assertEqual(self.show(job)["rows_done"], ROWS)


class Writes(Jobs):
    def setUp(self):
        super().setUp()
        self.home.sql(f"ALTER TABLE {self.table} ADD COLUMN twice bigint "
                      "GENERATED ALWAYS AS (slow(id)) STORED")  # fmt: skip

    def insert(self, rows=ROWS):
        return self.start("sql", f"INSERT INTO {self.table} (id) SELECT i FROM generate_series(1, {rows}) i")

    def test_a_paused_insert_goes_on(self):
        process = self.insert()
        job = self.await_running(512, process)
        self.home.run("jobs", "pause", job)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 3, errors)
        done = self.show(job)["rows_done"]
        self.assertGreaterEqual(done, 512)
        self.assertEqual(self.home.value(f"SELECT count(*) FROM {self.table}"), 0)
        self.home.run("jobs", "resume", job)
        self.check_twice()
        self.assertEqual([self.show(job)[k] for k in ("rows_done", "rows_total")], [ROWS, ROWS])

    def test_a_cancelled_insert_leaves_nothing(self):
        for resumed in (False, True):
            with self.subTest(resumed=resumed):
                process = self.insert()
                job = self.await_running(1, process)
                if resumed:
                    self.home.run("jobs", "pause", job)
                    process.communicate(timeout=30)
                    process = self.start("jobs", "resume", job)
                    self.await_running(0, process)
                self.home.run("jobs", "cancel", job, "--yes")
                _, errors = process.communicate(timeout=30)
                self.assertEqual(process.returncode, 130, errors)
                self.assertEqual(self.show(job)["state"], "cancelled")
                self.assertEqual(self.left_behind(), [])
                self.assertEqual(self.home.value(f"SELECT count(*) FROM {self.table}"), 0)

    def test_cancel_meets_the_moment_of_publishing(self):
        """Either all of the rows or none, and the job says which."""
        states = set()
        for attempt in range(12):
            first = attempt * 100
            process = self.start("sql", f"INSERT INTO {self.table} (id) SELECT i FROM "
                                 f"generate_series({first}, {first + 39}) i")  # fmt: skip
            job = self.await_running(0, process)
            time.sleep(attempt * 0.03)
            cancel = self.home.attempt("jobs", "cancel", job, "--yes")
            process.communicate(timeout=30)
            state = self.show(job)["state"]
            states.add(state)
            rows = self.home.value(f"SELECT count(*) FROM {self.table} WHERE id BETWEEN {first} AND {first + 39}")
            self.assertEqual((state, rows, process.returncode, cancel.returncode),
                             ("cancelled", 0, 130, 0) if state == "cancelled" else
                             ("published", 40, 0, 5))  # fmt: skip
        self.assertIn("cancelled", states)

    def test_one_transaction_is_cancelled_and_cannot_be_paused(self):
        self.home.sql("CREATE TABLE plain (id bigint)") if Jobs.number else None
        self.addCleanup(self.home.sql, "DROP TABLE plain")
        self.table = "plain"
        process = self.start("sql", "INSERT INTO plain SELECT i FROM generate_series(1, 100) i, pg_sleep(0.5)")
        job = self.await_running(0, process)
        self.assertIn("is one transaction", self.home.fail("jobs", "pause", job, code=1))
        self.home.run("jobs", "cancel", job, "--yes")
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(self.show(job)["state"], "cancelled")
        self.assertEqual(self.home.value("SELECT count(*) FROM plain"), 0)

    def test_ctrl_c_is_not_a_pause(self):
        process = self.insert()
        job = self.await_running(1, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.show(job)["state"], "interrupted")
        self.home.run("jobs", "cancel", job, "--yes")

    def test_a_reader_may_ask_for_nothing(self):
        url = self.home.status()["database_url"]
        result = coppice.psql(url, "UPDATE coppice.operations SET asked = 'cancel'", check=False)
        self.assertIn("permission denied", result.stderr)

    def test_ids_that_nobody_has(self):
        for verb in ("show", "pause", "cancel"):
            yes = ["--yes"] if verb == "cancel" else []
            self.assertIn("there is no job 999-1", self.home.fail("jobs", verb, "999-1", *yes, code=4))
            self.home.fail("jobs", verb, "12", *yes, code=2)


class Views(Jobs):
    def create(self):
        return self.start("sql", f"CREATE MATERIALIZED VIEW {self.table}_v AS "
                          f"SELECT t.id, slow(t.id) AS twice FROM {self.table} t")  # fmt: skip

    def jobs(self):
        return [job for job in self.home.json_lines("jobs", "list", "--all")
                if job["table"] == f"public.{self.table}_v"]  # fmt: skip

    def test_the_making_of_a_view_is_paused_and_goes_on(self):
        self.fill_rows()
        process = self.create()
        job = self.await_running(512, process)
        self.home.run("jobs", "pause", job)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 3, errors)
        self.assertEqual(self.show(job)["state"], "paused")
        self.home.run("jobs", "resume", job)
        self.assertEqual(self.home.value(f"SELECT count(*) FROM {self.table}_v WHERE twice = 2 * id"), ROWS)

    def test_the_making_of_a_view_is_cancelled(self):
        self.fill_rows()
        process = self.create()
        job = self.await_running(1, process)
        self.home.run("jobs", "cancel", job, "--yes")
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.left_behind(), [])
        self.home.fail("describe", f"{self.table}_v", code=4)


class Shared(Jobs):
    """One fill, several processes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home.environment["COPPICE_JOBS_LEASE_S"] = "2"

    def share(self, rows=ROWS, function="slow", helpers=2):
        """The job, its process, and those that help it; all are at work."""
        self.fill_rows(rows)
        owner = self.add_column(function)
        job = self.await_running(0, owner)
        coppice.wait_until(lambda: self.show(job)["rows_total"], "it does not begin")
        helping = [self.start("jobs", "work", job) for _ in range(helpers)]
        coppice.wait_until(lambda: self.show(job)["processes"] == helpers + 1, "nobody helps")
        return job, owner, helping

    def ends(self, *processes):
        ended = [(process.communicate(timeout=90), process.returncode) for process in processes]
        return [code for _, code in ended], "".join(errors for (_, errors), _ in ended)

    def check_published(self, job, rows=ROWS):
        self.check_twice(rows)
        shown = self.show(job)
        self.assertEqual((shown["state"], shown["rows_done"], shown["rows_total"]),
                         ("published", rows, rows))  # fmt: skip
        self.assertEqual(self.home.values("SELECT count(*) FROM coppice.fill_claims UNION ALL "
                                          "SELECT count(*) FROM coppice.job_workers"), [[0], [0]])  # fmt: skip

    def test_processes_share_a_fill(self):
        for function, rows in (("slow", 4000), ("slow_sql", 40_000)):
            with self.subTest(function):
                self.setUp()
                job, owner, helping = self.share(rows, function)
                holders = set()

                def all_have_claimed():
                    claims = "SELECT DISTINCT backend_pid FROM coppice.fill_claims"
                    holders.update(pid for (pid,) in self.home.values(claims))
                    return len(holders) == 3

                coppice.wait_until(all_have_claimed, "one of them has nothing to do")
                codes, errors = self.ends(owner, *helping)
                self.assertEqual(codes, [0, 0, 0], errors)
                self.check_published(job, rows)

    def test_what_a_killed_helper_had_passes_on(self):
        job, owner, helping = self.share(3000)
        helping[0].kill()
        codes, errors = self.ends(owner, helping[1])
        self.assertEqual(codes, [0, 0], errors)
        self.check_published(job, 3000)

    def test_the_others_go_on_when_the_first_is_killed(self):
        job, owner, helping = self.share(3000)
        owner.kill()
        owner.wait()
        self.assertEqual(self.show(job)["state"], "running")
        self.home.sql("SELECT 1")  # it is nobody's to take up
        codes, errors = self.ends(*helping)
        self.assertEqual(codes, [0, 0], errors)
        self.check_published(job, 3000)

    def test_the_others_go_on_when_one_is_interrupted(self):
        job, owner, helping = self.share(3000)
        owner.send_signal(signal.SIGINT)
        codes, errors = self.ends(owner)
        self.assertEqual(codes, [130])
        self.assertIn("other processes go on", errors)
        codes, errors = self.ends(*helping)
        self.assertEqual(codes, [0, 0], errors)
        self.check_published(job, 3000)

    def test_when_all_are_killed_the_next_statement_goes_on(self):
        job, owner, helping = self.share(3000)
        self.await_running(512)
        for process in (owner, *helping):
            process.kill()
            process.wait()
        coppice.wait_until(lambda: self.show(job)["state"] == "interrupted", "it runs")
        self.home.sql("SELECT 1")
        self.check_published(job, 3000)

    def test_one_that_sleeps_loses_its_rows_and_stores_nothing_twice(self):
        """It wakes up after its lease has passed on: with computed rows, or inside a transaction."""
        for function, rows in (("slow", 4000), ("slow_sql", 40_000)):
            with self.subTest(function):
                self.setUp()
                job, owner, helping = self.share(rows, function)
                helping[0].send_signal(signal.SIGSTOP)
                self.addCleanup(helping[0].kill)
                time.sleep(3.5)
                done = self.show(job)["rows_done"] or 0
                coppice.wait_until(lambda: (self.show(job)["rows_done"] or 0) > done, "the others wait", 60)
                helping[0].send_signal(signal.SIGCONT)
                codes, errors = self.ends(owner, helping[1])
                self.assertEqual(codes, [0, 0], errors)
                self.ends(helping[0])  # its session may be gone
                self.check_published(job, rows)

    def test_all_sleep_but_one_and_the_fill_ends_without_them(self):
        job, owner, helping = self.share(2500)
        for process in (owner, helping[0]):
            process.send_signal(signal.SIGSTOP)
            self.addCleanup(process.kill)
        codes, errors = self.ends(helping[1])
        self.assertEqual(codes, [0], errors)
        self.check_published(job, 2500)
        for process in (owner, helping[0]):
            process.send_signal(signal.SIGCONT)
        codes, errors = self.ends(owner, helping[0])
        self.assertEqual(codes, [0, 0], errors)
        self.check_published(job, 2500)

    def test_a_pause_is_heard_by_all(self):
        job, owner, helping = self.share(3000)
        self.home.run("jobs", "pause", job)
        codes, errors = self.ends(owner, *helping)
        self.assertEqual(codes, [3, 3, 3], errors)
        self.assertEqual(self.show(job)["state"], "paused")
        self.assertIn("nobody works on it", self.home.fail("jobs", "work", job, code=5))
        self.home.run("jobs", "resume", job)
        self.check_published(job, 3000)

    def test_a_cancel_is_heard_by_all(self):
        job, owner, helping = self.share(3000)
        self.home.run("jobs", "cancel", job, "--yes")
        codes, errors = self.ends(owner, *helping)
        self.assertEqual(codes, [130, 130, 130], errors)
        self.assertEqual(self.show(job)["state"], "cancelled")
        self.assertEqual(self.left_behind(), [])

    def test_a_failing_row_ends_it_for_all(self):
        self.home.sql("CREATE OR REPLACE FUNCTION picky(n bigint) RETURNS bigint IMMUTABLE LANGUAGE sql "
                      "AS 'SELECT 1 / (38000 - n) FROM pg_sleep(0.0005)'")  # fmt: skip
        job, owner, helping = self.share(40_000, "picky")
        codes, errors = self.ends(owner, *helping)
        self.assertEqual(codes, [1, 1, 1], errors)
        self.assertIn("division by zero", errors)
        self.assertEqual(self.show(job)["state"], "failed")
        self.assertEqual(self.left_behind(), [])

    def test_the_end_of_the_server_ends_all_and_loses_nothing(self):
        job, owner, helping = self.share(3000)
        self.await_running(512)
        self.home.kill_server()
        self.ends(owner, *helping)
        self.home.sql("SELECT 1")
        coppice.wait_until(lambda: self.show(job)["state"] == "published", "it does not go on")
        self.check_published(job, 3000)

    def test_what_cannot_be_shared(self):
        self.home.fail("jobs", "work", "999-1", code=4)
        self.home.sql(f"ALTER TABLE {self.table} ADD COLUMN twice bigint "
                      "GENERATED ALWAYS AS (slow(id)) STORED")  # fmt: skip
        process = self.start("sql", f"INSERT INTO {self.table} (id) SELECT i FROM generate_series(1, 1000) i")
        job = self.await_running(1, process)
        self.assertIn("is no fill", self.home.fail("jobs", "work", job, code=1))
        self.home.run("jobs", "cancel", job, "--yes")


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
