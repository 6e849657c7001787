#!/usr/bin/python3
"""A reader that holds a lock for a minute while the schema is changed: the change gives up in good
time and names who blocks it; nobody else has to wait behind it."""

import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import wait_until  # noqa: E402


class LongReader(coppice.TestCase):
    def setUp(self):
        self.home.sql("DROP TABLE IF EXISTS t")
        self.home.sql("CREATE TABLE t (id int PRIMARY KEY, a text, b text); "
                      "INSERT INTO t VALUES (1, 'x', 'y')")  # fmt: skip
        self.reader = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--dbname", self.home.status()["database_url"]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.addCleanup(self.release)
        self.tell("SET application_name = 'long reader'; BEGIN; SELECT count(*) FROM t;")
        query = ("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'long reader' "
                 "AND state = 'idle in transaction'")  # fmt: skip
        wait_until(lambda: self.home.value(query) == 1, "the reader did not begin")

    def tell(self, text):
        self.reader.stdin.write(text + "\n")
        self.reader.stdin.flush()

    def release(self):
        if self.reader.poll() is None:
            self.reader.communicate("COMMIT;\n\\q\n", timeout=30)

    def test_a_change_that_must_rebuild_the_view_names_the_blocker(self):
        begin = time.monotonic()
        errors = self.home.fail("sql", "ALTER TABLE t DROP COLUMN b", timeout=60)
        self.assertLess(time.monotonic() - begin, 45)
        self.assertIn("long reader", errors)
        self.assertNotIn("coppice_store", errors)
        self.assertEqual(self.home.versions("t"), [0, 1])
        self.release()
        self.home.sql("ALTER TABLE t DROP COLUMN b")
        self.assertEqual(self.home.rows("SELECT * FROM t"), [{"id": 1, "a": "x"}])

    def test_nobody_queues_behind_the_waiting_change(self):
        change = self.home.start("sql", "ALTER TABLE t DROP COLUMN b")
        try:
            while change.poll() is None:
                begin = time.monotonic()
                self.home.psql("SELECT count(*) FROM t")
                self.home.sql("UPDATE t SET a = a || '.'")
                self.assertLess(time.monotonic() - begin, 5.0)
        finally:
            change.communicate(timeout=60)

    def test_rows_can_be_written_meanwhile(self):
        self.home.sql("INSERT INTO t VALUES (2, 'p', 'q'); DELETE FROM t WHERE id = 1")
        self.assertEqual(self.home.value("SELECT count(*) FROM t"), 1)
        # The reader's own snapshot is READ COMMITTED: it sees the change at its next statement.
        self.tell("SELECT 'rows ' || count(*) FROM t WHERE id = 2;")
        self.release()

    def test_a_change_goes_through_as_soon_as_the_lock_is_gone(self):
        change = self.home.start("sql", "ALTER TABLE t RENAME COLUMN b TO c")
        time.sleep(0.5)
        self.release()
        _, errors = change.communicate(timeout=60)
        self.assertEqual(change.returncode, 0, errors)
        self.assertEqual(self.home.rows("SELECT * FROM t"), [{"id": 1, "a": "x", "c": "y"}])


if __name__ == "__main__":
    tap.main()
