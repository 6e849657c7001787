#!/usr/bin/python3
"""Estimates against what the statements then cost, by a service that counts."""

import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.coppice import wait_until  # noqa: E402
from support.spending import PAUSED, SpendingCase  # noqa: E402


class Estimates(SpendingCase):
    def estimate(self, statement, *options):
        lines = self.home.json_lines("estimate", statement, *options)
        return {(line["measure"], line["of"]): line for line in lines}

    def source(self, rows, text="'row ' || i"):
        self.home.sql(f"CREATE TABLE t AS SELECT i AS id, {text} AS q FROM generate_series(1, {rows}) i")

    def assert_near(self, line, truth):
        """A draw's interval misses the truth one time in twenty; one twice as wide, never in years
        of runs. How often the interval itself holds is counted on the skewed table."""
        self.assertLess(line["low"], line["high"])
        self.assertLessEqual(line["low"] - (line["estimate"] - line["low"]), truth, line)
        self.assertGreaterEqual(line["high"] + (line["high"] - line["estimate"]), truth, line)

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
        self.assert_near(calls, 200)
        self.assertLess(calls["high"] - calls["low"], 200)
        self.assertGreater(found["kept", function]["estimate"], 100)
        self.assertAlmostEqual(found["money", None]["estimate"], 0.01 * calls["estimate"], delta=0.01)
        # All rows: exact, and the rest is kept now.
        exact = self.estimate(column, "--sample", "400")["calls", function]
        self.assertEqual(exact["low"], exact["high"])
        nothing = self.estimate(column, "--sample", "400")
        self.assertEqual(nothing["calls", function]["high"], 0)
        self.assertEqual(nothing["kept", function]["estimate"], 400)

    def test_equal_calls_are_counted_once(self):
        self.score("SET call_price = 0.01")
        self.source(2000, "'kind ' || i % 10")
        found = self.estimate(
            "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (score(q)) STORED", "--sample", "60"
        )
        calls = found["calls", "public.score(text)"]
        self.assertEqual(self.scores(), 10)
        self.assertEqual((calls["low"], calls["estimate"]), (10, 10))
        self.assertAlmostEqual(found["money", None]["estimate"], 0.1, places=2)

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
        self.assert_near(found["failed cells", None], 50)
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
        self.assert_near(rows, 300)
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
