#!/usr/bin/python3
"""What calls cost, and budgets, against a service that counts what it would charge for."""

import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.coppice import wait_until  # noqa: E402
from support.spending import PAUSED, Money, SpendingCase  # noqa: E402


class Ledger(SpendingCase):
    def test_money_is_what_the_service_would_charge(self):
        self.ask("SET call_price = 0.0005 SET input_price = 0.15 SET output_price = 0.6")
        self.table(function="ask")
        before = self.spent("public.ask(text)")
        self.assertEqual(self.insert(300).returncode, 0)
        price = (
            300 * Money("0.0005")
            + self.service.tokens_in * Money("0.15") / 1_000_000
            + self.service.tokens_out * Money("0.6") / 1_000_000
        )
        self.assertGreaterEqual(self.service.tokens_out, 300)
        self.assertEqual(self.spent("public.ask(text)") - before, price)
        (row,) = [row for row in self.spending("operation") if row["table"] == "public.t"][:1]
        self.assertEqual((row["kind"], row["calls"], row["requests"]), ("insert", 300, 300))
        self.assertEqual(row["tokens_in"], self.service.tokens_in)
        self.assertEqual(Money(str(row["money"])), price)
        kept = self.home.value("SELECT sum(money) FROM coppice.results")
        self.assertEqual(Money(str(kept)), price)
        # Reused: nothing is paid, and the saving is told.
        self.table("u", function="ask")
        self.assertEqual(self.insert(300, table="u").returncode, 0)
        self.assertEqual(self.spent("public.ask(text)") - before, price)
        (result,) = self.home.json_lines("results")
        self.assertEqual(Money(str(result["money_saved"])), price)
        self.assertEqual(result["hits"], 300)

    def test_refused_requests_cost_nothing_and_lost_answers_do(self):
        self.score("SET call_price = 1 SET timeout = '1s'", "VOLATILE")
        before = self.spent("public.score(text)")
        self.service.fail(status=500)
        self.service.fail(status=429)
        self.home.value("SELECT score('a')")
        self.assertEqual(self.spent("public.score(text)") - before, 1)
        self.service.fail(how="half")
        self.home.value("SELECT score('b')")
        self.assertEqual(self.spent("public.score(text)") - before, 3)
        self.assertEqual(self.scores(), 5)

    def test_another_price_makes_nothing_stale_and_no_call(self):
        self.score("SET call_price = 1")
        self.table()
        self.assertEqual(self.insert(10).returncode, 0)
        before = self.spent("public.score(text)")
        self.score("SET call_price = 2 SET budget = 100000")
        (function,) = [f for f in self.home.json_lines("functions") if f["function"].startswith("score")]
        self.assertIsNone(function["state"])
        self.home.sql("INSERT INTO t (id, q) VALUES (11, 'row 1')")
        self.assertEqual(self.scores(), 10)
        self.home.sql("INSERT INTO t (id, q) VALUES (12, 'new')")
        self.assertEqual(self.spent("public.score(text)") - before, 2)

    def test_status_and_days(self):
        self.score("SET call_price = 0.25", "VOLATILE")
        before = self.home.status()
        self.home.value("SELECT score('a')")
        after = self.home.status()
        self.assertEqual(Money(str(after["spent"])) - Money(str(before["spent"])), Money("0.25"))
        self.assertEqual(after["currency"], "USD")
        self.assertEqual(
            Money(str(self.spending("day")[0]["money"])), Money(str(after["spent_today"]))
        )

    def test_programs_and_python_have_a_price_a_call(self):
        self.home.sql(
            "CREATE OR REPLACE FUNCTION odd(n bigint) RETURNS text LANGUAGE python VOLATILE "
            "AS 'code.py:odd' SET call_price = 0.1"
        )
        before = self.spent("public.odd(bigint)")
        self.home.sql(
            "CREATE TABLE u (n bigint, o text OPTIONS (on_error 'ignore') "
            "GENERATED ALWAYS AS (odd(n)) STORED); INSERT INTO u SELECT i FROM generate_series(1, 9) i"
        )
        self.assertEqual(self.spent("public.odd(bigint)") - before, Money("0.9"))
        (row,) = [row for row in self.spending() if row["function"] == "public.odd(bigint)"]
        self.assertEqual((row["calls"], row["failures"]), (4, 5))


