"""Functions of HTTP services: how near calls come to the rate that latency allows, and what they cost."""

import json
import pathlib
import resource
import subprocess
import sys
import time

from framework import HomeBenchmark, WrongResult

SERVICE = pathlib.Path(__file__).resolve().parent / "slow_service.py"


class ServiceBenchmark(HomeBenchmark):
    """A STABLE function of a service that takes 20 ms, 64 calls at a time, over a column of numbers:
    every call is made, its result kept, and stored in a computed column. Each run asks for numbers
    that were never asked for."""

    latency_ms = 20
    in_flight = 64
    full_size = 20_000
    smoke_size = 200

    def prepare(self):
        super().prepare()
        self.run_number = 0

    def one_run(self):
        """(seconds, CPU seconds of the engine) of `size` calls, everything included."""
        self.run_number += 1
        service = subprocess.Popen([sys.executable, SERVICE, str(self.latency_ms)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
        try:
            port = int(service.stdout.readline())
            first = self.run_number * self.size
            self.home.sql(
                "DROP TABLE IF EXISTS asked; CREATE TABLE asked (n bigint PRIMARY KEY);"
                f"INSERT INTO asked SELECT generate_series({first}, {first + self.size - 1});"
                "CREATE OR REPLACE FUNCTION next(n bigint) RETURNS bigint LANGUAGE http STABLE AS "
                f"'json:http://127.0.0.1:{port}/next' SET in_flight = {self.in_flight} SET result = '/n'"
            )
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            begin = time.monotonic()
            self.home.run("sql", "ALTER TABLE asked ADD COLUMN answer bigint "
                                 "GENERATED ALWAYS AS (next(n)) STORED",
                          timeout=3600, environment={"no_proxy": "127.0.0.1"})  # fmt: skip
            seconds = time.monotonic() - begin
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found = self.home.values("SELECT count(*), bool_and(answer = n + 1) FROM asked")
            self.expect(found, [[self.size, True]], "answers")
        finally:
            told, _ = service.communicate()
        facts = json.loads(told)
        self.expect(facts["answers"], self.size, "calls")
        if facts["most_at_once"] > self.in_flight:
            raise WrongResult(f"{self.name}: {facts['most_at_once']} calls at the same time")
        if facts["cpu_seconds"] > 0.7 * seconds:
            raise WrongResult(f"{self.name}: the service itself was busy: {facts}")
        cpu_seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        return seconds, cpu_seconds


class HttpCalls(ServiceBenchmark):
    name = "http_calls"
    meaning = "calls a second of a service with 20 ms latency, 64 in flight, against 64 / 20 ms"
    unit = "calls/s"
    bar = 0.9

    def ours(self):
        seconds, _ = self.one_run()
        return self.size / seconds

    def theirs(self):
        """What latency alone allows: no peer could be faster."""
        return self.in_flight / (self.latency_ms / 1000)


class HttpEngineCpu(ServiceBenchmark):
    name = "http_engine_cpu"
    meaning = "cores that the engine needs for 10,000 calls a minute"
    unit = "cores"
    bar = 1
    at_most = True
    has_peer = False

    def ours(self):
        _, cpu_seconds = self.one_run()
        return cpu_seconds / self.size * 10_000 / 60


BENCHMARKS = [HttpCalls, HttpEngineCpu]
