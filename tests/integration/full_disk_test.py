#!/usr/bin/python3
"""A disk that is full when a home is made and when its server starts."""

import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import scratch_folder  # noqa: E402


class FullDisk(unittest.TestCase):
    """Homes on a small file system of their own."""

    def run_on(self, size, script):
        """The output and errors of a shell script in which `c` is the program, and D the folder."""
        folder = scratch_folder(self)
        begin = (f'mount -t tmpfs -o size={size},mode=755 tmpfs "$1" && D=$1 P=$2 && '
                 'c() { "$P" --home "$D/home" "$@"; }; ')  # fmt: skip
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        return subprocess.run(
            ["unshare", *user, "--mount", "sh", "-c", begin + script, "sh", folder, coppice.PROGRAM],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=120, env={**os.environ, "COPPICE_HOME": str(folder / "home")},
        ).stdout  # fmt: skip

    def test_init_says_that_it_is_full_and_leaves_nothing_half_made(self):
        for size in ("300k", "20m", "45m"):
            with self.subTest(size=size):
                said = self.run_on(size, 'c init; echo "exit $?"; ls -A "$D/home"; '
                                   'mount -o remount,size=200m "$D"; c init && c sql "SELECT 7" && c stop')  # fmt: skip
                self.assertRegex(said, r"cannot make the database: the disk of \S+/home is full")
                self.assertIn("about 60 MB", said)
                self.assertIn("exit 1\n", said)
                self.assertNotIn("pgdata", said.partition("exit 1\n")[2].partition("Next")[0])
                self.assertRegex(said, r"(?m)^ +7$")

    def test_a_server_that_cannot_start_on_a_full_disk_says_so_and_starts_later(self):
        for left in (0, 30):  # KB
            with self.subTest(left=left):
                said = self.run_on("90m", 'c init && c sql "CREATE TABLE t (id int); INSERT INTO t VALUES (7)" && '
                                   f'c stop; truncate -s {left}k "$D/kept"; fallocate -l {max(left, 1)}k "$D/kept"; '
                                   'dd if=/dev/zero of="$D/fill" bs=4k 2>/dev/null; rm "$D/kept"; '
                                   'echo begin; c sql "SELECT id FROM t"; echo "exit $?"; rm "$D/fill"; '
                                   'c sql "SELECT id FROM t" && c stop')  # fmt: skip
                first, _, later = said.partition("begin\n")[2].partition("exit ")
                if left == 0 or not later.startswith("0"):
                    self.assertRegex(first, "disk is full")
                    self.assertIn("free some space", first)
                    self.assertTrue(later.startswith("1\n"), said)
                self.assertRegex(later, r"(?m)^ +7$")


if __name__ == "__main__":
    tap.main()
