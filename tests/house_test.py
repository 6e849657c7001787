#!/usr/bin/python3
"""The house itself: the scripts refuse what they must, the checks find what they are for, and no
failure of a test program can be lost on its way to the count."""

import contextlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support import suites, tap  # noqa: E402


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="house."))
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, text, mode=0o644):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def run_program(self, *argv, **options):
        return subprocess.run(argv, capture_output=True, text=True, **options)


class Scripts(Folder):
    def refusal(self, script, os_release):
        file = self.write("os-release", os_release)
        begin = time.monotonic()
        result = self.run_program(
            str(ROOT / script), env=dict(os.environ, COPPICE_OS_RELEASE=str(file))
        )
        self.assertLess(time.monotonic() - begin, 1.0)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def test_another_system_is_refused_by_name(self):
        fedora = 'NAME="Fedora Linux"\nPRETTY_NAME="Fedora Linux 39"\nVERSION_CODENAME=""\n'
        trixie = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\n'
        for script in ("demo.sh", "test.sh", "bench.sh"):
            self.assertIn("this is Fedora Linux 39; ", self.refusal(script, fedora))
            self.assertIn("13 (trixie)", self.refusal(script, trixie))

    def test_a_derivative_of_bookworm_passes(self):
        file = self.write("os-release", "PRETTY_NAME=Mint\nDEBIAN_CODENAME=bookworm\n")
        code = f". {ROOT}/scripts/common.sh; require_debian_12; echo passed"
        environment = dict(os.environ, COPPICE_OS_RELEASE=str(file))
        result = self.run_program("bash", "-c", code, env=environment)
        self.assertEqual(result.stdout, "passed\n")

    def test_install_is_fast_when_nothing_is_missing(self):
        code = f". {ROOT}/scripts/common.sh; install_packages build runtime test; echo done"
        begin = time.monotonic()
        result = self.run_program("bash", "-c", code)
        self.assertEqual(result.stdout, "done\n", result.stderr)
        self.assertLess(time.monotonic() - begin, 1.0)

    def test_a_failed_step_shows_its_end_and_its_log(self):
        code = f". {ROOT}/scripts/common.sh; logs={self.folder}; logged step bash -c 'echo why; exit 3'"
        result = self.run_program("bash", "-c", code)
        self.assertEqual(result.returncode, 1)
        self.assertIn("why", result.stderr)
        self.assertIn(f"step failed (exit code 3). Everything it said is in {self.folder}/step.log",
                      result.stderr)  # fmt: skip


class Layers(Folder):
    def problems(self, files):
        self.write("src/LAYERS", "base:\npg: base\ncli: base\n")
        for name, text in files.items():
            self.write(f"src/{name}", text)
        result = self.run_program(str(ROOT / "scripts/check_layers.py"), str(self.folder / "src"))
        self.assertEqual(result.returncode, 1 if result.stdout else 0)
        return result.stdout.splitlines()

    def test_what_is_allowed_passes(self):
        files = {"pg/a.cpp": '#include <libpq-fe.h>\n#include "base/error.h"\n#include "pg/a.h"\n'}
        self.assertEqual(self.problems(files), [])

    def test_an_upward_include_is_found(self):
        found = self.problems({"base/a.cpp": '\n#include "pg/a.h"\n'})
        self.assertEqual(found, ["src/base/a.cpp:2: base may not include pg (src/LAYERS)"])

    def test_libpq_outside_pg_is_found(self):
        found = self.problems({"cli/a.cpp": "#include <libpq-fe.h>\n"})
        self.assertEqual(found, ["src/cli/a.cpp:1: <libpq-fe.h> belongs to pg only"])

    def test_a_codec_outside_functions_is_found(self):
        found = self.problems({"cli/a.cpp": "#include <libavcodec/avcodec.h>\n"})
        self.assertEqual(
            found, ["src/cli/a.cpp:1: <libavcodec/avcodec.h> belongs to functions only"]
        )

    def test_a_link_past_the_layers_is_found(self):
        found = self.problems({"base/CMakeLists.txt": "coppice_component(NAME base DEPENDS cli)"})
        self.assertEqual(found, ["src/base/CMakeLists.txt: links cli (src/LAYERS forbids it)"])


class Docs(Folder):
    def problems(self, name, text):
        self.write(name, text)
        result = self.run_program(str(ROOT / "scripts/check_docs.py"), str(self.folder))
        return result.stdout.splitlines()

    def test_a_dead_link_is_found(self):
        self.assertEqual(
            self.problems("a.md", "x\n[here](gone.md)\n"), ["a.md:2: the link gone.md leads nowhere"]
        )

    def test_a_dead_heading_is_found(self):
        self.assertEqual(
            self.problems("a.md", "# One thing\n[a](#one-thing) [b](#other)\n"),
            ["a.md:2: #other: no such heading"],
        )

    def test_a_machine_path_is_found(self):
        path = "/home" + "/somebody/x"
        self.assertEqual(len(self.problems("a.txt", f"see {path}\n")), 1)


