#!/usr/bin/python3
"""Runs every test of the project on what test.sh has built, and counts them.

The last line is "N passed, N failed, N skipped"; each counts single tests, not programs. A test
that is skipped without a line in tests/allowed_skips has failed.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support import make_media  # noqa: E402
from support.suites import Check, GoogleTests, Outcome, TapSuite  # noqa: E402
from support.tap import matches  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"
# Suites whose time is that of slow functions and of locks: they wait beside the others, one by one.
WAITING = ("shared_fills", "background", "jobs", "locks")


def program_for_tests(scratch):
    """The release program; installed into the scratch folder when the account that the workers run
    as under root cannot enter this one."""
    build = ROOT / "build/release"
    if os.geteuid() == 0 and build.exists():
        probe = ["setpriv", "--reuid=coppice", "--regid=coppice", "--clear-groups", "test", "-x", build]
        if subprocess.run(probe).returncode != 0:
            prefix = scratch / "program"
            subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            return prefix / "bin/coppice"
    return build / "coppice"


def environment(scratch, long):
    """What every test sees: the program as it is shipped, the test hooks, a scratch folder, and
    nothing of the user's own Coppice."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("COPPICE", "PG"))
    }
    if external := os.environ.get("COPPICE_TEST_DATABASE_URL"):
        kept["COPPICE_TEST_DATABASE_URL"] = external
    if long:
        kept["COPPICE_TEST_LONG"] = "1"  # C++ tests that have more to try
    return kept | {
        "COPPICE": str(program_for_tests(scratch)),
        "COPPICE_TEST": "1",
        "COPPICE_HOME": str(scratch / "no-home"),
        "COPPICE_TEST_MEDIA": str(scratch / "media"),
        "TMPDIR": str(scratch),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "halt_on_error=1",
    }


def make_pattern(env, folder):
    """The home that tests copy where they ask for one of their own, which costs less than `init`.
    They kill processes, not the machine, so its server need not wait for the disk. A program that
    cannot make it fails in the tests."""
    coppice = [env["COPPICE"], "--home", folder]
    for verb in ("init", "stop"):
        made = subprocess.run([*coppice, verb], env=env, capture_output=True, stdin=subprocess.DEVNULL)
        if made.returncode != 0:
            return
    with open(folder / "pgdata/postgresql.auto.conf", "a") as settings:
        settings.write("fsync = off\nfull_page_writes = off\n")
    env["COPPICE_TEST_PATTERN"] = str(folder)


def checks():
    scripts = ROOT / "scripts"
    for name in ("layers", "docs", "file_length", "packages"):
        yield Check(f"check/{name}", [PYTHON, str(scripts / f"check_{name}.py")])
    for name in ("format", "shell", "python"):
        yield Check(f"check/{name}", [str(scripts / f"check_{name}.sh")])


def suites(long, env, names=()):
    """Every suite, those that take longest first. Planted defects only when asked for."""
    build = ROOT / "build/dev"
    limit = 3600 if long else 600
    flags = ["--long"] if long else []

    def python(name, file):
        return TapSuite(name, [PYTHON, str(ROOT / "tests" / file), *flags], limit, env=env)

    if long or any(name.split("/")[0] == "mutations" for name in names):
        file = str(ROOT / "tests/mutations/run_mutations.py")
        yield TapSuite("mutations", [PYTHON, file], 4 * 3600, env=env)
    runner = build / "tests/sql/sql_runner"
    yield TapSuite("sql", [str(runner), *flags], limit, env=env)
    yield TapSuite("sql_private", [str(runner), "--private", *flags], limit, env=env)
    yield from GoogleTests.discover("cpp", build, limit, env)
    yield python("bench", "bench_smoke_test.py")
    yield TapSuite("sql_plain", [str(runner), "--plain"], limit, env=env)
    yield python("crash", "crash/crash_test.py")
    yield python("property", "property/history_test.py")
    for file in sorted((ROOT / "tests/integration").glob("*_test.py")):
        yield python(file.stem.removesuffix("_test"), f"integration/{file.name}")
    yield python("package", "package_test.py")
    yield python("sdk", "sdk_test.py")
    yield python("house", "house_test.py")
    yield python("mutations_runner", "mutations_runner_test.py")
    if long:
        yield python("fuzz", "fuzz_test.py")
    yield from checks()
    if long and (ROOT / "build/tsan/CTestTestfile.cmake").exists():
        for suite in GoogleTests.discover("tsan", ROOT / "build/tsan", limit, env):
            # One thread of ours, beside the codecs' own: those are not built with the sanitizer,
            # which sees their threads and not their locks.
            if suite.name != "tsan/functions":
                yield suite


