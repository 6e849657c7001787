"""The contract of a benchmark, and the loop that runs both sides in turn."""

import dataclasses
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support.coppice import Home, psql  # noqa: E402

RUNS = 5


class WrongResult(Exception):
    """A side gave something else than it must: its time means nothing."""


class MissingPeer(Exception):
    """The program to compare with is not installed."""


@dataclasses.dataclass
class Row:
    name: str
    ours: float
    theirs: float | None
    ratio: float | None
    bar: str
    met: bool
    unit: str


class Benchmark:
    """One figure. Subclasses set the class attributes and override the methods."""

    name = ""
    meaning = ""  # one line
    unit = "s"  # of what ours() and theirs() return
    bar = 1.0
    at_most = False  # the bar is a ceiling: sizes and times; else a floor: rates
    has_peer = True  # without one the bar is for ours() itself
    full_size = 1
    smoke_size = 1

    def __init__(self, size, folder):
        self.size, self.folder = size, folder

    def prepare(self):
        """Makes what both sides need; not measured."""

    def ours(self):
        """Runs our side once, checks what it gave, and returns the figure."""
        raise NotImplementedError

    def theirs(self):
        raise NotImplementedError

    def clean(self):
        """Stops what prepare() started."""

    def expect(self, found, wanted, what):
        if found != wanted:
            raise WrongResult(f"{self.name}: {what}: {found!r}, must be {wanted!r}")


class HomeBenchmark(Benchmark):
    """With a home and private server of its own. The peer uses the same server, in a schema of its
    own, by the same account as any other client."""

    def prepare(self):
        self.home = Home(self.folder / "home")
        self.home.create()
        self.url = self.home.status()["database_url"]
        psql(self.url, "CREATE SCHEMA peer")

    def clean(self):
        self.home.discard()

    def timed(self, *arguments, **options):
        begin = time.monotonic()
        self.home.run(*arguments, timeout=3600, **options)
        return time.monotonic() - begin

    def timed_psql(self, text):
        begin = time.monotonic()
        run_program(["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname",
                     self.url, "--command", text])  # fmt: skip
        return time.monotonic() - begin


def run_program(argv, **options):
    if shutil.which(argv[0]) is None:
        raise MissingPeer(f"{argv[0]} is not installed")
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            **options)  # fmt: skip
    if result.returncode != 0:
        raise WrongResult(f"{' '.join(map(str, argv))[:300]}\n{result.stderr[-2000:]}")
    return result.stdout


def measure(benchmark, runs):
    """Prepares, runs both sides in turn, and gives the Row."""
    try:
        benchmark.prepare()
        ours, theirs = [], []
        for _ in range(runs):
            if benchmark.has_peer:
                theirs.append(benchmark.theirs())
            ours.append(benchmark.ours())
    finally:
        benchmark.clean()
    ratio = None
    if benchmark.has_peer:
        ratio = statistics.median(mine / peer for mine, peer in zip(ours, theirs))
    figure = statistics.median(ours) if ratio is None else ratio
    met = figure <= benchmark.bar if benchmark.at_most else figure >= benchmark.bar
    return Row(
        name=benchmark.name,
        ours=statistics.median(ours),
        theirs=statistics.median(theirs) if theirs else None,
        ratio=ratio,
        bar=f"{'<=' if benchmark.at_most else '>='} {benchmark.bar:g}",
        met=met,
        unit=benchmark.unit,
    )


def machine():
    cpu = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if "model name" in line),
        platform.machine(),
    )
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"],
                            capture_output=True, text=True).stdout.strip()  # fmt: skip
    return f"{cpu}, {os.cpu_count()} cores, {platform.release()}, commit {commit or 'unknown'}"