class Runner(Folder):
    def outcomes(self, suite):
        result = []
        suite.run([], result.append)
        return [(outcome.name, outcome.state) for outcome in result]

    def tap(self, script, limit=20):
        program = self.write("program", f"#!/bin/bash\n[[ $1 == --list ]] && exit\n{script}\n", 0o755)
        suite = suites.TapSuite("s", [str(program)], limit)
        suite.names = lambda: ["s/one"]
        return self.outcomes(suite)

    def test_tap_results_are_counted_singly(self):
        self.assertEqual(
            self.tap("echo 'ok 1 - a'; echo 'not ok 2 - b'; echo '# why'; "
                     "echo 'ok 3 - c # SKIP no server'; echo 1..3; exit 1"),
            [("s/a", "passed"), ("s/b", "failed"), ("s/c", "skipped")],
        )  # fmt: skip

    def test_tap_program_that_crashes_has_failed(self):
        self.assertEqual(
            self.tap("echo 'ok 1 - a'; kill -SEGV $$"), [("s/a", "passed"), ("s/whole", "failed")]
        )

    def test_tap_program_that_hangs_is_killed_and_has_failed(self):
        self.assertEqual(self.tap("sleep 60", limit=0.3), [("s/whole", "failed")])

    def test_tap_program_without_tests_has_failed(self):
        self.assertEqual(self.tap("echo 1..0"), [("s/whole", "failed")])

    def test_tap_program_that_loses_a_test_has_failed(self):
        self.assertEqual(self.tap("echo 'ok 1 - a'; echo 1..2")[-1], ("s/whole", "failed"))

    def test_tap_program_that_fails_silently_has_failed(self):
        self.assertEqual(
            self.tap("echo 'ok 1 - a'; echo 1..1; exit 3")[-1], ("s/whole", "failed")
        )

    GTEST = '<testsuites><testsuite name="S">{}</testsuite></testsuites>'
    CASE = '<testcase name="{}" classname="S" status="run" time="0">{}</testcase>'

    def gtest(self, cases, after="exit 0"):
        """A program that leaves the results a GoogleTest program would, driven by the real ctest."""
        results = self.GTEST.format("".join(self.CASE.format(*case) for case in cases))
        write = f"cat >\"${{GTEST_OUTPUT#xml:}}\" <<'E'\n{results}\nE\n"
        self.write("program", f"#!/bin/bash\n{write}{after}\n", 0o755)
        self.write("CTestTestfile.cmake", f'add_test(one "{self.folder}/program")\n')
        (suite,) = suites.GoogleTests.discover("cpp", self.folder)
        return self.outcomes(suite)

    def test_gtest_results_are_counted_singly(self):
        self.assertEqual(
            self.gtest([("A", ""), ("B", "<failure>x</failure>"), ("C", "<skipped message='m'/>")],
                       "exit 1"),
            [("cpp/one/S.A", "passed"), ("cpp/one/S.B", "failed"), ("cpp/one/S.C", "skipped")],
        )  # fmt: skip

    def test_gtest_program_that_crashes_has_failed(self):
        self.write("CTestTestfile.cmake", f'add_test(one "{self.folder}/program")\n')
        self.write("program", "#!/bin/bash\nkill -ABRT $$\n", 0o755)
        (suite,) = suites.GoogleTests.discover("cpp", self.folder)
        self.assertEqual(self.outcomes(suite), [("cpp/one/program", "failed")])

    def test_gtest_program_that_dies_after_its_tests_has_failed(self):
        self.assertEqual(
            self.gtest([("A", "")], "kill -ABRT $$"),
            [("cpp/one/S.A", "passed"), ("cpp/one/program", "failed")],
        )

    def test_gtest_program_without_tests_has_failed(self):
        self.assertEqual(self.gtest([]), [("cpp/one/program", "failed")])

    def test_a_build_without_tests_has_failed(self):
        self.write("CTestTestfile.cmake", "")
        (suite,) = suites.GoogleTests.discover("cpp", self.folder)
        self.assertEqual(self.outcomes(suite), [("cpp/none/program", "failed")])

    def test_a_tap_program_that_is_missing_has_failed(self):
        import run_tests

        count = run_tests.Count({})
        suite = suites.TapSuite("s", [str(self.folder / "absent")])
        with contextlib.redirect_stdout(io.StringIO()):
            run_tests.run_suite(suite, [], count)
            self.assertEqual(count.states["failed"], 1)
            run_tests.run_suite(suite, ["other"], count)
        self.assertEqual(count.states["failed"], 1, "it was not asked for")

    def test_gtest_program_that_is_missing_has_failed(self):
        self.write("CTestTestfile.cmake", f'add_test(one "{self.folder}/absent")\n')
        (suite,) = suites.GoogleTests.discover("cpp", self.folder)
        self.assertEqual(self.outcomes(suite), [("cpp/one/program", "failed")])

    def test_a_skip_that_is_not_listed_has_failed(self):
        import run_tests

        count = run_tests.Count({"s/a": "no reason"})
        with contextlib.redirect_stdout(io.StringIO()):
            count.report("s", suites.Outcome("s/a", "skipped", "x"))
            count.report("s", suites.Outcome("s/b", "skipped", "x"))
        self.assertEqual(count.states, {"passed": 0, "failed": 1, "skipped": 1})


if __name__ == "__main__":
    tap.main()
