"""Rows: loading, reading back, single inserts, fills, reverts, publishing, status."""

import re
import statistics
import subprocess
import threading
import time

from framework import HomeBenchmark
from support.coppice import PROGRAM, psql

MILLION = 1_000_000


def write_rows(file, count):
    """A CSV of (bigint, text of 40 characters)."""
    with open(file, "w") as out:
        for first in range(0, count, 10_000):
            out.write(
                "".join(
                    f"{i},row number {i:012} with some text\n"
                    for i in range(first, min(first + 10_000, count))
                )
            )
    file.chmod(0o644)


class Copy(HomeBenchmark):
    name = "copy"
    meaning = "COPY of rows with a bigint key and text, against raw COPY into a keyed table"
    unit = "rows/s"
    bar = 0.45
    full_size = MILLION
    smoke_size = 2000
    columns = "id bigint PRIMARY KEY, name text"

    def prepare(self):
        super().prepare()
        self.file = self.folder / "rows.csv"
        write_rows(self.file, self.size)

    def theirs(self):
        psql(self.url, "DROP TABLE IF EXISTS peer.rows; "
                       "CREATE TABLE peer.rows (id bigint PRIMARY KEY, name text)")  # fmt: skip
        seconds = self.timed_psql(f"\\copy peer.rows FROM '{self.file}' WITH (FORMAT csv)")
        found = psql(self.url, "SELECT count(*), sum(length(name)) FROM peer.rows").stdout.strip()
        self.check_sum = found.split("|")
        self.expect(self.check_sum[0], str(self.size), "rows loaded")
        return self.size / seconds

    def ours(self):
        self.home.sql(f"DROP TABLE IF EXISTS rows; CREATE TABLE rows ({self.columns})")
        seconds = self.timed(
            "sql", f"COPY rows (id, name) FROM '{self.file}' WITH (FORMAT csv)"
        )
        found = self.home.psql("SELECT count(*), sum(length(name)) FROM rows").stdout.strip()
        self.expect(found.split("|"), self.check_sum, "rows loaded")
        self.check_more()
        return self.size / seconds

    def check_more(self):
        self.expect(self.home.versions("rows"), [0, 1], "versions")


class CopyComputed(Copy):
    name = "copy_computed"
    meaning = "the same with a computed column in SQL"
    bar = 0.3
    columns = Copy.columns + ", size int GENERATED ALWAYS AS (length(name)) STORED"

    def check_more(self):
        wrong = self.home.psql("SELECT count(*) FROM rows WHERE size <> length(name) "
                               "OR size IS NULL").stdout.strip()  # fmt: skip
        self.expect(wrong, "0", "wrong computed values")


class CopyMemory(Copy):
    name = "copy_memory"
    meaning = "memory of the engine while it loads the same rows"
    unit = "MiB"
    bar = 256
    at_most = True
    has_peer = False

    def ours(self):
        self.home.sql(f"DROP TABLE IF EXISTS rows; CREATE TABLE rows ({self.columns})")
        copy = f"COPY rows (id, name) FROM '{self.file}' WITH (FORMAT csv)"
        process = self.home.start("sql", copy)
        peak_kib = 0
        while process.poll() is None:
            try:
                with open(f"/proc/{process.pid}/status") as status:
                    found = re.search(r"VmHWM:\s+(\d+)", status.read())
                peak_kib = max(peak_kib, int(found[1]) if found else 0)
            except (FileNotFoundError, ProcessLookupError):
                break
            time.sleep(0.01)
        _, errors = process.communicate()
        self.expect(process.returncode, 0, f"exit code ({errors[-500:]})")
        rows = self.home.psql("SELECT count(*) FROM rows").stdout.strip()
        self.expect(rows, str(self.size), "rows loaded")
        return peak_kib / 1024


