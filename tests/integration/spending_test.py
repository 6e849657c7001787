#!/usr/bin/python3
"""What calls cost, budgets and estimates, against a service that counts what it would charge for."""

import decimal
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import wait_until  # noqa: E402
from support.model_service import ModelService  # noqa: E402

Money = decimal.Decimal
PAUSED = 3  # exit code
CODE = """
import urllib.request

def count(url, n):
    with urllib.request.urlopen(f"{url}/{n}", timeout=60) as answer:
        return answer.read().decode()

def odd(n):
    if n % 2:
        raise ValueError("odd")
    return str(n)
"""


class Spending(coppice.TestCase):
    def setUp(self):
        self.service = ModelService.start(self)
        self.home.environment = {
            "COPPICE_SERVICES_OPENAI_BASE_URL": self.service.url,
            "COPPICE_SERVICES_OPENAI_KEY": "env:TEST_MODEL_KEY",
            "TEST_MODEL_KEY": "k",
            "no_proxy": "127.0.0.1",
        }
        (self.home.work / "code.py").write_text(CODE)
        self.home.sql("DROP TABLE IF EXISTS t CASCADE; DROP TABLE IF EXISTS u CASCADE")
        for function in ("ask", "score"):
            self.home.sql(f"DROP FUNCTION IF EXISTS {function}(text)")
        self.home.run("results", "prune", "--all", "--yes")

    def ask(self, settings, volatility="STABLE"):
        self.home.sql(
            f"CREATE OR REPLACE FUNCTION ask(t text) RETURNS text LANGUAGE http {volatility} "
            f"AS 'openai:chat/m' {settings}"
        )

    def score(self, settings, volatility="STABLE"):
        """One request a call, and a price a call: everything is exact."""
        self.home.sql(
            f"CREATE OR REPLACE FUNCTION score(text text) RETURNS bigint LANGUAGE http {volatility} "
            f"AS 'json:{self.service.url}/score' SET result = '/result/length' SET in_flight = 8 {settings}"
        )

    def table(self, name="t", function="score"):
        kind = "bigint" if function == "score" else "text"
        self.home.sql(
            f"CREATE TABLE {name} (id bigint PRIMARY KEY, q text, "
            f"a {kind} GENERATED ALWAYS AS ({function}(q)) STORED)"
        )

    def insert(self, rows, *options, table="t", first=1, **more):
        statement = (
            f"INSERT INTO {table} (id, q) SELECT i, 'row ' || i FROM "
            f"generate_series({first}, {first + rows - 1}) i"
        )
        return self.home.attempt("sql", statement, *options, **more)

    def scores(self):
        return self.service.calls("/v1/score")

    def spending(self, by="function"):
        return self.home.json_lines("spending", "--by", by)

    def spent(self, function):
        rows = [row for row in self.spending() if row["function"] == function]
        return Money(str(rows[0]["money"])) if rows else Money(0)

    def job(self):
        (job,) = [job for job in self.home.json_lines("jobs") if job["state"] == "paused"]
        return job

    def holds(self):
        return self.home.value("SELECT count(*) FROM coppice.budget_holds")


class Ledger(Spending):
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


class Budgets(Spending):
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
        self.assertLessEqual(lost, 64 + 8)  # a piece, and what was in flight
        (job,) = [job for job in self.home.json_lines("jobs") if job["state"] == "interrupted"]
        self.assertEqual(self.home.attempt("jobs", "resume", job["id"]).returncode, PAUSED)
        # All of the budget was spent, and nothing but what the kill lost beyond it.
        self.assertEqual(self.scores(), 300 + lost)
        self.assertEqual(self.holds(), 0)
        self.home.run("jobs", "resume", job["id"], "--budget", "10")
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE a = length(q)"), 400)
        self.assertLessEqual(self.scores(), 400 + lost)

    def test_what_is_no_budget(self):
        for amount in ("-1", "NaN", "five", "1e3", "0.0000000001", ""):
            self.assertIn("budget", self.home.fail("sql", "SELECT 1", f"--budget={amount}", code=2))
        self.assertIn(
            "budget.total", self.home.fail("ls", environment={"COPPICE_BUDGET_TOTAL": "-3"}, code=2)
        )


