#!/usr/bin/python3
"""Several writers on one table: no change is lost, versions have no gaps, and each version is
exactly what its operation made of the one before."""

import http.server
import os
import pathlib
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402


class Writers(coppice.TestCase):
    def rounds(self):
        return 60 if tap.long else 12

    def run_together(self, scripts):
        """Each script is the standard input of one `coppice sql`, all at the same time."""
        processes = []
        for number, script in enumerate(scripts):
            file = self.home.work / f"writer{number}.sql"
            file.write_text(script)
            processes.append(self.home.start("sql", "-f", file))
        for process in processes:
            _, errors = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, errors)

    def check_versions(self, table, count):
        self.assertEqual(self.home.versions(table), list(range(count + 1)))
        times = self.home.values(
            "SELECT bool_and(published_at > before) FROM (SELECT published_at, lag(published_at) "
            "OVER (ORDER BY version) AS before FROM coppice.versions v JOIN coppice.tables t "
            f"USING (tree_id) WHERE t.table_name = '{table}') x WHERE before IS NOT NULL"
        )
        self.assertEqual(times, [[True]])

    def inserts(self, writers):
        table = f"inserts{writers}"
        self.home.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, writer int)")
        rounds = self.rounds()
        self.run_together(
            "".join(
                f"INSERT INTO {table} VALUES ({writer * 1000 + i}, {writer});\n"
                for i in range(rounds)
            )
            for writer in range(writers)
        )
        self.check_versions(table, writers * rounds)
        for version in (0, 1, rounds, writers * rounds):
            rows = self.home.value(f'SELECT count(*) FROM "{table}:{version}"')
            self.assertEqual(rows, version, "each version has one row more than the last")

    def test_two_insert(self):
        self.inserts(2)

    def test_four_insert(self):
        self.inserts(4)

    def test_a_view_is_made_while_others_write(self):
        """Rows of all writers are in the view, those too that came while it was made."""
        self.home.sql("CREATE TABLE paper (id int PRIMARY KEY, n int, words jsonb)")
        self.home.sql("INSERT INTO paper SELECT i, 0, '[\"a\", \"b\"]' FROM generate_series(1, 300) AS i")
        rounds = 60  # with fewer, no row changes between two looks at it
        self.run_together([
            "CREATE MATERIALIZED VIEW word AS SELECT p.id, i.pos, i.element, p.n FROM paper p, "
            "LATERAL elements(p.words) AS i WHERE p.n % 7 <> 3;\n"
            "CREATE MATERIALIZED VIEW first AS SELECT w.id, w.n FROM word w WHERE pos = 0;\n",
            "UPDATE paper SET n = n + 1 WHERE id <= 10;\n" * rounds,
            "".join(f"INSERT INTO paper VALUES ({1000 + i}, {i}, '[{i}]');\n"
                    f"DELETE FROM paper WHERE id = {20 + i};\n" for i in range(rounds)),
            "".join(f"UPDATE paper SET words = '[\"x\", {i}, true]' WHERE id % 50 = {i % 50};\n"
                    for i in range(rounds)),
        ])  # fmt: skip
        self.assertEqual(self.home.value("SELECT sum(n) FROM paper WHERE id <= 10"), 10 * rounds)
        newest = self.home.versions("paper")[-1]
        since = self.home.value("SELECT max(first_version) FROM coppice.materialized_views")
        for version in {since, (since + newest) // 2, newest}:
            differs = self.home.value(
                "SELECT count(*) FROM (SELECT p.id, e.pos - 1 AS pos, e.element, p.n "
                f'FROM "paper:{version}" p, jsonb_array_elements(p.words) WITH ORDINALITY AS '
                "e(element, pos) WHERE p.n % 7 <> 3) a "
                f'FULL JOIN "word:{version}" w USING (id, pos) '
                f'FULL JOIN "first:{version}" f ON f.id = a.id AND a.pos = 0 '
                "WHERE a.element IS DISTINCT FROM w.element OR a.n IS DISTINCT FROM w.n "
                "OR a.pos = 0 AND f.n IS DISTINCT FROM a.n OR a.id IS NULL"
            )
            self.assertEqual(differs, 0, f"version {version}")

    def counters(self, writers, expression, table):
        """All of them count up one row: the end is the number of updates."""
        self.home.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, n int, note text, "
                      f"c bigint GENERATED ALWAYS AS ({expression}) STORED)")  # fmt: skip
        self.home.sql(f"INSERT INTO {table} (id, n) VALUES (1, 0), (2, 0)")
        rounds = self.rounds()
        self.run_together(
            [f"UPDATE {table} SET n = n + 1 WHERE id = 1;\n" * rounds for _ in range(writers)]
        )
        (row,) = self.home.values(f"SELECT n, c FROM {table} WHERE id = 1")
        self.assertEqual(row[0], writers * rounds)
        self.check_versions(table, writers * rounds + 1)
        for version in (2, rounds, writers * rounds + 1):
            self.assertEqual(
                self.home.value(f'SELECT n FROM "{table}:{version}" WHERE id = 1'), version - 1
            )
            self.assertEqual(self.home.value(f'SELECT n FROM "{table}:{version}" WHERE id = 2'), 0)

    def test_two_count_up_one_row(self):
        self.counters(2, "n * 2", "counter2")

    def test_four_count_up_one_row(self):
        self.counters(4, "n * 2", "counter4")

    def test_the_same_key_is_taken_once(self):
        self.home.sql("CREATE TABLE keys (id int PRIMARY KEY, writer int)")
        rounds = self.rounds()
        self.run_together(
            "".join(
                f"INSERT INTO keys VALUES ({i}, {writer}) ON CONFLICT DO NOTHING;\n"
                for i in range(rounds)
            )
            for writer in range(4)
        )
        self.assertEqual(self.home.value("SELECT count(*) FROM keys"), rounds)
        self.check_versions("keys", rounds)

    def test_upserts_lose_no_change(self):
        """Three writers insert or count up the same rows, in orders of their own."""
        self.home.sql("CREATE TABLE upserts (id int PRIMARY KEY, n int)")
        rounds = self.rounds()
        one = "INSERT INTO upserts VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = upserts.n + 1;\n"
        all_of_them = (
            "INSERT INTO upserts SELECT i, 1 FROM generate_series(1, 5) i ORDER BY random() "
            "ON CONFLICT (id) DO UPDATE SET n = upserts.n + excluded.n;\n"
        )
        self.run_together([one * rounds, all_of_them * rounds, (all_of_them + one) * rounds])
        self.assertEqual(
            self.home.values("SELECT id, n FROM upserts ORDER BY id"),
            [[1, 4 * rounds], *([i, 2 * rounds] for i in range(2, 6))],
        )
        self.check_versions("upserts", 4 * rounds)

    def test_a_staged_key_is_taken_once(self):
        """Rows with media are staged: a key that was free then may be taken when they are published."""
        media = coppice.media_folder(self)
        self.home.sql("CREATE TABLE staged_keys (id int PRIMARY KEY, photo image, "
                      "w int GENERATED ALWAYS AS (width(photo)) STORED)")  # fmt: skip
        rounds = max(4, self.rounds() // 4)
        script = "".join(
            f"INSERT INTO staged_keys VALUES ({i}, '{media}/red.png') ON CONFLICT DO NOTHING;\n"
            for i in range(rounds)
        )
        self.run_together([script, script])
        self.assertEqual(
            self.home.values("SELECT count(*), min(w) FROM staged_keys"), [[rounds, 64]]
        )
        self.check_versions("staged_keys", rounds)

    def test_readers_see_whole_statements_only(self):
        """A pair of rows always changes together; no reader ever sees one without the other."""
        self.home.sql("CREATE TABLE pair (id int PRIMARY KEY, n int)")
        self.home.sql("INSERT INTO pair VALUES (1, 0), (2, 0)")
        script = self.home.work / "pair.sql"
        script.write_text("UPDATE pair SET n = n + 1;\n" * self.rounds())
        writer = self.home.start("sql", "-f", script)
        reads = 0
        while writer.poll() is None or reads == 0:
            self.assertEqual(self.home.value("SELECT count(DISTINCT n) FROM pair"), 1)
            reads += 1
        _, errors = writer.communicate()
        self.assertEqual(writer.returncode, 0, errors)

    def test_two_writers_of_computed_media(self):
        media = coppice.media_folder(self)
        self.home.sql("CREATE TABLE pictures (id int PRIMARY KEY, photo image, n int DEFAULT 0, "
                      "w bigint GENERATED ALWAYS AS (width(photo) + n) STORED)")  # fmt: skip
        self.home.sql(f"INSERT INTO pictures (id, photo) VALUES (0, '{media}/red.png')")
        rounds = max(4, self.rounds() // 4)
        scripts = []
        for writer in (1, 2):
            script = ""
            for i in range(rounds):
                number = writer * 100 + i
                script += f"INSERT INTO pictures (id, photo) VALUES ({number}, '{media}/red.png');\n"
                script += "UPDATE pictures SET n = n + 1 WHERE id = 0;\n"
            scripts.append(script)
        self.run_together(scripts)
        self.assertEqual(self.home.values("SELECT n, w FROM pictures WHERE id = 0"),
                         [[2 * rounds, 64 + 2 * rounds]])  # fmt: skip
        self.assertEqual(self.home.value("SELECT count(*) FROM pictures"), 2 * rounds + 1)
        self.check_versions("pictures", 4 * rounds + 1)

    def test_a_row_is_replaced_while_its_update_downloads(self):
        """The key that the update keeps is still its own, whichever version of the row holds it."""
        red = (coppice.media_folder(self) / "red.png").read_bytes()
        asked, may_answer = threading.Event(), threading.Event()

        class Slow(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.set()
                may_answer.wait(60)
                self.send_response(200)
                self.send_header("Content-Length", str(len(red)))
                self.end_headers()
                self.wfile.write(red)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.home.sql("CREATE TABLE slow (id int PRIMARY KEY, photo image, n int, "
                      "w bigint GENERATED ALWAYS AS (width(photo) + n) STORED)")  # fmt: skip
        self.home.sql("INSERT INTO slow (id, n) VALUES (1, 0), (2, 0)")
        url = f"http://127.0.0.1:{server.server_address[1]}/red.png"
        writer = self.home.start("sql", f"UPDATE slow SET photo = '{url}' WHERE id < 3")
        self.assertTrue(asked.wait(60))
        self.home.sql("UPDATE slow SET n = 5 WHERE id = 1")
        may_answer.set()
        _, errors = writer.communicate(timeout=60)
        self.assertEqual(writer.returncode, 0, errors)
        self.assertEqual(self.home.values("SELECT id, n, w FROM slow ORDER BY id"),
                         [[1, 5, 69], [2, 0, 64]])  # fmt: skip
        self.check_versions("slow", 3)

    def test_what_a_stream_was_told_outlives_the_server(self):
        """Statements of one script wait for the disk together; none is called done before that."""
        self.home.sql("CREATE TABLE stream (id int PRIMARY KEY, name text)")
        script = self.home.work / "stream.sql"
        script.write_text("".join(f"INSERT INTO stream VALUES ({i}, 'x');\n" for i in range(50_000)))
        writer = self.home.start("sql", "-f", script)
        told = 0
        for line in writer.stdout:
            told += line.startswith("INSERT 0 1")
            if told == 300:
                backend = self.home.value(
                    "SELECT DISTINCT backend_pid FROM coppice.operations WHERE kind = 'insert' "
                    "AND table_name = 'public.stream'"
                )
                os.kill(backend, signal.SIGKILL)  # the server starts again from its log
        errors = writer.stderr.read()
        self.assertEqual(writer.wait(60), 1, errors)
        count, last = self.home.values("SELECT count(*), max(id) FROM stream")[0]
        self.assertGreaterEqual(count, told)
        self.assertEqual(last, count - 1, "no statement in the middle is missing")
        self.check_versions("stream", count)
        self.assertRegex(errors, rf"the {told} statements before it were done")

    def test_schema_changes_while_others_write(self):
        self.home.sql("CREATE TABLE shifting (id int PRIMARY KEY, n int)")
        rounds = self.rounds()
        inserts = "".join(f"INSERT INTO shifting (id, n) VALUES ({i}, {i});\n" for i in range(rounds))
        changes = "".join(
            f"ALTER TABLE shifting ADD COLUMN c{i} int GENERATED ALWAYS AS (n + {i}) STORED;\n"
            for i in range(4)
        )
        self.run_together([inserts, changes])
        self.assertEqual(
            self.home.values("SELECT count(*), bool_and(c0 = n AND c3 = n + 3) FROM shifting"),
            [[rounds, True]],
        )
        self.check_versions("shifting", rounds + 4)


if __name__ == "__main__":
    tap.main()