class ReadBack(Copy):
    name = "read_back"
    meaning = "every row as CSV through coppice, against psql on the view"
    unit = "rows/s"
    bar = 0.9
    query = "SELECT id, name FROM rows"

    def prepare(self):
        super().prepare()
        self.home.sql(f"CREATE TABLE rows ({self.columns})")
        self.timed("sql", f"COPY rows (id, name) FROM '{self.file}' WITH (FORMAT csv)")

    def rate(self, argv, out, header):
        begin = time.monotonic()
        with open(out, "wb") as file:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=file, check=True,
                           env=self.home.process_environment())  # fmt: skip
        seconds = time.monotonic() - begin
        with open(out, "rb") as file:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
        self.expect(lines, self.size + header, "lines")
        return self.size / seconds

    def theirs(self):
        argv = ["psql", "--no-psqlrc", "--dbname", self.url, "--command",
                f"COPY ({self.query}) TO STDOUT WITH (FORMAT csv, HEADER)"]  # fmt: skip
        return self.rate(argv, self.folder / "theirs.csv", 1)

    def ours(self):
        return self.rate([PROGRAM, "sql", "--csv", self.query], self.folder / "ours.csv", 1)


class InsertStream(HomeBenchmark):
    name = "insert_stream"
    meaning = "single-row INSERTs with a computed column in SQL, over one sql -f stream"
    unit = "statements/s"
    bar = 1000
    has_peer = False
    full_size = 5000
    smoke_size = 50

    def ours(self):
        self.home.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, name text, "
                      "size int GENERATED ALWAYS AS (length(name)) STORED)")  # fmt: skip
        file = self.folder / "inserts.sql"
        file.write_text("".join(f"INSERT INTO t (id, name) VALUES ({i}, 'row {i}');\n"
                                for i in range(self.size)))  # fmt: skip
        seconds = self.timed("sql", "-f", file)
        found = self.home.value("SELECT count(*) FROM t WHERE size = length(name)")
        self.expect(found, self.size, "rows")
        self.expect(self.home.versions("t")[-1], self.size, "versions")
        return self.size / seconds


class Fill(Copy):
    name = "fill"
    meaning = "ADD COLUMN of a cheap SQL expression over existing rows"
    unit = "rows/s"
    bar = 100_000
    has_peer = False

    def load(self):
        self.home.sql(f"DROP TABLE IF EXISTS rows; CREATE TABLE rows ({self.columns})")
        self.timed("sql", f"COPY rows (id, name) FROM '{self.file}' WITH (FORMAT csv)")

    def fill(self):
        seconds = self.timed("sql", "ALTER TABLE rows ADD COLUMN doubled bigint "
                                    "GENERATED ALWAYS AS (id * 2) STORED")  # fmt: skip
        found = self.home.psql("SELECT count(*) FROM rows WHERE doubled = id * 2").stdout.strip()
        self.expect(found, str(self.size), "filled rows")
        return seconds

    def ours(self):
        self.load()
        return self.size / self.fill()


class FillSize(Fill):
    name = "fill_size"
    meaning = "size of the table after such a fill and VACUUM, against its size before"
    unit = "MiB"
    bar = 2.2
    at_most = True
    has_peer = True

    def size_mib(self):
        text = ("SELECT sum(pg_total_relation_size(c.oid)) / 1048576.0 FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = 'coppice_store' AND relkind = 'r'")  # fmt: skip
        return float(psql(owner_url(self.url), text).stdout.strip())

    def theirs(self):
        self.load()
        psql(owner_url(self.url), "VACUUM ANALYZE")
        return self.size_mib()

    def ours(self):
        self.fill()
        psql(owner_url(self.url), "VACUUM ANALYZE")
        return self.size_mib()