class Budgets(SpendingCase):
    def test_an_operation_pauses_at_its_budget_and_goes_on_when_it_is_raised(self):
        self.score("SET call_price = 0.01")
        self.table()
        paused = self.insert(500, "--budget", "1.5")
        self.assertEqual(paused.returncode, PAUSED, paused.stderr)
        self.assertIn("1.50 of 1.50 USD", paused.stderr)
        self.assertIn("jobs resume", paused.stderr)
        self.assertEqual(self.scores(), 150)
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 0)
        job = self.job()
        self.assertIn("150 of 500 rows are done", job["message"])
        # Without more money: at once, and without a call.
        again = self.home.attempt("jobs", "resume", job["id"])
        self.assertEqual(again.returncode, PAUSED)
        self.assertIn("1.50 of 1.50 USD", again.stderr)
        self.assertEqual(self.scores(), 150)
        more = self.home.attempt("jobs", "resume", job["id"], "--budget", "2")
        self.assertEqual(more.returncode, PAUSED)
        self.assertEqual(self.scores(), 200)
        self.home.run("jobs", "resume", job["id"], "--budget", "5")
        self.assertEqual(self.scores(), 500)
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE a = length(q)"), 500)
        self.assertEqual(self.holds(), 0)

    def test_a_function_has_a_budget_of_its_own(self):
        self.score("SET call_price = 0.01 SET budget = 100")
        base = self.spent("public.score(text)")
        self.score(f"SET call_price = 0.01 SET budget = {base + 1}")
        self.table()
        paused = self.insert(300)
        self.assertEqual(paused.returncode, PAUSED, paused.stderr)
        self.assertIn("the budget of function public.score(text) is spent", paused.stderr)
        self.assertEqual(self.scores(), 100)
        failed = self.home.attempt("sql", "SELECT score('other')")
        self.assertEqual(failed.returncode, PAUSED)
        self.assertIn("the budget of function public.score(text) is spent", failed.stderr)
        self.assertEqual(self.scores(), 100)
        job = self.job()["id"]
        self.score(f"SET call_price = 0.01 SET budget = {base + 3}")
        self.home.run("jobs", "resume", job)
        self.assertEqual(self.scores(), 300)
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE a = length(q)"), 300)

    def test_the_home_has_a_budget_in_all_and_for_a_day(self):
        self.score("SET call_price = 0.01")
        self.table()
        for key, whose in (("TOTAL", "budget.total"), ("PER_DAY", "budget.per_day")):
            status = self.home.status()
            base = Money(str(status["spent" if key == "TOTAL" else "spent_today"]))
            before = self.scores()
            cap = {f"COPPICE_BUDGET_{key}": str(base + Money("0.2"))}
            paused = self.insert(50, environment=cap)
            self.assertEqual(paused.returncode, PAUSED, paused.stderr)
            self.assertIn(whose, paused.stderr)
            self.assertEqual(self.scores() - before, 20)
            job = self.job()["id"]
            self.home.run("jobs", "resume", job)
            self.assertEqual(self.scores() - before, 50)
            self.home.sql("DELETE FROM t")
            self.home.run("results", "prune", "--all", "--yes")

    def test_a_budget_inside_a_script(self):
        self.score("SET call_price = 0.01")
        self.table()
        self.table("u")
        rows = "SELECT i, '{} ' || i FROM generate_series(1, 40) i"
        done = self.home.attempt(
            "sql",
            f"SET coppice.budget = 0.5; INSERT INTO t (id, q) {rows.format('a')}; "
            f"SET coppice.budget = '0.3'; SHOW coppice.budget; INSERT INTO u (id, q) {rows.format('b')}",
        )
        self.assertEqual(done.returncode, PAUSED, done.stderr)
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 40)
        self.assertEqual(self.scores(), 70)

    def test_rows_of_volatile_functions_are_not_paid_twice(self):
        self.score("SET call_price = 0.01", "VOLATILE")
        self.table()
        self.assertEqual(self.insert(30, "--budget", "0.1").returncode, PAUSED)
        job = self.job()["id"]
        self.assertEqual(self.home.attempt("jobs", "resume", job, "--budget", "0.2").returncode, PAUSED)
        self.assertEqual(self.scores(), 20)
        self.home.run("jobs", "resume", job, "--budget", "1")
        self.assertEqual(self.scores(), 30)

    def test_calls_of_the_query_pause_and_go_on(self):
        self.score("SET call_price = 0.01")
        self.home.sql("CREATE TABLE t AS SELECT i AS id, 'row ' || i AS q FROM generate_series(1, 100) i")
        made = 0
        for statement, check in (
            ("CREATE TABLE u AS SELECT id, score(q) AS a FROM t", "SELECT count(*) FROM u WHERE a > 4"),
            ("INSERT INTO u SELECT id, score(q || '!') FROM t", "SELECT count(*) - 100 FROM u WHERE a > 4"),
            ("UPDATE u SET a = score(id || ' of u')", "SELECT count(*) - 100 FROM u WHERE a > 4"),
        ):
            paused = self.home.attempt("sql", statement, "--budget", "0.3")
            self.assertEqual(paused.returncode, PAUSED, paused.stderr)
            made += 30
            self.assertEqual(self.scores(), made)
            job = self.job()["id"]
            again = self.home.attempt("jobs", "resume", job)
            self.assertEqual(again.returncode, PAUSED, again.stderr)
            self.assertEqual(self.scores(), made)
            self.home.run("jobs", "resume", job, "--budget", "5")
            made += 70
            self.assertEqual(self.scores(), made, statement)
            self.assertEqual(self.home.value(check), 100, statement)

    def test_a_column_that_is_added_pauses_and_goes_on(self):
        self.score("SET call_price = 0.01")
        self.home.sql("CREATE TABLE t AS SELECT i AS id, 'row ' || i AS q FROM generate_series(1, 200) i")
        add = "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (score(q)) STORED"
        paused = self.home.attempt("sql", add, "--budget", "0.7")
        self.assertEqual(paused.returncode, PAUSED, paused.stderr)
        self.assertEqual(self.scores(), 70)
        # Nobody else takes it up.
        self.home.sql("INSERT INTO t (id, q) SELECT 0, 'x' WHERE false")
        self.assertEqual(self.scores(), 70)
        self.home.run("jobs", "resume", self.job()["id"], "--budget", "10")
        self.assertEqual(self.scores(), 200)
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE a = length(q)"), 200)

    def test_a_view_that_is_made_pauses_and_goes_on(self):
        self.score("SET call_price = 0.01")
        self.home.sql("CREATE TABLE t AS SELECT i AS id, 'row ' || i AS q FROM generate_series(1, 150) i")
        paused = self.home.attempt(
            "sql", "CREATE MATERIALIZED VIEW v AS SELECT id, score(q) AS a FROM t", "--budget", "0.5"
        )
        self.assertEqual(paused.returncode, PAUSED, paused.stderr)
        self.assertEqual(self.scores(), 50)
        self.home.run("jobs", "resume", self.job()["id"], "--budget", "10")
        self.assertEqual(self.scores(), 150)
        self.assertEqual(self.home.value("SELECT count(*) FROM v"), 150)

    def test_processes_share_a_budget(self):
        self.score("SET call_price = 0.01 SET budget = 1000")
        base = self.spent("public.score(text)")
        self.score(f"SET call_price = 0.01 SET budget = {base + 1}")
        self.service.delay_seconds = 0.01
        self.table()
        self.table("u")
        processes = [
            self.home.start(
                "sql",
                f"INSERT INTO {table} (id, q) SELECT i, '{table} ' || i FROM generate_series(1, 90) i",
            )
            for table in ("t", "u")
        ]
        for process in processes:
            process.communicate(timeout=60)
        codes = sorted(process.returncode for process in processes)
        self.assertIn(codes, ([0, PAUSED], [PAUSED, PAUSED]))
        self.assertEqual(self.scores(), 100)
        self.assertEqual(self.holds(), 0)
        self.score(f"SET call_price = 0.01 SET budget = {base + 10}")
        for job in [job["id"] for job in self.home.json_lines("jobs") if job["state"] == "paused"]:
            self.home.run("jobs", "resume", job)
        self.assertEqual(self.scores(), 180)
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE a = length(q)"), 90)
        self.assertEqual(self.home.value("SELECT count(*) FROM u WHERE a = length(q)"), 90)

    def test_a_killed_process_gives_back_what_it_had_set_aside(self):
        self.score("SET call_price = 0.01")
        self.service.delay_seconds = 0.02
        self.table()
        process = self.home.start(
            "sql", "INSERT INTO t (id, q) SELECT i, 'row ' || i FROM generate_series(1, 400) i",
            "--budget", "3",
        )  # fmt: skip
        wait_until(lambda: self.scores() >= 100, "no calls are made")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        time.sleep(0.2)
        counted = self.home.value(
            "SELECT coalesce(sum(calls), 0) FROM coppice.spending WHERE operation ~ '-' "
            "AND function_id = 'public.score(text)' AND operation = (SELECT tree_id || '-' || op_id "
            "FROM coppice.operations ORDER BY begun_at DESC LIMIT 1)"
        )
        lost = self.scores() - counted
        a_kill = 64 + 8  # a piece, and what was in flight
        self.assertLessEqual(lost, a_kill)
        (job,) = [job for job in self.home.json_lines("jobs") if job["state"] == "interrupted"]
        self.assertEqual(self.home.attempt("jobs", "resume", job["id"]).returncode, PAUSED)
        # All of the budget was spent, and nothing but what the kill lost beyond it.
        self.assertEqual(self.scores(), 300 + lost)
        self.assertEqual(self.holds(), 0)
        self.home.run("jobs", "resume", job["id"], "--budget", "10")
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE a = length(q)"), 400)
        # What was counted and not kept when it was killed is asked again, too.
        self.assertLessEqual(self.scores(), 400 + a_kill)

    def test_what_is_no_budget(self):
        for amount in ("-1", "NaN", "five", "1e3", "0.0000000001", ""):
            self.assertIn("budget", self.home.fail("sql", "SELECT 1", f"--budget={amount}", code=2))
        self.assertIn(
            "budget.total", self.home.fail("ls", environment={"COPPICE_BUDGET_TOTAL": "-3"}, code=2)
        )


if __name__ == "__main__":
    tap.main()
