"""Repositories: opening one with millions of blobs."""

import json
import os

from framework import ROOT, Benchmark, run_program

PROGRAM = os.environ.get("COPPICE_REPOSITORY_BENCH") or str(
    ROOT / "build/release/benchmarks/repository_bench"
)
LOOKUPS = 100_000
MOST_REQUESTS = 3  # beyond those for index files


class OpenRepository(Benchmark):
    name = "open_repository"
    meaning = "opening an encrypted repository of 5 M blobs: keys, and every index in memory"
    bar = 2.0
    at_most = True
    has_peer = False
    full_size = 5_000_000
    smoke_size = 50_000
    blobs_in_index = 1 << 20

    def prepare(self):
        self.place = self.folder / "repository"
        run_program([PROGRAM, "make", self.place, str(self.size), str(self.blobs_in_index)])

    def opened(self):
        report = json.loads(run_program([PROGRAM, "open", self.place]))
        self.expect(report["blobs"], self.size, "blobs")
        self.expect(report["found"], LOOKUPS, "blobs that are found")
        requests = report["requests"] - report["indexes"]
        self.expect(requests <= MOST_REQUESTS, True, f"{requests} requests beside the indexes")
        return report

    def ours(self):
        return self.opened()["seconds"]


class OpenRepositoryMemory(OpenRepository):
    name = "open_repository_memory"
    meaning = "the most memory that a process has which opens it"
    unit = "MiB"
    bar = 512

    def ours(self):
        return self.opened()["peak_bytes"] / 2**20


class OpenRepositoryOfManyBackups(OpenRepository):
    name = "open_repository_backups"
    meaning = "opening one of 3,000 small backups, and finding 100,000 blobs"
    full_size = 300_000
    smoke_size = 3_000
    blobs_in_index = 100

    def ours(self):
        report = self.opened()
        return report["seconds"] + report["seconds_to_find"]


BENCHMARKS = [OpenRepository, OpenRepositoryMemory, OpenRepositoryOfManyBackups]
