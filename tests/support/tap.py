"""TAP: how every test program of this project that is not GoogleTest reports (version 13).

    ok 1 - name                  ok 2 - name # SKIP reason
    not ok 3 - name              # what went wrong, on lines that follow
    1..3

A test program understands --list, --long and names (globs) of the tests to run. For tests written
as unittest.TestCase, `main()` below does all of that: the name of test_x in
class C is "C.x", or what the class gives in `test_name(method)`.
"""

import argparse
import fnmatch
import sys
import traceback
import unittest


def matches(name, patterns):
    """True when a pattern is the name, a leading part of it ("types" of "types/scalars"), or a glob
    of it. No patterns: everything matches."""
    return not patterns or any(
        name == pattern or name.startswith(pattern + "/") or fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
    )


class Reporter:
    """Writes TAP lines as the results come."""

    def __init__(self, out=sys.stdout):
        self._out = out
        self._count = 0
        self.failed = 0

    def _line(self, text):
        self._out.write(text + "\n")
        self._out.flush()

    def passed(self, name):
        self._count += 1
        self._line(f"ok {self._count} - {name}")

    def skipped(self, name, reason):
        self._count += 1
        self._line(f"ok {self._count} - {name} # SKIP {reason}")

    def failed_with(self, name, detail):
        self._count += 1
        self.failed += 1
        self._line(f"not ok {self._count} - {name}")
        for line in detail.rstrip().splitlines():
            self._line("# " + line)

    def end(self):
        self._line(f"1..{self._count}")


class _Result(unittest.TestResult):
    def __init__(self, reporter):
        super().__init__()
        self._reporter = reporter
        self._failures_of = {}

    def addSubTest(self, test, subtest, err):
        if err is not None:
            text = "".join(traceback.format_exception(*err))
            self._failures_of.setdefault(test, []).append(f"{subtest}\n{text}")

    def _failure(self, test, err):
        text = "".join(traceback.format_exception(*err))
        self._failures_of.setdefault(test, []).append(text)

    addError = _failure
    addFailure = _failure

    def addSkip(self, test, reason):
        self._failures_of[test] = None
        self._reporter.skipped(name_of(test), reason)

    def stopTest(self, test):
        super().stopTest(test)
        if test not in self._failures_of:
            self._reporter.passed(name_of(test))
        elif self._failures_of[test] is not None:
            self._reporter.failed_with(name_of(test), "\n".join(self._failures_of[test]))


def name_of(test):
    method = test._testMethodName
    if hasattr(test, "test_name"):
        return test.test_name(method)
    return f"{type(test).__name__}.{method.removeprefix('test_')}"


def _flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _flatten(item)
        else:
            yield item


def run(tests, arguments, reporter=None):
    """Runs the TestCases whose name is asked for; returns the exit code."""
    chosen = [test for test in tests if matches(name_of(test), arguments.names)]
    if arguments.list:
        for test in chosen:
            print(name_of(test))
        return 0
    reporter = reporter or Reporter()
    suite = unittest.TestSuite(chosen)  # calls setUpClass and tearDownClass as it should
    result = _Result(reporter)
    try:
        suite.run(result)
    finally:
        # What failed outside a test (setUpClass) has no stopTest: report it by itself.
        for holder, failures in result._failures_of.items():
            if failures and not hasattr(holder, "_testMethodName"):
                reporter.failed_with(str(holder), "\n".join(failures))
        reporter.end()
    return 1 if reporter.failed else 0


def parse_arguments(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    parser.add_argument("--long", action="store_true", help="run the full counts")
    parser.add_argument("names", nargs="*", help="names (globs) of the tests to run")
    return parser.parse_args(argv)


def main():
    """The main program of a file of TestCases. A class that wants --long reads `tap.long`."""
    arguments = parse_arguments()
    sys.modules["support.tap"].long = arguments.long
    loader = unittest.TestLoader()
    tests = list(_flatten(loader.loadTestsFromModule(sys.modules["__main__"])))
    sys.exit(run(tests, arguments))


long = False
