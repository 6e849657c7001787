#!/usr/bin/python3
"""Durable results: a service that counts its calls tells whether any was made twice."""

import collections
import http.server
import os
import pathlib
import random
import signal
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import psql  # noqa: E402

CODE = r'''
import pathlib, struct, urllib.error, urllib.request, zlib
from coppice import scratch_file

def ask(url, n):
    try:
        with urllib.request.urlopen(f"{url}?n={n}", timeout=60) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise ValueError(f"the service says {error.code}")

def picture(url, n):
    ask(url, n)
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path = scratch_file(".png")
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", n, 1, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" + b"\x80" * n)) + chunk(b"IEND", b""))
    return path
'''
PIECE = 64  # calls that a kill may cost at first: two pieces of 32 that are kept together


class Service:
    """Answers twice the number it is asked about; fails where `broken` says so; counts."""

    def __init__(self):
        self.calls = collections.Counter()
        self.broken = set()
        self.gate = threading.Event()
        self.gate.set()
        self.seconds = 0.0
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
                number = int(query["n"][0])
                service.calls[number] += 1
                service.gate.wait(60)
                time.sleep(service.seconds)
                self.send_response(500 if number in service.broken else 200)
                self.end_headers()
                self.wfile.write(str(2 * number).encode())

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # whoever asked was killed

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def total(self):
        return sum(self.calls.values())


class Results(coppice.TestCase):
    private = True  # its server is killed

    def setUp(self):
        self.service = Service()
        self.addCleanup(self.service.close)
        (self.home.work / "code.py").write_text(CODE)
        self.home.sql("DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS u")
        self.home.run("results", "prune", "--all", "--yes")
        self.make("STABLE")

    def make(self, volatility, name="ask", result="text", settings=""):
        self.home.sql(
            f"DROP FUNCTION IF EXISTS {name}; CREATE FUNCTION {name}(url text, n bigint) RETURNS "
            f"{result} LANGUAGE python {volatility} AS 'code.py:{name}' SET network = on {settings}"
        )

    def table(self, name="t", on_error="abort"):
        self.home.sql(
            f"CREATE TABLE {name} (id bigint PRIMARY KEY, n bigint, answer text OPTIONS "
            f"(on_error '{on_error}') GENERATED ALWAYS AS (ask('{self.service.url}', n)) STORED)"
        )

    def insert(self, count, table="t", **options):
        statement = f"INSERT INTO {table} (id, n) SELECT i, i FROM generate_series(1, {count}) i"
        return self.home.attempt("sql", statement, **options)

    def summary(self):
        rows = self.home.json_lines("results")
        return [(row["function"], row["state"], row["results"], row["hits"]) for row in rows]


class Reuse(Results):
    def test_a_call_is_made_once_for_all_rows_and_tables(self):
        self.table()
        self.home.sql("INSERT INTO t (id, n) VALUES (1, 5), (2, 5), (3, 6), (4, NULL), (5, 5)")
        self.assertEqual(self.service.calls, {5: 1, 6: 1})
        self.assertEqual(self.home.values("SELECT answer FROM t ORDER BY id"),
                         [["10"], ["10"], ["12"], [None], ["10"]])  # fmt: skip
        self.table("u")
        self.home.sql("INSERT INTO u (id, n) VALUES (1, 6), (2, 7)")
        self.assertEqual(self.home.value(f"SELECT ask('{self.service.url}', 7)"), "14")
        self.home.sql("UPDATE u SET n = 5 WHERE id = 1")
        self.assertEqual(self.service.calls, {5: 1, 6: 1, 7: 1})
        self.assertEqual(self.summary(), [("public.ask(text,bigint)", "current", 3, 3)])

    def test_volatile_calls_are_made_each_time(self):
        self.make("VOLATILE")
        for _ in range(3):
            self.home.value(f"SELECT ask('{self.service.url}', 7)")
        self.assertEqual(self.service.calls, {7: 3})
        self.assertEqual(self.summary(), [])

    def test_recompute_asks_again_and_replaces(self):
        self.table()
        self.assertEqual(self.insert(3).returncode, 0)
        self.home.run("recompute", "t")
        self.assertEqual(self.service.calls, {1: 2, 2: 2, 3: 2})
        self.table("u")
        self.insert(3, "u")
        self.assertEqual(self.service.total(), 6)

    def test_new_code_is_another_function(self):
        self.table()
        self.insert(2)
        (self.home.work / "code.py").write_text(CODE + "\n# changed\n")
        self.home.sql("CREATE OR REPLACE FUNCTION ask(url text, n bigint) RETURNS text LANGUAGE "
                      "python STABLE AS 'code.py:ask' SET network = on")  # fmt: skip
        self.home.value(f"SELECT ask('{self.service.url}', 1)")
        self.assertEqual(self.service.calls, {1: 2, 2: 1})
        self.assertEqual([row[1:3] for row in self.summary()], [("stale", 2), ("current", 1)])
        plan = self.home.json_lines("results", "prune", "--stale", "--dry-run")
        self.assertEqual([(row["state"], row["results"]) for row in plan], [("stale", 2)])
        self.home.run("results", "prune", "--stale", "--yes")
        self.assertEqual([row[1:3] for row in self.summary()], [("current", 1)])

    def test_media_of_kept_results_are_not_collected(self):
        self.make("STABLE", "picture", "image")
        width = f"SELECT width(picture('{self.service.url}', 9))"
        self.assertEqual(self.home.value(width), 9)
        now = {"COPPICE_MEDIA_GRACE_S": "0"}
        self.home.run("media", "gc", "--yes", environment=now)
        self.assertEqual(self.home.value(width), 9)
        self.assertEqual(self.service.calls, {9: 1})
        self.home.run("results", "prune", "--function", "picture", "--yes")
        self.home.run("media", "gc", "--yes", environment=now)
        self.assertEqual(list((self.home.folder / "media/sha256").rglob("*.png")), [])
        self.assertEqual(self.home.value(width), 9)
        self.assertEqual(self.service.calls, {9: 2})

    def test_what_prune_does_not_understand(self):
        prune = ("results", "prune", "--yes")
        self.assertIn("say which results", self.home.fail(*prune, code=2))
        self.assertIn("is not an age", self.home.fail(*prune, "--unused-for", "soon", code=2))
        self.home.value(f"SELECT ask('{self.service.url}', 1)")
        said = self.home.fail(*prune, "--function", "aks", code=4)
        self.assertIn("there are no results of public.aks", said)
        self.assertIn("public.ask", said)


