"""Backups of other people's databases, against restic on the same stream; how streams are cut."""

import atexit
import functools
import json
import os
import pathlib
import shutil
import tempfile

from backup_benchmarks import PASSWORD, BackupBenchmark
from framework import ROOT, Benchmark, Home, psql, run_program
from support.coppice import with_database  # noqa: E402
from support.roots import owner_url  # noqa: E402

CHUNKER = os.environ.get("COPPICE_CHUNKER_BENCH") or str(
    ROOT / "build/release/benchmarks/chunker_bench"
)
ROWS = 7_000_000  # about 2 GB as the server keeps them
SHOP = """
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint, total numeric(12,2), state text, note text, data jsonb, at timestamptz);
INSERT INTO orders SELECT i, 1 + (i * 7919) % 200000, (i % 100000) / 7.0, (ARRAY['new','paid','sent'])[1 + i % 3],
  md5((i * 17)::text) || ' ' || md5((i * 19)::text), jsonb_build_object('sku', md5((i * 23)::text), 'qty', i % 9),
  timestamptz '2026-01-01' + i * interval '1 second' FROM generate_series(1::bigint, {rows}) i;
"""


class Shop:
    """A database that is not Coppice's."""

    def __init__(self, rows):
        self.rows = rows
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="coppice-bench-shop."))
        self.folder.chmod(0o755)
        self.home = Home(self.folder / "home")
        self.home.create()
        atexit.register(self.discard)
        server = owner_url(self.home)
        psql(server, "CREATE DATABASE shop")
        self.url = with_database(server, "shop")
        run_program(["psql", "-q", "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c",
                     SHOP.format(rows=rows)])  # fmt: skip
        self.changes = 0

    def change(self):
        """1 % of the rows, those that are worked on: they lie together."""
        self.changes += 1
        count = max(1, self.rows // 100)
        last = self.rows - count * (self.changes - 1)
        psql(self.url, f"UPDATE orders SET state = 'done', note = md5(random()::text) "
                       f"WHERE id > {last - count} AND id <= {last}")  # fmt: skip

    def discard(self):
        self.home.discard()
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def shop_of(rows):
    return Shop(rows)


class DumpBenchmark(BackupBenchmark):
    full_size = ROWS
    smoke_size = 20_000

    def prepare(self):
        self.data = shop_of(self.size)
        self.run_number = 0

    def dump(self, repository):
        return self.coppice("backup", "create", "--pg-dump", self.data.url, "--repo", str(repository))


class PgDumpChangeBytes(DumpBenchmark):
    name = "pg_dump_change_bytes"
    meaning = "what a backup by pg_dump writes after 1 % has changed, of what the first one wrote"
    unit = "x"
    bar = 0.05
    has_peer = False

    def prepare(self):
        super().prepare()
        self.repository = self.folder / "repository"
        self.first, _, _ = self.dump(self.repository)

    def ours(self):
        self.data.change()
        report, _, _ = self.dump(self.repository)
        self.expect(report["dump_bytes"] > self.size * 100, True, "bytes of the dump")
        self.expect(report["parent"] != "", True, "the backup before")
        return report["bytes_written"] / self.first["bytes_written"]


class PgDumpStream(DumpBenchmark):
    name = "pg_dump_stream"
    meaning = "a first backup by pg_dump, against restic --stdin of the same pg_dump"
    bar = 1.0

    def ours(self):
        repository = self.new_folder("repository")
        report, seconds, _ = self.dump(repository)
        self.expect(report["dump_bytes"] > self.size * 100, True, "bytes of the dump")
        shutil.rmtree(repository)
        return seconds

    def theirs(self):
        folder = self.new_folder("restic")
        run_program(["restic", "init", "-q", "-r", folder], env=dict(os.environ, **PASSWORD))
        seconds = self.shell(
            'pg_dump --format=custom --compress=0 --dbname="$URL" |'
            ' restic -q -r "$TO" backup --no-cache --stdin --stdin-filename dump',
            URL=self.data.url, TO=folder,
        )  # fmt: skip
        shutil.rmtree(folder)
        return seconds


class CutRate(Benchmark):
    name = "cut_rate"
    meaning = "cutting a stream by its content, on one core"
    unit = "GB/s"
    bar = 1.0
    has_peer = False
    full_size = 8_000_000_000
    smoke_size = 100_000_000

    def ours(self):
        report = json.loads(run_program([CHUNKER, "speed", str(self.size)]))
        self.expect(report["bytes"] >= self.size, True, "bytes")
        average = report["bytes"] / report["chunks"]
        self.expect(48_000 < average < 131_072, True, f"an average of {average:.0f} bytes")
        return report["bytes"] / report["seconds"] / 1e9


BENCHMARKS = [PgDumpChangeBytes, PgDumpStream, CutRate]
