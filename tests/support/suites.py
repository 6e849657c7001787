"""Suites: every kind of test the runner knows, behind two calls.

    suite.names()                    the names of its tests, "sql/types/scalars"
    suite.run(patterns, report)      runs those that match; report(Outcome) for each

A test program that crashes, hangs, reports nothing, or exits with a failure it did not report is
a failed test: nothing can be lost between a program and the count.
"""

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import xml.etree.ElementTree as xml_tree

from support.tap import matches


@dataclasses.dataclass
class Outcome:
    name: str
    state: str  # "passed", "failed", "skipped"
    detail: str = ""
    seconds: float = 0.0


def run_limited(argv, seconds, on_line=None, **options):
    """Runs a program in a process group of its own; kills the group after `seconds`. Returns
    (exit code, everything it printed, timed_out)."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        **options,
    )
    timed_out = threading.Event()

    def kill():
        timed_out.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, kill)
    timer.start()
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if on_line:
                on_line(line.rstrip("\n"))
        process.wait()
    finally:
        timer.cancel()
    return process.returncode, "".join(lines), timed_out.is_set()


def tail(text, lines=60):
    return "\n".join(text.splitlines()[-lines:])


def describe_exit(code, timed_out, seconds):
    if timed_out:
        return f"killed after {seconds} s without an end"
    if code < 0:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    return f"exit code {code}"


class Check:
    """A program whose exit code is the result: one test."""

    def __init__(self, name, argv, limit_seconds=300, **options):
        self.name, self._argv, self._limit, self._options = name, argv, limit_seconds, options

    def names(self):
        return [self.name]

    def run(self, patterns, report):
        if not matches(self.name, patterns):
            return
        code, output, timed_out = run_limited(self._argv, self._limit, **self._options)
        if code == 0:
            report(Outcome(self.name, "passed"))
        else:
            reason = describe_exit(code, timed_out, self._limit)
            report(Outcome(self.name, "failed", f"{reason}\n{tail(output)}"))


class TapSuite:
    """A program that reports TAP (support/tap.py)."""

    def __init__(self, name, argv, limit_seconds=600, **options):
        self.name, self._argv, self._limit, self._options = name, argv, limit_seconds, options

    def names(self):
        try:
            code, output, _ = run_limited([*self._argv, "--list"], 60, **self._options)
        except OSError:  # it is not there: run() reports that
            code = -1
        if code != 0:
            return [f"{self.name}/list"]
        return [f"{self.name}/{line}" for line in output.splitlines() if line]

    def run(self, patterns, report):
        # A program that cannot even list its tests is run whole, so that its failure is seen.
        names = [name for name in self.names() if matches(name, patterns)]
        if not names:
            return
        inner = [name[len(self.name) + 1 :] for name in names] if patterns else []
        if inner == ["list"]:
            inner = []
        parser = _TapParser(self.name, report)
        code, output, timed_out = run_limited(
            [*self._argv, *inner], self._limit, parser.line, **self._options
        )
        parser.end(code, describe_exit(code, timed_out, self._limit), output)


class _TapParser:
    _RESULT = re.compile(r"(not )?ok \d+ - (.*?)(?: # SKIP (.*))?$")

    def __init__(self, suite, report):
        self._suite, self._report = suite, report
        self._failed = None  # (name, detail lines) of the failure being read
        self._count = self._failures = 0
        self._plan = None

    def _flush(self):
        if self._failed:
            name, detail = self._failed
            self._report(Outcome(name, "failed", "\n".join(detail)))
            self._failed = None

    def line(self, text):
        if found := self._RESULT.match(text):
            self._flush()
            self._count += 1
            name = f"{self._suite}/{found[2]}"
            if found[1]:
                self._failures += 1
                self._failed = (name, [])
            elif found[3] is not None:
                self._report(Outcome(name, "skipped", found[3]))
            else:
                self._report(Outcome(name, "passed"))
        elif found := re.match(r"1\.\.(\d+)$", text):
            self._plan = int(found[1])
        elif self._failed and text.startswith("#"):
            self._failed[1].append(text[2:])

    def end(self, code, reason, output):
        self._flush()
        problem = None
        if self._plan is None:
            problem = f"it ended without its plan line: {reason}"
        elif self._plan != self._count:
            problem = f"it planned {self._plan} tests and reported {self._count}: {reason}"
        elif code != 0 and not self._failures:
            problem = f"it reported no failure, yet: {reason}"
        elif self._count == 0:
            problem = "it ran no test"
        if problem:
            self._report(Outcome(f"{self._suite}/whole", "failed", f"{problem}\n{tail(output)}"))


class GoogleTests:
    """One GoogleTest program, run through ctest so that its properties hold."""

    def __init__(self, prefix, build, ctest_name, program, limit_seconds=300, environment=None):
        self.name = f"{prefix}/{ctest_name}"
        self._build, self._ctest_name, self._program = build, ctest_name, program
        self._limit, self._environment = limit_seconds, environment or dict(os.environ)

    @staticmethod
    def discover(prefix, build, limit_seconds=300, environment=None):
        """A suite for each test that ctest knows in a build folder; one that fails if it knows none."""
        listing = subprocess.run(
            ["ctest", "--test-dir", str(build), "--show-only=json-v1"],
            check=True,
            capture_output=True,
            text=True,
        )
        tests = json.loads(listing.stdout)["tests"] or [{"name": "none"}]
        return [
            GoogleTests(prefix, build, test["name"], test.get("command"), limit_seconds, environment)
            for test in tests
        ]

    def names(self):
        if not self._program:
            return [f"{self.name}/program"]
        code, output, _ = run_limited([*self._program, "--gtest_list_tests"], 60,
                                      env=self._environment)  # fmt: skip
        if code != 0:
            return [f"{self.name}/program"]
        result, group = [], ""
        for line in output.splitlines():
            text = line.split("#")[0].rstrip()
            if line.startswith("  "):
                result.append(f"{self.name}/{group}{text.strip()}")
            elif text.endswith("."):
                group = text
        return result

    def run(self, patterns, report):
        names = [name for name in self.names() if self._matches(name, patterns)]
        if not names and patterns:
            return
        results = pathlib.Path(self._build) / "test-results" / f"{self._ctest_name}.xml"
        results.parent.mkdir(exist_ok=True)
        results.unlink(missing_ok=True)
        environment = dict(self._environment, GTEST_OUTPUT=f"xml:{results}")
        if patterns:
            environment["GTEST_FILTER"] = ":".join(
                name[len(self.name) + 1 :] for name in names
            )
        code, output, timed_out = run_limited(
            ["ctest", "--test-dir", str(self._build), "--output-on-failure", "--timeout",
             str(self._limit), "--tests-regex", f"^{re.escape(self._ctest_name)}$"],
            self._limit + 10,
            env=environment,
        )  # fmt: skip
        reason = describe_exit(code, timed_out, self._limit)
        if not results.exists():
            detail = f"the program left no results: {reason}\n{tail(output)}"
            report(Outcome(f"{self.name}/program", "failed", detail))
            return
        outcomes = list(self._read(results))
        for outcome in outcomes:
            report(outcome)
        if not outcomes:
            report(Outcome(f"{self.name}/program", "failed", "it ran no test"))
        elif code != 0 and not any(outcome.state == "failed" for outcome in outcomes):
            detail = f"every test passed, yet: {reason}\n{tail(output)}"
            report(Outcome(f"{self.name}/program", "failed", detail))

    def _matches(self, name, patterns):
        # "FileStore.*" alone names a test as well as "cpp/objects/FileStore.*" does.
        return matches(name, patterns) or matches(name[len(self.name) + 1 :], patterns)

    def _read(self, results):
        for case in xml_tree.parse(results).getroot().iter("testcase"):
            name = f"{self.name}/{case.get('classname')}.{case.get('name')}"
            seconds = float(case.get("time", "0"))
            failures = [failure.text or "" for failure in case.iter("failure")]
            skipped = case.find("skipped")
            if failures:
                yield Outcome(name, "failed", "\n".join(failures), seconds)
            elif skipped is not None:
                yield Outcome(name, "skipped", (skipped.get("message") or "").strip(), seconds)
            elif case.get("status") == "run":
                yield Outcome(name, "passed", "", seconds)