class Failures(Results):
    def test_after_one_failing_cell_the_retry_makes_only_the_missing_calls(self):
        count = 10_000
        self.service.broken = {count - 100}
        self.table()
        failed = self.insert(count)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("the service says 500", failed.stderr)
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 0)
        self.service.broken = set()
        self.assertEqual(self.insert(count).returncode, 0)
        twice = {n for n, calls in self.service.calls.items() if calls > 1}
        self.assertEqual(twice, {count - 100})
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE answer = (2 * n)::text"), count)

    def test_failures_are_asked_again(self):
        self.service.broken = {2, 3}
        self.table(on_error="ignore")
        self.insert(4)
        self.assertEqual(self.home.value("SELECT count(answer) FROM t"), 2)
        self.service.broken = {3}
        self.home.run("recompute", "t", "--errors")
        self.assertEqual(self.service.calls, {1: 1, 2: 2, 3: 2, 4: 1})
        self.assertEqual(self.home.value("SELECT count(answer) FROM t"), 3)

    def test_a_kill_costs_one_piece(self):
        count = 400
        self.table()
        for point in ("results.piece_made", "results.piece_kept", "results.piece_made"):
            killed = self.insert(count, environment={"COPPICE_CRASH_AT": point})
            self.assertEqual(killed.returncode, -9, killed.stderr)
        self.assertEqual(self.insert(count).returncode, 0)
        self.assertEqual(len(self.service.calls), count)
        # What was kept is not asked again; of each kill before that one piece is.
        self.assertLessEqual(self.service.total(), count + 2 * PIECE)
        self.assertEqual(self.home.value("SELECT count(*) FROM t WHERE answer = (2 * n)::text"), count)

    def test_a_killed_worker_and_server_cost_one_piece_each(self):
        count = 300
        self.table()
        self.service.gate.clear()
        running = self.home.start("sql", "INSERT INTO t (id, n) SELECT i, i FROM "
                                         f"generate_series(1, {count}) i")  # fmt: skip
        coppice.wait_until(lambda: self.service.total() > 0, "no call came")
        self.home.kill_server()
        self.service.gate.set()
        self.assertNotEqual(running.wait(60), 0)
        running.stdout.close()
        running.stderr.close()
        self.assertEqual(self.insert(count).returncode, 0)
        self.assertLessEqual(self.service.total(), count + PIECE)
        self.assertEqual(self.home.value("SELECT count(answer) FROM t"), count)

    def test_a_value_that_cannot_be_read_is_asked_for_again(self):
        self.home.value(f"SELECT ask('{self.service.url}', 1)")
        owner = self.home.status()["database_url"].replace("coppice_reader@", "coppice@")
        psql(owner, "UPDATE coppice.results SET value = '\\x00ff'")
        self.assertEqual(self.home.value(f"SELECT ask('{self.service.url}', 1)"), "2")
        self.assertEqual(self.service.calls, {1: 2})


