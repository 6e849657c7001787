#!/usr/bin/python3
"""Functions of LANGUAGE http, end to end: a real service on loopback with every fault, and keys that
are seen nowhere."""

import concurrent.futures
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Home  # noqa: E402
from support.model_service import ModelService, vector_of  # noqa: E402

CANARY = "sk-canary-93c1d07e"
SCHEMA = '{"type": "object", "properties": {"n": {"type": "integer"}, "ok": {"type": "boolean"}}}'


class HttpFunctions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home.make(cls)

    def setUp(self):
        self.service = ModelService.start(self)
        self.home.environment = {
            "COPPICE_SERVICES_OPENAI_BASE_URL": self.service.url,
            "COPPICE_SERVICES_OPENAI_KEY": "env:TEST_MODEL_KEY",
            "TEST_MODEL_KEY": CANARY,
            "no_proxy": "127.0.0.1",
        }

    def function(self, name, declaration, settings="", volatility="VOLATILE", source="openai:chat/m"):
        self.home.sql(
            f"CREATE OR REPLACE FUNCTION {name}{declaration} LANGUAGE http {volatility} AS '{source}' {settings}"
        )

    def test_asks_a_model_in_queries_and_computed_columns(self):
        self.function("ask", "(t text) RETURNS text", "SET system = 'Be brief.'", "STABLE")
        self.service.key = CANARY
        self.assertEqual(self.home.value("SELECT ask('abc')"), "cba")
        self.assertEqual(self.service.requests[0]["messages"][0]["content"], "Be brief.")
        self.home.sql(
            "CREATE TABLE asked (t text, a text GENERATED ALWAYS AS (ask(t)) STORED);"
            "INSERT INTO asked VALUES ('x1'), (NULL), ('x2'), ('x1')"
        )
        rows = self.home.values("SELECT a FROM asked ORDER BY a")
        self.assertEqual(rows, [["1x"], ["1x"], ["2x"], [None]])
        self.assertEqual(self.service.calls(), 3)
        # Kept: the same question is never asked again.
        self.home.sql("INSERT INTO asked VALUES ('x1'), ('x2')")
        self.assertEqual(self.service.calls(), 3)

    def test_answers_by_a_schema_and_sees_pictures(self):
        media = coppice.media_folder(self)
        picture = next(path for path in sorted(media.iterdir()) if path.suffix == ".jpg")
        self.function(
            "look", "(p image) RETURNS jsonb", f"SET prompt = 'How many?' SET schema = '{SCHEMA}'"
        )
        self.home.sql(
            "CREATE TABLE seen (p image, j jsonb GENERATED ALWAYS AS (look(p)) STORED);"
            f"INSERT INTO seen VALUES ('{picture}')"
        )
        self.assertEqual(self.home.value("SELECT j FROM seen"), {"n": 9, "ok": True})
        (part, text) = self.service.requests[-1]["messages"][0]["content"]
        self.assertTrue(part["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/"))
        self.assertEqual(text["text"], "How many?")

    def test_embeddings_go_many_in_a_request_and_are_split(self):
        self.function("embed", "(t text) RETURNS float8[]", "SET dimensions = 4 SET batch = 50",
                      source="openai:embeddings/e")  # fmt: skip
        self.service.most_texts = 20
        rows = self.home.values(
            "SELECT t, embed(t) AS v FROM (SELECT n::text AS t FROM generate_series(1, 100) g(n)) s"
        )
        self.assertEqual(sorted(rows), sorted([str(n), vector_of(str(n), 4)] for n in range(1, 101)))
        self.assertEqual(self.service.texts, 100)
        self.assertLess(self.service.calls("/v1/embeddings"), 20)

    def test_any_json_service(self):
        address = self.service.url + "/score"
        self.function("words", "(t text) RETURNS jsonb",
                      "SET body = '{\"text\": \"{t}!\"}' SET result = '/result/words'",
                      source=f"json:{address}")  # fmt: skip
        self.function("length_of", "(text text) RETURNS bigint", "SET result = '/result/length'",
                      source=f"json:{address}")  # fmt: skip
        self.assertEqual(
            self.home.values("""SELECT words('a "b'), length_of('four')"""), [[["a", '"b!'], 4]]
        )

    def test_faults_that_pass_cost_nothing_but_time(self):
        self.function("ask", "(t text) RETURNS text", "SET timeout = '1s'")
        self.service.hang_seconds = 3
        self.service.fail(status=429, headers={"Retry-After": "1"})
        self.service.fail(status=500)
        for how in ("half", "close", "empty", "hang"):
            self.service.fail(how=how)
        begun = time.monotonic()
        answers = self.home.values("SELECT ask(n::text) AS a FROM generate_series(10, 29) g(n) ORDER BY n")
        self.assertEqual(answers, [[str(n)[::-1]] for n in range(10, 30)])
        self.assertEqual(self.service.calls(), 26)
        self.assertGreater(time.monotonic() - begun, 1)

    def test_one_bad_answer_is_an_error_of_its_row(self):
        self.function("ask", "(t text) RETURNS text", "SET in_flight = 1")
        self.service.fail(how="garbage")
        self.home.sql(
            "CREATE TABLE kept (t text, a text OPTIONS (on_error 'ignore') "
            "GENERATED ALWAYS AS (ask(t)) STORED);"
            "INSERT INTO kept VALUES ('ab'), ('cd')"
        )
        self.assertEqual(self.home.value("SELECT count(a) FROM kept"), 1)
        (error,) = self.home.json_lines("errors", "kept")
        self.assertEqual(error["type"], "response")
        self.assertIn("oops", error["message"])
        self.home.run("recompute", "kept", "a", "--errors")
        self.assertEqual(self.home.value("SELECT count(a) FROM kept"), 2)

    def test_a_failed_statement_says_what_the_service_said(self):
        self.function("ask", "(t text) RETURNS text")
        self.service.fail(status=400)
        message = self.home.fail("sql", "SELECT ask('x')")
        self.assertIn("the service answered 400: spoiled: 400", message)
        self.assertEqual(self.service.calls(), 1)

    def test_a_key_is_seen_nowhere(self):
        self.function("ask", "(t text) RETURNS text")
        self.service.key = "another"
        message = self.home.fail("sql", "SELECT ask('x')")
        self.assertIn("Incorrect API key provided: Bearer ***", message)
        self.assertNotIn(CANARY, message)
        for arguments in (["schema", "dump"], ["doctor", "--config"], ["functions", "--json"]):
            self.assertNotIn(CANARY, self.home.run(*arguments))
        literal = self.home.fail(
            "sql",
            "CREATE FUNCTION leak(t text) RETURNS text LANGUAGE http AS 'openai:chat/m' "
            f"SET key = '{CANARY}x'",
            code=2,
        )
        self.assertIn("env:NAME", literal)
        self.assertNotIn(CANARY, literal.replace("SET key = '" + CANARY, ""))
        self.home.environment["TEST_MODEL_KEY"] = ""
        self.assertIn("TEST_MODEL_KEY", self.home.fail("sql", "SELECT ask('x')", code=4))

    def test_wrong_declarations_are_refused_with_the_right_word(self):
        for declaration, hint in (
            ("AS 'openia:chat/m'", "openai:chat/MODEL"),
            ("AS 'openai:chat/m' SET temprature = 1", 'did you mean "temperature"?'),
            ("AS 'openai:chat/m' SET prompt = '{u}'", "there is no parameter {u}"),
            ("AS 'openai:chat/m' SET timeout = 30", "'30s'"),
        ):
            sql = f"CREATE FUNCTION wrong(t text) RETURNS text LANGUAGE http {declaration}"
            self.assertIn(hint, self.home.fail("sql", sql, code=2))

    def test_limits_hold_over_processes(self):
        self.function("ask", "(t text) RETURNS text", "SET in_flight = 4")
        self.service.delay_seconds = 0.05

        def run(process):
            sql = f"SELECT ask('{process} ' || n) FROM generate_series(1, 60) g(n)"
            return len(self.home.values(sql))

        with concurrent.futures.ThreadPoolExecutor(3) as processes:
            self.assertEqual(list(processes.map(run, range(3))), [60] * 3)
        self.assertLessEqual(self.service.most_at_once, 4)
        self.assertGreater(self.service.most_at_once, 1)

    def test_another_prompt_is_another_function(self):
        self.home.sql(
            "CREATE OR REPLACE FUNCTION tell(t text) RETURNS text LANGUAGE http STABLE "
            "AS 'openai:chat/m' SET prompt = 'a {t}'"
        )
        self.home.sql(
            "CREATE TABLE told (t text, a text GENERATED ALWAYS AS (tell(t)) STORED);"
            "INSERT INTO told VALUES ('x')"
        )
        replaced = self.home.attempt(
            "sql",
            "CREATE OR REPLACE FUNCTION tell(t text) RETURNS text LANGUAGE http STABLE "
            "AS 'openai:chat/m' SET prompt = 'b {t}'",
        )
        self.assertIn("recompute", replaced.stdout + replaced.stderr)
        self.assertEqual(self.home.value("SELECT a FROM told"), "x a")
        self.home.run("recompute", "told", "a")
        self.assertEqual(self.home.value("SELECT a FROM told"), "x b")


if __name__ == "__main__":
    tap.main()
