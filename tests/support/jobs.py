"""What tests of jobs have in common: a home with a slow function, and what its jobs say."""

import time

from support import coppice

# 512 rows a batch, 2 workers: a batch takes 2.5 seconds, a row 5 ms.
CODE = """
import time

def slow(n):
    time.sleep(0.01)
    return 2 * n
"""
SLOW_SQL = "CREATE FUNCTION slow_sql(n bigint) RETURNS bigint IMMUTABLE LANGUAGE sql AS " \
           "'SELECT 2 * n FROM pg_sleep(0.0002)'"  # fmt: skip
ROWS = 1500


class Jobs(coppice.TestCase):
    private = True  # its server is killed, and its sessions are looked at
    number = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.home.work / "code.py").write_text(CODE)
        cls.home.sql("CREATE FUNCTION slow(n bigint) RETURNS bigint LANGUAGE python VOLATILE "
                     "AS 'code.py:slow' SET workers = 2 SET batch = 32")  # fmt: skip
        cls.home.sql(SLOW_SQL)

    def setUp(self):
        Jobs.number += 1
        self.table = f"t{Jobs.number}"
        self.home.sql(f"CREATE TABLE {self.table} (id bigint PRIMARY KEY)")

    def fill_rows(self, rows=ROWS):
        self.home.sql(f"INSERT INTO {self.table} SELECT i FROM generate_series(1, {rows}) i")

    def add_column(self, function="slow"):
        return self.start("sql", f"ALTER TABLE {self.table} ADD COLUMN twice bigint "
                          f"GENERATED ALWAYS AS ({function}(id)) STORED")  # fmt: skip

    def start(self, *arguments, **options):
        process = self.home.start(*arguments, **options)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def jobs(self):
        return [job for job in self.home.json_lines("jobs", "list", "--all")
                if job["table"] == f"public.{self.table}" and job["kind"] != "create table"]  # fmt: skip

    def newest(self):
        return max(self.jobs(), key=lambda job: int(job["id"].split("-")[1]))

    def show(self, job):
        (row,) = self.home.json_lines("jobs", "show", job)
        return row

    def await_running(self, rows=1, process=None):
        """The job, once it has done so many rows."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if process is not None and process.poll() is not None:
                self.fail(f"it ended: {process.communicate()}")
            for job in self.jobs():
                if job["state"] != "running":
                    continue
                if rows == 0 or (self.show(job["id"])["rows_done"] or 0) >= rows:
                    return job["id"]
            time.sleep(0.05)
        self.fail(f"nothing runs: {self.jobs()}")

    def check_twice(self, rows=ROWS):
        self.assertEqual(self.home.values(f"SELECT count(*), count(*) FILTER (WHERE twice = 2 * id) "
                                          f"FROM {self.table}"), [[rows, rows]])  # fmt: skip

    def left_behind(self):
        """Staging tables and hidden columns of the table."""
        tree = self.home.value(f"SELECT tree_id FROM coppice.tables WHERE table_name = '{self.table}'")
        return self.home.values(
            f"SELECT relname::text FROM pg_class WHERE relname ~ '^s{tree}_' AND relkind = 'r' "
            "UNION ALL SELECT c.name FROM coppice.columns c JOIN coppice.tables t USING (table_id) "
            f"WHERE t.table_name = '{self.table}' AND c.state = 'filling'"
        )
