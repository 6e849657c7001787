#!/usr/bin/python3
"""Jobs: progress, pause, cancel and resume of what another process runs."""

import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.jobs import ROWS, Jobs  # noqa: E402


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


if __name__ == "__main__":
    tap.main()