class Revert(Copy):
    name = "revert"
    meaning = "revert of a change of 1 % of the rows"
    unit = "s"
    bar = 2.0
    at_most = True
    has_peer = False

    def prepare(self):
        super().prepare()
        self.home.sql(f"CREATE TABLE rows ({self.columns})")
        self.timed("sql", f"COPY rows (id, name) FROM '{self.file}' WITH (FORMAT csv)")

    def ours(self):
        before = self.home.versions("rows")[-1]
        digest = "SELECT md5(string_agg(name, ',' ORDER BY id)) FROM rows WHERE id % 100 = 7"
        wanted = self.home.value(digest)
        self.home.sql("UPDATE rows SET name = 'changed' WHERE id % 100 = 7")
        seconds = self.timed("revert", "rows", "--to", str(before), "--yes")
        self.expect(self.home.value(digest), wanted, "rows after the revert")
        return seconds


class PublishLock(HomeBenchmark):
    name = "publish_lock"
    meaning = "how long publishing many staged rows keeps another writer of the table waiting"
    unit = "ms"
    bar = 20
    at_most = True
    has_peer = False
    full_size = MILLION
    smoke_size = 500

    def prepare(self):
        super().prepare()
        from support import make_media

        make_media.make(self.folder / "media")
        picture = self.folder / "media" / "red.png"
        self.home.sql("CREATE TABLE source (id bigint PRIMARY KEY, photo image)")
        self.home.sql(f"INSERT INTO source VALUES (0, '{picture}')")
        self.home.sql("INSERT INTO source SELECT i, s.photo FROM source s, "
                      f"generate_series(1, {self.size - 1}) AS i", timeout=3600)  # fmt: skip

    def ours(self):
        self.home.sql("DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint PRIMARY KEY, photo image, "
                      "bytes bigint GENERATED ALWAYS AS (size_bytes(photo)) STORED)")  # fmt: skip
        tree = psql(owner_url(self.url), "SELECT tree_id FROM coppice.tables "
                                         "WHERE table_name = 't'").stdout.strip()  # fmt: skip
        prober = LockProber(owner_url(self.url), tree)
        prober.start()
        try:
            self.timed("sql", "INSERT INTO t (id, photo) SELECT id, photo FROM source")
        finally:
            longest_ms = prober.end()
        rows = self.home.psql("SELECT count(bytes) FROM t").stdout.strip()
        self.expect(rows, str(self.size), "rows published")
        return longest_ms


class LockProber(threading.Thread):
    """Takes the lock of a tree again and again, as another publisher would, and keeps the longest
    wait. psql's own \\timing measures each."""

    def __init__(self, url, tree):
        super().__init__()
        self._process = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--dbname", url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._probe = f"SELECT 1 FROM coppice.trees WHERE tree_id = {tree} FOR UPDATE;\n"
        self._ended = threading.Event()
        self._longest = 0.0

    def run(self):
        # The wait for the lock, not for the disk: that of this commit is not what is asked.
        self._process.stdin.write("SET synchronous_commit = off;\n\\timing on\n")
        while not self._ended.is_set():
            self._process.stdin.write(self._probe)
            self._process.stdin.flush()
            while not (line := self._process.stdout.readline()).startswith("Time:"):
                if not line:
                    return
            self._longest = max(self._longest, float(line.split()[1]))
            time.sleep(0.001)

    def end(self):
        self._ended.set()
        self.join()
        self._process.communicate("\\q\n")
        return self._longest


class Status(HomeBenchmark):
    name = "status"
    meaning = "coppice status on a warm server"
    unit = "ms"
    bar = 30
    at_most = True
    has_peer = False

    def ours(self):
        self.expect(self.home.status()["home"], str(self.home.folder), "home")
        return 1000 * statistics.median(self.timed("status", "--json") for _ in range(5))


def owner_url(url):
    """The private server's superuser, for looking at locks and sizes."""
    if "://" in url:
        return re.sub(r"://([^@/]*@)?", "://coppice@", url)
    return re.sub(r"\buser=\S+", "", url) + " user=coppice"


BENCHMARKS = [Copy, CopyComputed, CopyMemory, ReadBack, InsertStream, Fill, FillSize, Revert,
              PublishLock, Status]  # fmt: skip
