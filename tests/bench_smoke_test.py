#!/usr/bin/python3
"""Every benchmark at smoke size: it runs, its results are right, and its row is well formed. Times
are not checked here."""

import json
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "benchmarks"))
import framework  # noqa: E402
from run_benchmarks import BENCHMARKS  # noqa: E402
from support import tap  # noqa: E402


class Smoke(unittest.TestCase):
    def __init__(self, made=BENCHMARKS[0]):
        super().__init__("run_smoke")
        self.made = made

    def test_name(self, method):
        return self.made.name

    def run_smoke(self):
        program = [sys.executable, ROOT / "benchmarks/run_benchmarks.py"]
        result = subprocess.run([*program, "--smoke", "--json", self.made.name],
                                capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                timeout=300)  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stderr)
        (line,) = result.stdout.splitlines()
        row = json.loads(line)
        self.assertEqual(list(row), ["name", "ours", "theirs", "ratio", "bar", "met", "unit"])
        self.assertGreater(row["ours"], 0)
        self.assertEqual(row["theirs"] is not None, self.made.has_peer)


class Fixed(framework.Benchmark):
    """A benchmark with known figures."""

    name = "fixed"

    def __init__(self, ours, theirs, bar, at_most=False):
        self._ours, self._theirs = iter(ours), iter(theirs)
        self.bar, self.at_most, self.has_peer = bar, at_most, bool(theirs)

    def ours(self):
        return next(self._ours)

    def theirs(self):
        return next(self._theirs)


class Framework(unittest.TestCase):
    def row(self, *arguments, **options):
        return framework.measure(Fixed(*arguments, **options), 5)

    def test_the_ratio_is_the_median_of_the_pairs(self):
        row = self.row([10, 20, 30, 40, 50], [10, 10, 10, 10, 100], 2.0)
        self.assertEqual((row.ratio, row.ours, row.theirs, row.met), (2.0, 30, 10, True))

    def test_a_floor_that_is_missed(self):
        self.assertFalse(self.row([1] * 5, [2] * 5, 0.6).met)

    def test_a_ceiling(self):
        self.assertTrue(self.row([1] * 5, [2] * 5, 0.6, at_most=True).met)

    def test_without_a_peer_the_bar_is_absolute(self):
        row = self.row([15] * 5, [], 20, at_most=True)
        self.assertEqual((row.theirs, row.ratio, row.met), (None, None, True))

    def test_a_wrong_result_is_an_error(self):
        benchmark = Fixed([1], [], 1)
        with self.assertRaises(framework.WrongResult):
            benchmark.expect(1, 2, "rows")

    def test_a_missing_peer_is_an_error(self):
        with self.assertRaises(framework.MissingPeer):
            framework.run_program(["no-such-peer-anywhere"])


def load_tests(loader, tests, pattern):
    smokes = [Smoke(made) for made in BENCHMARKS]
    return unittest.TestSuite([*smokes, loader.loadTestsFromTestCase(Framework)])


if __name__ == "__main__":
    tap.main()
