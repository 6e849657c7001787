"""Functions of users: what a call costs, and how well their processes are kept busy."""

import multiprocessing
import os
import time

from framework import HomeBenchmark

CODE = """
import time
from coppice import function

def plus_one(n):
    return n + 1

@function(batched=True)
def plus_one_batched(numbers):
    return [n + 1 for n in numbers]

def asleep(n):
    time.sleep(0.005)
    return n + 1
"""


def sleep_and_add(number):
    """The peer's function: it must be importable by the processes of the pool."""
    time.sleep(0.005)
    return number + 1


class FunctionBenchmark(HomeBenchmark):
    """One VOLATILE function (results of others are kept and not asked for again) over a table of numbers. The time of a query that calls nothing is taken off, so
    that what is left is the function."""

    function = ""
    settings = ""
    warm = "SELECT sum(x) FROM (SELECT called(n) AS x FROM numbers WHERE n <= 4) s;"

    def prepare(self):
        super().prepare()
        (self.home.work / "calls.py").write_text(CODE)
        self.home.sql(
            f"CREATE FUNCTION called(n bigint) RETURNS bigint LANGUAGE python VOLATILE "
            f"AS 'calls.py:{self.function}' {self.settings};"
            f"CREATE TABLE numbers (n bigint PRIMARY KEY);"
            f"INSERT INTO numbers SELECT generate_series(1, {self.size})"
        )
        self.home.sql(self.warm)

    def seconds_of(self, script):
        begin = time.monotonic()
        values = self.home.sql(script, environment={}).split()
        return time.monotonic() - begin, values

    def call_seconds(self):
        """Of calls for all rows, without starting workers: they are warm in the second statement."""
        query = "SELECT sum(x) FROM (SELECT called(n) AS x FROM numbers) s;"
        without, _ = self.seconds_of(self.warm)
        with_calls, values = self.seconds_of(self.warm + query)
        self.expect(str(self.size * (self.size + 1) // 2 + self.size) in values, True, "the sum")
        return max(with_calls - without, 1e-9)


class PythonOverhead(FunctionBenchmark):
    name = "python_overhead"
    meaning = "a row's call of a trivial Python function at batch 64, query and all"
    unit = "µs/row"
    bar = 30
    at_most = True
    has_peer = False
    full_size = 200_000
    smoke_size = 500
    function = "plus_one_batched"
    settings = "SET batch = 64"

    def ours(self):
        return self.call_seconds() / self.size * 1e6


class PythonPool(FunctionBenchmark):
    name = "python_pool"
    meaning = "a Python function that sleeps 5 ms, against multiprocessing.Pool of as many processes"
    unit = "rows/s"
    bar = 0.9
    full_size = 4_000
    smoke_size = 40
    function = "asleep"
    processes = max(2, os.cpu_count() or 1)

    @property
    def settings(self):
        return f"SET workers = {self.processes}"

    def ours(self):
        return self.size / self.call_seconds()

    def theirs(self):
        with multiprocessing.get_context("spawn").Pool(self.processes) as pool:
            pool.map(sleep_and_add, range(self.processes), chunksize=1)  # all are started
            begin = time.monotonic()
            total = sum(pool.imap_unordered(sleep_and_add, range(1, self.size + 1), chunksize=1))
            seconds = time.monotonic() - begin
        self.expect(total, self.size * (self.size + 1) // 2 + self.size, "the sum")
        return self.size / seconds


BENCHMARKS = [PythonOverhead, PythonPool]