class TwoSessions(Results):
    def test_a_call_in_flight_is_not_made_by_another_session(self):
        self.table()
        self.table("u")
        self.service.gate.clear()
        statement = "INSERT INTO {} (id, n) SELECT i, i FROM generate_series(1, 40) i"
        first = self.home.start("sql", statement.format("t"))
        coppice.wait_until(lambda: self.service.total() > 0, "no call came")
        second = self.home.start("sql", statement.format("u"))
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        self.assertGreaterEqual(int(self.home.psql(locks).stdout), 40)
        self.service.gate.set()
        for process in (first, second):
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(set(self.service.calls.values()), {1})
        self.assertEqual(self.home.value("SELECT count(*) FROM t JOIN u USING (id, answer)"), 40)

    def test_who_waits_makes_the_calls_of_who_was_killed(self):
        self.table()
        self.table("u")
        self.service.gate.clear()
        statement = "INSERT INTO {} (id, n) SELECT i, i FROM generate_series(1, 20) i"
        first = self.home.start("sql", statement.format("t"))
        coppice.wait_until(lambda: self.service.total() > 0, "no call came")
        second = self.home.start("sql", statement.format("u"))
        first.kill()
        first.communicate()
        self.service.gate.set()
        _, errors = second.communicate(timeout=60)
        self.assertEqual(second.returncode, 0, errors)
        self.assertEqual(self.home.value("SELECT count(answer) FROM u"), 20)


class RandomKills(Results):
    """kill -9 of the program, a worker or the server, whenever, over one fill."""

    KILLS, LONG_KILLS = 10, 100
    ROWS_A_KILL = 100
    STATEMENT = ("ALTER TABLE t ADD COLUMN IF NOT EXISTS answer text GENERATED ALWAYS AS "
                 "(ask('{}', id)) STORED")  # fmt: skip
    CALLS_A_KILL = 128  # a piece has about 100 when two workers share calls of 20 ms

    def workers(self):
        """Processes of this home's Python workers."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1] if command else ""
            except OSError:
                continue
            if b"coppice_worker.py" in command and int(parent) == self.running.pid:
                found.append(int(entry.name))
        return found

    def kill(self, victim):
        if victim == "server":
            return self.home.kill_server()
        workers = self.workers() if victim == "worker" else []
        try:
            os.kill((workers or [self.running.pid])[0], signal.SIGKILL)
        except ProcessLookupError:
            pass

    def run_once(self, statement, most_kills=0):
        """Until it ends, or is killed, or the server is. A worker's death it survives."""
        self.running = self.home.start("sql", statement)
        while self.kills < most_kills:
            try:
                self.running.wait(self.chance.uniform(0.2, 1.0))
                break
            except coppice.subprocess.TimeoutExpired:
                victim = self.chance.choice(["program", "worker", "worker", "server"])
                self.kill(victim)
                self.kills += 1
                if victim != "worker":
                    break
        _, errors = self.running.communicate(timeout=300)
        return self.running.returncode, errors

    def test_nothing_is_lost_and_little_is_asked_again(self):
        kills = self.LONG_KILLS if tap.long else self.KILLS
        rows = kills * self.ROWS_A_KILL
        seed = int(os.environ.get("COPPICE_TEST_SEED") or random.randrange(1 << 30))
        self.chance, self.kills = random.Random(seed), 0
        self.service.seconds = 0.02
        self.make("STABLE", settings="SET workers = 2")
        self.home.sql("CREATE TABLE t (id bigint PRIMARY KEY); "
                      f"INSERT INTO t SELECT generate_series(1, {rows})")  # fmt: skip
        statement = self.STATEMENT.format(self.service.url)
        with self.subTest(seed=seed):
            while self.kills < kills and self.run_once(statement, kills)[0] != 0:
                pass
            for _ in range(3):  # a worker's death may cost a row: the statement is given again
                code, errors = self.run_once(statement)
                if code == 0:
                    break
            self.assertEqual(code, 0, errors)
            self.assertGreater(self.kills, kills // 2, "the fill ended before it was killed")
            wrong = "SELECT count(*) FROM t WHERE answer IS DISTINCT FROM (2 * id)::text"
            self.assertEqual(self.home.value(wrong), 0)
            self.assertEqual(self.home.value("SELECT count(*) FROM t"), rows)
            self.assertEqual(len(self.service.calls), rows)
            self.assertLessEqual(self.service.total(), rows + self.CALLS_A_KILL * self.kills)


if __name__ == "__main__":
    tap.main()