class Count:
    """Takes outcomes from several threads, prints them, and knows the totals."""

    def __init__(self, allowed_skips):
        self._allowed = allowed_skips
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self.states = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures = []
        self._suite_counts = {}

    def report(self, suite, outcome):
        if outcome.state == "skipped" and outcome.name not in self._allowed:
            reason = f"skipped ({outcome.detail}) without a line in tests/allowed_skips"
            outcome = Outcome(outcome.name, "failed", reason)
        with self._lock:
            self.states[outcome.state] += 1
            self._suite_counts[suite] = self._suite_counts.get(suite, 0) + 1
            if outcome.state == "failed":
                self.failures.append(outcome.name)
                print(f"FAILED   {outcome.name}")
                for line in outcome.detail.splitlines():
                    print(f"         {line}")
            elif outcome.state == "skipped":
                print(f"skipped  {outcome.name}: {outcome.detail}")
            sys.stdout.flush()

    def suite_done(self, suite, seconds):
        with self._lock:
            count = self._suite_counts.get(suite, 0)
            if count:
                at = int(time.monotonic() - self._begin)
                print(f"   {suite}: {count} in {seconds:.1f} s  [{at // 60}:{at % 60:02}]")
                sys.stdout.flush()


def read_allowed_skips():
    """{test name: reason}; a line is a name, white space, and the reason."""
    result = {}
    for line in (ROOT / "tests/allowed_skips").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            if not reason.strip():
                sys.exit(f"tests/allowed_skips: {name} has no reason")
            result[name] = reason.strip()
    return result


def run_suite(suite, patterns, count):
    begin = time.monotonic()
    try:
        suite.run(patterns, lambda outcome: count.report(suite.name, outcome))
    except Exception as error:  # a defect of the runner itself must not lose a suite
        detail = f"{type(error).__name__}: {error}"
        count.report(suite.name, Outcome(f"{suite.name}/whole", "failed", detail))
    count.suite_done(suite.name, time.monotonic() - begin)


def build_tsan():
    """The thread sanitizer's build, of --long only."""
    build = ROOT / "build/tsan"
    if not (build / "build.ninja").exists():
        subprocess.run(["cmake", "-S", ROOT, "--preset", "tsan"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
    subprocess.run(["cmake", "--build", build], check=True, stdout=subprocess.DEVNULL)


def stop_servers(scratch):
    """Stops the servers that failed tests left behind in their homes."""
    for pid_file in scratch.rglob("postmaster.pid"):
        try:
            pid = int(pid_file.read_text().splitlines()[0])
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(scratch)):
                os.kill(pid, signal.SIGQUIT)
        except (OSError, ValueError, IndexError):
            continue


def memory_folder():
    """Where the quick set makes its hundreds of homes: in memory, if there is room and nobody has said
    TMPDIR; at most 1 GiB was used. None: where temporary files go. --long is always on a disk."""
    folder = "/dev/shm"
    if os.environ.get("TMPDIR") or not os.path.ismount(folder):
        return None
    system = os.statvfs(folder)
    usable = not system.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)
    return folder if usable and system.f_bavail * system.f_frsize >= 4 << 30 else None


def main():
    parser = argparse.ArgumentParser(prog="test.sh", description="Runs the tests.")
    parser.add_argument("--long", action="store_true", help="the full counts")
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    parser.add_argument("names", nargs="*", help="names, leading parts of names, or globs")
    arguments = parser.parse_args()
    os.umask(0o022)  # accounts of the tests share files; the test of a strict umask sets its own
    sys.stdout.reconfigure(errors="replace")

    parent = None if arguments.long else memory_folder()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="coppice-test.", dir=parent))
    scratch.chmod(0o755)  # under root, the account coppice must get through
    try:
        return run(arguments, scratch)
    finally:
        stop_servers(scratch)
        shutil.rmtree(scratch, ignore_errors=True)


def run(arguments, scratch):
    if arguments.long and not arguments.list:
        build_tsan()
    env = environment(scratch, arguments.long)
    all_suites = list(suites(arguments.long, env, arguments.names))
    if arguments.list:
        for suite in all_suites:
            print("\n".join(name for name in suite.names() if matches(name, arguments.names)))
        return 0
    make_media.make(scratch / "media")
    make_pattern(env, scratch / "pattern")
    count = Count(read_allowed_skips())
    workers = concurrent.futures.ThreadPoolExecutor
    with workers(max_workers=os.cpu_count()) as busy, workers(max_workers=1) as waiting:
        for suite in all_suites:
            pool = waiting if suite.name in WAITING else busy
            pool.submit(run_suite, suite, arguments.names, count)
    if not sum(count.states.values()):
        print(f"no test is called {' or '.join(arguments.names)}; ./test.sh --list shows the names")
        count.states["failed"] = 1
    for name in sorted(count.failures):
        print(f"failed: {name}")
    states = count.states
    print(f"{states['passed']} passed, {states['failed']} failed, {states['skipped']} skipped")
    return 1 if states["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
