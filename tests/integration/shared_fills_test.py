#!/usr/bin/python3
"""Processes that share a fill: their claims, and what happens when they die, sleep or fail."""

import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.jobs import ROWS, Jobs  # noqa: E402


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


if __name__ == "__main__":
    tap.main()
