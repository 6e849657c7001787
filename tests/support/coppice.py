"""A home of Coppice for one test, driven through the real program as a user would.

    home = Home.make(self)                 # a fresh home; stopped and removed when the test ends
    home.sql("INSERT INTO t VALUES (1)")   # fails the test when coppice does
    home.rows("SELECT * FROM t")           # [{"id": 1}, …]

With COPPICE_TEST_DATABASE_URL set, homes use databases of that server; tests that are about the
private server ask for `private=True`. COPPICE_TEST_PATTERN is a home that was made by `init` and
stopped: homes are copies of it.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import uuid

PROGRAM = os.environ.get("COPPICE") or str(
    pathlib.Path(__file__).resolve().parent.parent.parent / "build/release/coppice"
)
DEFAULT_TIMEOUT_SECONDS = 120


def scratch_folder(test, prefix="coppice."):
    """A folder that the account of the database may enter; removed when the test ends. `test` is a
    TestCase or the class of one."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    cleanup = test.addClassCleanup if isinstance(test, type) else test.addCleanup
    cleanup(shutil.rmtree, folder, ignore_errors=True)
    return folder


def media_folder(test):
    """The files that tests/support/make_media.py makes."""
    if given := os.environ.get("COPPICE_TEST_MEDIA"):
        return pathlib.Path(given)
    from support import make_media

    folder = scratch_folder(test, "media.")
    make_media.make(folder)
    return folder


class Failed(AssertionError):
    def __init__(self, result, why):
        super().__init__(
            f"{why}\n$ coppice {' '.join(result.args[1:])[:500]}\n"
            f"exit code {result.returncode}\n{result.stdout[-2000:]}{result.stderr[-4000:]}"
        )


class Home:
    def __init__(self, folder, work=None):
        self.folder = pathlib.Path(folder)
        self.work = pathlib.Path(work or self.folder.parent)
        self.environment = {}

    @classmethod
    def make(cls, test, private=False):
        """A home as `init` makes it, with its server running. `test` is a TestCase or the class of one."""
        parent = scratch_folder(test)
        home = cls(parent / "home")
        cleanup = test.addClassCleanup if isinstance(test, type) else test.addCleanup
        server = os.environ.get("COPPICE_TEST_DATABASE_URL")
        if server and not private:
            database = "coppice_test_" + uuid.uuid4().hex[:12]
            psql(server, f"CREATE DATABASE {database}")
            cleanup(psql, server, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
            home.run("init", "--database", with_database(server, database))
        else:
            cleanup(home.discard)
            home.create()
        return home

    def create(self):
        """What `init` does, or a copy of what it did: a private server, running."""
        if pattern := os.environ.get("COPPICE_TEST_PATTERN"):
            subprocess.run(["cp", "--archive", pattern, self.folder], check=True)
            self.run("status")  # starts the server
        else:
            self.run("init")

    def process_environment(self, extra=None):
        values = {name: value for name, value in os.environ.items() if name != "COPPICE_CRASH_AT"}
        values |= {"COPPICE_HOME": str(self.folder), "COPPICE_TEST": "1"}
        return values | self.environment | (extra or {})

    def attempt(self, *arguments, stdin=None, environment=None, timeout=DEFAULT_TIMEOUT_SECONDS,
                **options):  # fmt: skip
        """Runs coppice and returns what it gave, whatever it is."""
        binary = isinstance(stdin, bytes)
        return subprocess.run(
            [PROGRAM, *(a if isinstance(a, bytes) else str(a) for a in arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=not binary,
            errors=None if binary else "replace",
            timeout=timeout,
            cwd=self.work,
            env=self.process_environment(environment),
            **options,
        )

    def run(self, *arguments, code=0, **options):
        """Runs coppice; fails the test when its exit code is another. Returns standard output."""
        result = self.attempt(*arguments, **options)
        if result.returncode != code:
            raise Failed(result, f"exit code {code} was expected")
        return result.stdout

    def fail(self, *arguments, code=1, **options):
        """Runs coppice, which must fail with this exit code. Returns standard error."""
        result = self.attempt(*arguments, **options)
        if result.returncode != code:
            raise Failed(result, f"exit code {code} was expected")
        return result.stderr

    def start(self, *arguments, environment=None, **options):
        """Starts coppice in the background."""
        return subprocess.Popen(
            [PROGRAM, *(a if isinstance(a, bytes) else str(a) for a in arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.work,
            env=self.process_environment(environment),
            **options,
        )

    def sql(self, text, **options):
        return self.run("sql", text, **options)

    def json_lines(self, *arguments, **options):
        lines = self.run(*arguments, "--json", **options).splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def rows(self, query, **options):
        return self.json_lines("sql", query, **options)

    def values(self, query, **options):
        """The rows as lists, without the names."""
        return [list(row.values()) for row in self.rows(query, **options)]

    def value(self, query, **options):
        (row,) = self.values(query, **options)
        (value,) = row
        return value

    def versions(self, table):
        return [entry["version"] for entry in self.json_lines("history", table)]

    def status(self):
        (status,) = self.json_lines("status")
        return status

    def psql(self, text, **options):
        """Runs SQL by psql as the role of database_url."""
        return psql(self.status()["database_url"], text, **options)

    def stop(self):
        if self.folder.exists():
            self.attempt("stop")

    def discard(self):
        """Ends the server of a home whose folder is removed next: nothing of it needs to be saved."""
        try:
            pid = self.postmaster_pid()
            if not os.readlink(f"/proc/{pid}/cwd").startswith(str(self.folder)):
                return  # the number is another process's now
            os.kill(pid, signal.SIGQUIT)
        except (OSError, ValueError, IndexError):
            return  # there is none
        wait_until(lambda: not process_exists(pid), "the server did not end")

    def postmaster_pid(self):
        pid_file = self.folder / "pgdata" / "postmaster.pid"
        return int(pid_file.read_text().splitlines()[0])

    def kill_server(self):
        """kill -9 of the private server's main process; waits until it is gone."""
        pid = self.postmaster_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not process_exists(pid), "the server did not die")


def process_exists(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} (waited {seconds} s)")
        time.sleep(0.02)


def with_database(url, database):
    """A URL or conninfo of a server, with another database."""
    if "://" not in url:
        return f"{url} dbname={database}"
    base, mark, query = url.partition("?")
    scheme, _, rest = base.partition("://")
    host = rest.split("/", 1)[0]
    return f"{scheme}://{host}/{database}{mark}{query}"


def psql(url, text, check=True):
    """Runs SQL by psql: unaligned rows, NULL as NULL. Returns the result; checks it by default."""
    result = subprocess.run(
        ["psql", "--no-psqlrc", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1",
         "--pset=null=NULL", "--quiet", "--dbname", url, "--command", text],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
        timeout=DEFAULT_TIMEOUT_SECONDS,
    )  # fmt: skip
    if check and result.returncode != 0:
        raise AssertionError(f"psql: {text[:500]}\n{result.stderr}")
    return result


class TestCase(unittest.TestCase):
    """A test with a home of its own class: `self.home`, made once for all tests of the class."""

    private = False

    @classmethod
    def setUpClass(cls):
        cls.home = Home.make(cls, private=cls.private)
