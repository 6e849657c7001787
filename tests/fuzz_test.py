#!/usr/bin/python3
"""The fuzzers (tests/fuzz), in --long: each runs for ten minutes from its corpus and must find
nothing. In the quick set their corpora run through the sanitized tests beside the sources."""

import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/fuzz"
sys.path.insert(0, str(ROOT / "tests"))
from support import coppice, tap  # noqa: E402

SECONDS = 600
# Program, folder of its corpus, its dictionary.
FUZZERS = [
    ("sql_fuzzer", "sql_corpus", "sql.dict"),
    ("repo_fuzzer", "../formats/repository-1", "repo.dict"),
]


def run(*argv, **options):
    return subprocess.run([str(arg) for arg in argv], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                          **options)  # fmt: skip


class Fuzz(unittest.TestCase):
    def __init__(self, program=FUZZERS[0][0], corpus=FUZZERS[0][1], words=FUZZERS[0][2]):
        super().__init__("run_fuzzer")
        self.program, self.corpus, self.words = program, corpus, words

    def test_name(self, method):
        return self.program

    def run_fuzzer(self):
        if not (BUILD / "build.ninja").exists():
            self.succeed(run("cmake", "-S", ROOT, "--preset", "fuzz"))
        self.succeed(run("cmake", "--build", BUILD, "--target", self.program))
        folder = coppice.scratch_folder(self, "fuzz.")
        found = folder / "found"
        found.mkdir()
        result = run(
            BUILD / "tests/fuzz" / self.program, f"-max_total_time={SECONDS}", "-timeout=20",
            "-rss_limit_mb=2048", f"-dict={ROOT / 'tests/fuzz' / self.words}",
            f"-artifact_prefix={folder}/", found, ROOT / "tests/fuzz" / self.corpus,
        )  # fmt: skip
        self.succeed(result)
        runs = re.search(r"Done (\d+) runs", result.stdout)
        self.assertTrue(runs and int(runs[1]) > 1000, result.stdout[-2000:])

    def succeed(self, result):
        self.assertEqual(result.returncode, 0, result.stdout[-6000:])


def load_tests(loader, tests, pattern):
    return unittest.TestSuite(Fuzz(*fuzzer) for fuzzer in FUZZERS)


if __name__ == "__main__":
    tap.main()
