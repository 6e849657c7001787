"""Backups and restores, against what people use today: pg_dump and tar through zstd, and restic.

Both sides have the same data: a table of rows, media in objects of 10 MB that do not compress, and
small documents. Whatever a side writes is on disk when its time ends.
"""

import atexit
import functools
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

from framework import Benchmark, Home, WrongResult, psql, run_program
from support.coppice import PROGRAM, with_database  # noqa: E402
from support.roots import owner_url  # noqa: E402

ROWS = 2_000_000  # of 200 bytes; sizes of the others follow
LARGE_FILES, LARGE_BYTES = 400, 10_000_000
SMALL_FILES = 100_000
PASSWORD = {"COPPICE_REPO_PASSWORD": "a passphrase", "RESTIC_PASSWORD": "a passphrase"}
WORDS = ["oak", "hazel", "ash", "willow", "alder", "birch", "chestnut", "lime", "maple", "thorn"]


def write_sound(file, generator):
    """A WAV file of noise."""
    size = LARGE_BYTES - 44
    head = (b"RIFF" + (size + 36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
            + bytes.fromhex("0100010044ac0000885801000200100064617461") + size.to_bytes(4, "little"))  # fmt: skip
    file.write_bytes(head + generator.randbytes(size))


def write_document(file, generator):
    lines = (" ".join(generator.choices(WORDS, k=12)) for _ in range(generator.randint(8, 40)))
    file.write_text(f"# Note {file.stem}\n\n" + "\n".join(lines) + "\n")


class Data:
    """A home with rows and media, and the files that its media were made of."""

    def __init__(self, rows):
        self.rows = rows
        self.large = max(2, LARGE_FILES * rows // ROWS)
        self.small = max(100, SMALL_FILES * rows // ROWS)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="coppice-bench-data."))
        self.folder.chmod(0o755)
        self.generator = random.Random(7)
        self.home = Home(self.folder / "home")
        self.home.create()
        atexit.register(self.discard)
        self.url = owner_url(self.home)
        self.run("sql", "CREATE TABLE reading (id bigint PRIMARY KEY, a text, b double precision);"
                 "INSERT INTO reading SELECT i, md5(i::text) || md5((i * 7)::text) || md5((i * 13)::text)"
                 "|| md5((i * 17)::text) || md5((i * 19)::text), random() "
                 f"FROM generate_series(1, {rows}) i")  # fmt: skip
        self.run("sql", "CREATE TABLE sound (id bigint PRIMARY KEY, a audio);"
                        "CREATE TABLE note (id bigint PRIMARY KEY, d document)")  # fmt: skip
        self.add("sound", "a", ".wav", 0, self.large, write_sound)
        self.add("note", "d", ".md", 0, self.small, write_document)

    def add(self, table, column, suffix, first, count, write):
        folder = self.folder / f"files-{table}-{first}"
        folder.mkdir()
        for number in range(first, first + count):
            write(folder / f"{number}{suffix}", self.generator)
        self.run("sql", f"INSERT INTO {table} (id, {column}) SELECT i, '{folder}/' || i || '{suffix}' "
                        f"FROM generate_series({first}, {first + count - 1}) i")  # fmt: skip
        shutil.rmtree(folder)

    def change(self):
        """1 % of the rows, and 1 % more media."""
        self.run("sql", "UPDATE reading SET b = random() WHERE id % 100 = 7")
        self.add("sound", "a", ".wav", self.large, max(1, self.large // 100), write_sound)
        self.add("note", "d", ".md", self.small, max(1, self.small // 100), write_document)
        self.large += max(1, self.large // 100)
        self.small += max(1, self.small // 100)

    def run(self, *arguments):
        self.home.run(*arguments, timeout=3600)

    @property
    def media(self):
        return self.home.folder / "media"

    def counts(self):
        return [self.rows, self.large, self.small]

    def discard(self):
        self.home.discard()
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def data_of(rows):
    return Data(rows)


class BackupBenchmark(Benchmark):
    full_size = ROWS
    smoke_size = 2_000
    at_most = True

    def prepare(self):
        self.data = data_of(self.size)
        self.run_number = 0

    def clean(self):
        pass

    def new_folder(self, kind):
        self.run_number += 1
        return self.folder / f"{kind}{self.run_number}"

    def coppice(self, *arguments, home=None):
        """(report, seconds, most bytes in memory) of a command."""
        argv = [PROGRAM, "--home", str(home or self.data.home.folder), *arguments, "--json"]
        with open(self.folder / "out", "wb") as out, open(self.folder / "err", "wb") as err:
            begin = time.monotonic()
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       env=dict(os.environ, **PASSWORD))  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - begin
            process.returncode = status
        if status != 0:
            raise WrongResult(f"{' '.join(argv)}\n{(self.folder / 'err').read_text()[-2000:]}")
        return json.loads((self.folder / "out").read_text()), seconds, usage.ru_maxrss * 1024

    def backup(self, repository):
        return self.coppice("backup", "create", "--repo", str(repository))

    def shell(self, text, **variables):
        """Seconds of a pipeline as people write it in their scripts."""
        begin = time.monotonic()
        run_program(["bash", "-o", "pipefail", "-e", "-c", text],
                    env=dict(os.environ, **PASSWORD, **{key: str(value) for key, value in variables.items()}))  # fmt: skip
        return time.monotonic() - begin

    def dump_and_tar(self, folder):
        folder.mkdir()
        return self.shell(
            'pg_dump --dbname="$URL" | zstd -q -o "$TO/dump.sql.zst"; '
            'tar -C "$MEDIA" -cf - . | zstd -q -o "$TO/media.tar.zst"; sync -f "$TO/dump.sql.zst"',
            URL=self.data.url, TO=folder, MEDIA=self.data.media,
        )  # fmt: skip


class BackupFirst(BackupBenchmark):
    name = "backup_first"
    meaning = "the first backup, against pg_dump | zstd and tar | zstd"
    bar = 1.0

    def ours(self):
        repository = self.new_folder("repository")
        report, seconds, _ = self.backup(repository)
        self.expect(report["rows_read"] >= sum(self.data.counts()), True, "rows")
        shutil.rmtree(repository)
        return seconds

    def theirs(self):
        folder = self.new_folder("dump")
        seconds = self.dump_and_tar(folder)
        shutil.rmtree(folder)
        return seconds


class BackupFirstRestic(BackupFirst):
    name = "backup_first_restic"
    meaning = "the first backup, against restic over the same dump and files"

    def theirs(self):
        folder = self.new_folder("restic")
        run_program(["restic", "init", "-q", "-r", folder], env=dict(os.environ, **PASSWORD))
        seconds = self.shell(
            'pg_dump --dbname="$URL" | restic -q -r "$TO" backup --no-cache --stdin --stdin-filename dump.sql;'
            'restic -q -r "$TO" backup --no-cache "$MEDIA"',
            URL=self.data.url, TO=folder, MEDIA=self.data.media,
        )  # fmt: skip
        shutil.rmtree(folder)
        return seconds


class BackupMemory(BackupBenchmark):
    name = "backup_memory"
    meaning = "the most memory that a first backup, and a restore of it, needs"
    unit = "MiB"
    bar = 512
    has_peer = False

    def ours(self):
        repository, home = self.new_folder("repository"), self.new_folder("restored")
        _, _, most = self.backup(repository)
        _, _, most_restoring = self.coppice("restore", "--repo", str(repository), home=home)
        Home(home).discard()
        shutil.rmtree(repository)
        return max(most, most_restoring) / 2**20


class BackupChange(BackupBenchmark):
    """1 % of the rows change and 1 % more media come, again and again."""

    has_peer = False

    def prepare(self):
        super().prepare()
        self.repository = self.folder / "repository"
        self.first, self.first_seconds, _ = self.backup(self.repository)

    def changed(self):
        self.data.change()
        report, seconds, _ = self.backup(self.repository)
        self.expect(report["media_added"] > 0, True, "new media")
        return report, seconds


class BackupChangeTime(BackupChange):
    name = "backup_change"
    meaning = "a backup after 1 % has changed; allowed: 3 % of the first, or a second"
    unit = "x"
    bar = 1.0

    def ours(self):
        return self.changed()[1] / max(0.03 * self.first_seconds, 1)


class BackupChangeBytes(BackupChange):
    name = "backup_change_bytes"
    meaning = "what it writes, of what the first one wrote"
    unit = "x"
    bar = 0.03

    def ours(self):
        return self.changed()[0]["bytes_written"] / self.first["bytes_written"]


class BackupUnchanged(BackupChange):
    name = "backup_unchanged"
    meaning = "a backup when nothing has changed, with 5 requests to the store at most"
    bar = 1.0

    def ours(self):
        report, seconds, _ = self.backup(self.repository)
        requests = report["requests"]
        count = sum(count for kind, count in requests.items() if not kind.startswith("bytes"))
        self.expect(count <= 5, True, f"{requests}")
        return seconds


class RestoreHome(BackupBenchmark):
    name = "restore"
    meaning = "a home of a backup, proven equal, against psql and untar"
    bar = 1.0

    def prepare(self):
        super().prepare()
        self.repository, self.dump = self.folder / "repository", self.folder / "dump"
        self.backup(self.repository)
        self.dump_and_tar(self.dump)

    def ours(self):
        home = self.new_folder("restored")
        report, seconds, _ = self.coppice("restore", "--repo", str(self.repository), home=home)
        self.expect(report["equal"], True, "equal roots")
        self.expect(report["requests"]["list"], 1, "LIST requests: the one that opens a repository")
        restored = Home(home)
        tables = ("reading", "sound", "note")
        found = [restored.value(f"SELECT count(*) FROM {table}") for table in tables]
        self.expect(found, self.data.counts(), "rows")
        restored.discard()
        shutil.rmtree(home, ignore_errors=True)
        self.told = report["phases"]
        return seconds

    def theirs(self):
        folder = self.new_folder("untarred")
        folder.mkdir()
        psql(self.data.url, "DROP DATABASE IF EXISTS peer")
        psql(self.data.url, "CREATE DATABASE peer")
        seconds = self.shell(
            'zstd -q -dc "$FROM/dump.sql.zst" | psql -q --no-psqlrc -v ON_ERROR_STOP=1 -o /dev/null "$URL"; '
            'zstd -q -dc "$FROM/media.tar.zst" | tar -C "$TO" -xf -; sync -f "$TO"',
            URL=self.peer_url(), FROM=self.dump, TO=folder,
        )  # fmt: skip
        shutil.rmtree(folder)
        return seconds

    def peer_url(self):
        return with_database(self.data.url, "peer")


class Rescue(BackupBenchmark):
    """Ten cells were overwritten; they come back, as one operation."""

    has_peer = False

    def prepare(self):
        super().prepare()
        self.repository = self.folder / "repository"
        self.first, _, _ = self.backup(self.repository)

    def rescued(self):
        self.data.run("sql", f"UPDATE reading SET a = 'lost' WHERE id % {self.size // 10} = 3")
        report, seconds, _ = self.coppice(
            "restore", "--repo", str(self.repository), "--table", "reading", "--columns", "a", "--into", "reading",
            "--where", f"id % {self.size // 10} = 3",
        )  # fmt: skip
        self.expect((report["matched"], report["changed"]), (10, 10), "cells")
        self.expect(self.data.home.value("SELECT count(*) FROM reading WHERE a = 'lost'"), 0, "lost cells")
        return report, seconds


class RescueTime(Rescue):
    name = "rescue"
    meaning = "ten cells of a backup, back in their table"
    bar = 5.0

    def ours(self):
        return self.rescued()[1]


class RescueBytes(Rescue):
    name = "rescue_bytes"
    meaning = "what that reads, of what the repository has"
    unit = "x"
    bar = 0.05

    def ours(self):
        return self.rescued()[0]["bytes_read"] / self.first["bytes_written"]


BENCHMARKS = [
    BackupFirst,
    BackupFirstRestic,
    BackupMemory,
    BackupChangeTime,
    BackupChangeBytes,
    BackupUnchanged,
    RestoreHome,
    RescueTime,
    RescueBytes,
]