class Estimates(Spending):
    def estimate(self, statement, *options):
        lines = self.home.json_lines("estimate", statement, *options)
        return {(line["measure"], line["of"]): line for line in lines}

    def source(self, rows, text="'row ' || i"):
        self.home.sql(f"CREATE TABLE t AS SELECT i AS id, {text} AS q FROM generate_series(1, {rows}) i")

    def state(self):
        return (
            self.home.values("SELECT * FROM coppice.versions ORDER BY 1, 2"),
            self.home.values("SELECT tree_id, op_id, state FROM coppice.operations ORDER BY 1, 2"),
            self.home.values("SELECT relname FROM pg_class WHERE relkind = 'r' AND "
                             "relnamespace = 'coppice_store'::regnamespace ORDER BY 1"),
            self.home.values("SELECT * FROM coppice.column_functions"),
            self.home.values("SELECT * FROM coppice.cell_errors"),
            self.home.values("SELECT * FROM t ORDER BY 1"),
        )  # fmt: skip

    def test_changes_nothing_and_loses_no_call(self):
        self.score("SET call_price = 0.01")
        self.source(200)
        self.table("u")
        before = self.state()
        for statement in (
            "EXPLAIN (ESTIMATE) INSERT INTO u (id, q) SELECT id, q FROM t",
            "EXPLAIN (ESTIMATE, SAMPLE 10) CREATE TABLE w AS SELECT id, score(q) AS a FROM t",
            "EXPLAIN (ESTIMATE, SAMPLE 10) CREATE MATERIALIZED VIEW v AS SELECT id, score(q) AS a FROM t",
            "EXPLAIN (ESTIMATE, SAMPLE 10) UPDATE t SET q = score(q)::text WHERE id > 20",
        ):
            rows = self.home.rows(statement)
            self.assertTrue([row for row in rows if row["measure"] == "calls"], statement)
            self.assertEqual(self.state(), before, statement)
        self.estimate("ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (score(q)) STORED")
        self.assertEqual(self.state(), before)
        made = self.scores()
        self.assertLess(made, 100)
        self.home.sql("INSERT INTO u (id, q) SELECT id, q FROM t")
        self.assertEqual(self.scores(), 200)

    def test_calls_money_and_what_is_kept_already(self):
        self.score("SET call_price = 0.01")
        self.source(400)
        self.home.sql("CREATE TABLE u AS SELECT score(q) FROM t WHERE id <= 200")
        column = "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (score(q)) STORED"
        found = self.estimate(column, "--sample", "100")
        function = "public.score(text)"
        calls = found["calls", function]
        self.assertEqual(found["rows", "public.t"]["estimate"], 400)
        self.assertLessEqual(calls["low"], 200)
        self.assertGreaterEqual(calls["high"], 200)
        self.assertLess(calls["high"] - calls["low"], 200)
        self.assertGreater(found["kept", function]["estimate"], 100)
        self.assertAlmostEqual(found["money", None]["estimate"], 0.01 * calls["estimate"], delta=0.01)
        # All rows: exact, and the rest is kept now.
        exact = self.estimate(column, "--sample", "400")["calls", function]
        self.assertEqual(exact["low"], exact["high"])
        nothing = self.estimate(column, "--sample", "400")
        self.assertEqual(nothing["calls", function]["high"], 0)
        self.assertEqual(nothing["kept", function]["estimate"], 400)

    def test_the_interval_holds_on_a_skewed_table(self):
        self.ask("SET output_price = 10 SET input_price = 2", "VOLATILE")
        # One row in ten is ten times as long.
        self.source(300, "repeat('x', CASE WHEN i % 10 = 0 THEN 400 ELSE 40 END)")
        statement = "CREATE TABLE u AS SELECT ask(q) FROM t"
        before = self.spent("public.ask(text)")
        self.home.sql(statement)
        truth = float(self.spent("public.ask(text)") - before)
        self.home.sql("DROP TABLE u")
        held = 0
        for _ in range(12):
            money = self.estimate(statement, "--sample", "60")["money", None]
            held += money["low"] <= truth <= money["high"]
            self.assertLess(money["low"], money["estimate"])
            self.assertLess(abs(money["estimate"] - truth), truth)
        self.assertGreaterEqual(held, 8)

    def test_failing_cells_are_a_share_and_no_end(self):
        self.home.sql(
            "CREATE OR REPLACE FUNCTION odd(n bigint) RETURNS text LANGUAGE python STABLE "
            "AS 'code.py:odd' SET call_price = 0.1"
        )
        self.source(100)
        found = self.estimate(
            "ALTER TABLE t ADD COLUMN o text GENERATED ALWAYS AS (odd(id)) STORED", "--sample", "50"
        )
        self.assertLessEqual(found["failed cells", None]["low"], 50)
        self.assertGreaterEqual(found["failed cells", None]["high"], 50)
        self.assertEqual(found["calls", "public.odd(bigint)"]["estimate"], 100)

    def test_rows_of_an_iterator_are_estimated_too(self):
        self.score("SET call_price = 0.01")
        self.home.sql(
            "CREATE TABLE t AS SELECT i AS id, "
            "(SELECT jsonb_agg(i || ' ' || n) FROM generate_series(1, 1 + i % 5) n) AS q "
            "FROM generate_series(1, 100) i"
        )
        view = (
            "CREATE MATERIALIZED VIEW v AS SELECT t.id, score(e.element #>> '{}') AS a "
            "FROM t, LATERAL elements(t.q) AS e"
        )
        found = self.estimate(view, "--sample", "40")
        rows = found["rows", "public.v"]
        self.assertLessEqual(rows["low"], 300)
        self.assertGreaterEqual(rows["high"], 300)
        self.assertEqual(rows["estimate"], found["calls", "public.score(text)"]["estimate"])

    def test_views_over_a_table_count_for_an_insert(self):
        self.score("SET call_price = 0.01")
        self.table("u", function="score")
        self.home.sql("CREATE MATERIALIZED VIEW uv AS SELECT id, score(q || '!') AS b FROM u")
        self.source(50)
        found = self.estimate("INSERT INTO u (id, q) SELECT id, q FROM t", "--sample", "50")
        self.assertEqual(found["rows", "public.uv"]["estimate"], 50)
        self.assertEqual(found["calls", "public.score(text)"]["estimate"], 100)
        self.home.sql("DROP MATERIALIZED VIEW uv")

    def test_few_rows_say_what_they_can(self):
        self.score("SET call_price = 0.01")
        self.source(0)
        column = "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (score(q)) STORED"
        self.assertEqual(self.estimate(column)["money", None]["high"] if ("money", None) in
                         self.estimate(column) else 0, 0)  # fmt: skip
        self.home.sql("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i")
        one = self.estimate(column, "--sample", "1")["calls", "public.score(text)"]
        self.assertEqual((one["estimate"], one["low"], one["high"]), (100, None, None))
        few = self.estimate(column, "--sample", "10")["money", None]
        self.assertLess(few["low"], few["high"])  # all were the same, and yet

    def test_expressions_without_functions_take_time_only(self):
        self.source(500)
        found = self.estimate("ALTER TABLE t ADD COLUMN n bigint GENERATED ALWAYS AS (length(q)) STORED")
        self.assertEqual({measure for measure, _ in found}, {"rows", "failed cells", "seconds"})
        self.assertGreater(found["seconds", None]["high"], 0)
        self.assertIn(("seconds", None), self.estimate("UPDATE t SET q = upper(q)"))

    def test_a_budget_stops_the_sample(self):
        self.score("SET call_price = 0.01")
        self.source(100)
        column = "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (score(q)) STORED"
        before = self.state()
        stopped = self.home.attempt("estimate", column, "--budget", "0.05")
        self.assertEqual(stopped.returncode, PAUSED, stopped.stderr)
        self.assertIn("the budget of this estimate is spent", stopped.stderr)
        self.assertEqual(self.scores(), 5)
        self.assertEqual(self.state(), before)

    def test_a_killed_estimate_can_be_discarded_and_not_resumed(self):
        self.score("SET call_price = 0.01")
        self.source(100)
        self.service.delay_seconds = 0.5
        process = self.home.start(
            "estimate", "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (score(q)) STORED"
        )
        wait_until(lambda: self.scores() >= 2, "no calls are made")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        time.sleep(0.2)
        (job,) = [job for job in self.home.json_lines("jobs") if job["kind"] == "estimate"]
        self.assertEqual(job["state"], "interrupted")
        self.home.fail("jobs", "resume", job["id"])
        self.home.run("jobs", "discard", job["id"], "--yes")
        self.assertEqual(
            self.home.value("SELECT count(*) FROM pg_class WHERE relname ~ '^s[0-9]+_[0-9]+'"), 0
        )


if __name__ == "__main__":
    tap.main()
