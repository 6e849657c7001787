"""Backups of data that is not Coppice's, for tests: a folder, a repository, and no home."""

import os
import pathlib
import stat
import time
import unittest

from support.backups import Repository
from support.coppice import Home, scratch_folder


def state_of(folder):
    """{path: what must come back} below a folder, as bytes."""
    state = {}
    top = os.fsencode(folder)
    for here, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(here, name)
            status = os.lstat(path)
            entry = [stat.S_IFMT(status.st_mode), status.st_mtime_ns, status.st_uid, status.st_gid]
            if stat.S_ISLNK(status.st_mode):
                entry.append(os.readlink(path))
            else:
                entry.append(stat.S_IMODE(status.st_mode))
            if stat.S_ISREG(status.st_mode):
                entry.append(pathlib.Path(os.fsdecode(path)).read_bytes())
            state[os.path.relpath(path, top)] = entry
    return state


class Sources(unittest.TestCase):
    """No home, a repository, and a folder."""

    def setUp(self):
        self.place = scratch_folder(self)
        self.nowhere = Home(self.place / "no-home", self.place)
        self.nowhere.environment = {"HOME": str(self.place / "user")}
        self.repository = Repository(self)
        self.data = self.place / "data"
        self.data.mkdir()

    def back_up(self, *arguments, code=0, **options):
        return self.repository.report(self.nowhere, "backup", "create", *arguments, code=code, **options)

    def restore(self, *arguments, code=0, **options):
        return self.repository.report(self.nowhere, "restore", *arguments, code=code, **options)

    def refused(self, *arguments, code):
        return self.repository.fail(self.nowhere, *arguments, code=code)

    def settle(self):
        """Until what was written does not count as just written."""
        time.sleep(1.05)

    def fill(self):
        """Files and folders of every kind."""
        data = self.data
        (data / "empty folder").mkdir()
        (data / "empty file").touch()
        (data / "deep/er/est").mkdir(parents=True)
        (data / "deep/er/est/file.txt").write_text("deep")
        (data / "large.bin").write_bytes(os.urandom(3_000_000))
        (data / "program").write_text("#!/bin/sh\n")
        (data / "program").chmod(0o4750)
        (data / "link").symlink_to("../nowhere/at all")
        (data / "to folder").symlink_to("deep")
        os.link(data / "large.bin", data / "deep/same.bin")
        odd = os.fsencode(data)
        for name in (b"not \xff\xfe utf-8", b"new\nline", b"back\\slash", "ümlaut".encode(), b" blank ", b"-rf", b"*"):
            with open(os.path.join(odd, name), "wb") as file:
                file.write(name)
        with open(data / "sparse", "wb") as file:
            file.seek(5_000_000)
            file.write(b"end")
        (data / "readable").write_text("x")
        (data / "readable").chmod(0o400)
        for number, path in enumerate(sorted(data.rglob("*"))):
            os.utime(path, ns=(0, 1_600_000_000_123_456_789 + number), follow_symlinks=False)
        os.utime(data / "empty file", ns=(0, -1_500_000_000))
