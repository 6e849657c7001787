"""What tests of spending share: functions with prices, and what was spent on them."""

import decimal

from support import coppice
from support.model_service import ModelService

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


class SpendingCase(coppice.TestCase):
    """A home, and a service of whose functions ask() and score() calls cost something."""

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
