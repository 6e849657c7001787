#!/usr/bin/python3
"""Backups of folders, without a home: what comes back, what is read again, what is named; kills and damage."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.backups import Repository  # noqa: E402
from support.other_data import Sources, state_of  # noqa: E402

class Files(Sources):
    def test_everything_comes_back(self):
        self.fill()
        fifo = self.data / "pipe"
        os.mkfifo(fifo)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.data / "socket"))
        report, said = self.back_up("--files", str(self.data))
        self.assertEqual(sorted(item.rpartition("/")[2] for item in report["left_out"]),
                         ["pipe: it is a named pipe", "socket: it is a socket"])  # fmt: skip
        self.assertEqual(report["damaged"], [])
        fifo.unlink()
        (self.data / "socket").unlink()
        target = self.place / "back"
        restored, _ = self.restore("--to-files", str(target))
        self.assertTrue(restored["equal"])
        self.assertEqual(restored["root_restored"], report["root"])
        back = target / self.data.relative_to("/")
        self.assertEqual(state_of(back), state_of(self.data))
        self.assertEqual((back / "large.bin").stat().st_ino, (back / "deep/same.bin").stat().st_ino)
        self.assertLess((back / "sparse").stat().st_blocks * 512, 1_000_000)
        self.assertEqual(sorted(path.name for path in target.iterdir()), [self.data.parts[1]])

    def test_the_next_backup_reads_what_has_changed(self):
        self.fill()
        self.settle()
        first, _ = self.back_up("--files", str(self.data))
        again, _ = self.back_up("--files", str(self.data))
        self.assertEqual((again["files_read"], again["root"], again["parent"]), (0, first["root"], first["id"]))
        self.assertEqual(again["files"], first["files"])
        # The same size and time: the inode's change is seen.
        before = os.stat(self.data / "program")
        (self.data / "program").write_text("#!/bin/rm\n")
        os.utime(self.data / "program", ns=(0, before.st_mtime_ns))
        (self.data / "empty file").unlink()
        self.settle()
        third, _ = self.back_up("--files", str(self.data))
        self.assertEqual(third["files_read"], 1)
        self.assertLess(third["bytes_written"], 50_000)
        self.assertNotEqual(third["root"], first["root"])
        # Just written: a change in the same instant would not show in its times, so it is read again.
        for _ in range(10):
            begin = time.monotonic()
            (self.data / "deep/er/new").write_text("new")
            self.back_up("--files", str(self.data))
            again, _ = self.back_up("--files", str(self.data))
            if time.monotonic() - begin < 1:
                break
        else:
            self.skipTest("no two backups in a second on this machine")
        self.assertEqual(again["files_read"], 1)
        third, _ = self.back_up("--files", str(self.data))
        full, _ = self.back_up("--files", str(self.data), "--full")
        self.assertEqual((full["root"], full["parent"]), (third["root"], ""))
        self.assertGreater(full["bytes_written"], 3_000_000)

    def test_bytes_in_front_of_a_large_file_cost_little(self):
        large = self.data / "dump"
        content = os.urandom(4_000_000)
        large.write_bytes(content)
        first, _ = self.back_up("--files", str(self.data))
        large.write_bytes(b"in front" + content)
        second, _ = self.back_up("--files", str(self.data))
        self.assertLess(second["bytes_written"], first["bytes_written"] / 10)

    def test_what_is_excluded_is_not_there(self):
        self.fill()
        self.back_up("--files", str(self.data), "--exclude", "*.bin", "--exclude", "deep/er",
                     "--exclude", str(self.data / "link"))  # fmt: skip
        target = self.place / "back"
        self.restore("--to-files", str(target))
        found = set(state_of(target / self.data.relative_to("/")))
        expected = {path for path in state_of(self.data)
                    if not path.endswith(b".bin") and not path.startswith(b"deep/er") and path != b"link"}  # fmt: skip
        self.assertEqual(found, expected)

    def test_listing_and_printing(self):
        self.fill()
        self.back_up("--files", str(self.data))
        call = self.repository.call(self.nowhere, "backup", "ls", "latest", "--json")
        paths = {json.loads(line)["path"]: json.loads(line)["size_bytes"] for line in call.stdout.splitlines()}
        base = f"files{self.data}"
        self.assertEqual(paths[f"{base}/large.bin"], 3_000_000)
        self.assertIn(f"{base}/not \\xff\\xfe utf-8", paths)
        self.assertIn(f"{base}/back\\x5cslash", paths)
        self.assertIn(f"{base}/link -> ../nowhere/at all", paths)
        self.assertIn(f"{base}/empty folder/", paths)
        for name, content in (("not \\xff\\xfe utf-8", b"not \xff\xfe utf-8"), ("new\\x0aline", b"new\nline")):
            printed = self.repository.call(self.nowhere, "backup", "cat", f"latest:{base}/{name}", stdin=b"")
            self.assertEqual(printed.stdout, content)
        below = self.repository.call(self.nowhere, "backup", "ls", f"latest:{base}/deep/er", "--csv")
        self.assertEqual(len(below.stdout.splitlines()), 1 + 3)
        self.refused("backup", "cat", f"latest:{base}/nothing", code=4)
        self.refused("backup", "cat", f"latest:{base}/deep", code=4)

    def test_what_cannot_be_read_is_named_and_the_rest_is_there(self):
        capabilities = "-dac_override,-dac_read_search"  # that let root read everything
        user = ["setpriv", f"--bounding-set={capabilities}", f"--inh-caps={capabilities}"]
        self.fill()
        (self.data / "secret folder").mkdir(mode=0)
        (self.data / "secret").touch(mode=0)
        result = subprocess.run(
            [*(user if os.geteuid() == 0 else []), coppice.PROGRAM, "backup", "create", "--files", str(self.data),
             *self.repository.flags, "--json"],
            env=self.nowhere.process_environment(self.repository.environment), capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(result.returncode, 3, result.stderr)
        damaged = json.loads(result.stdout.splitlines()[-1])["damaged"]
        self.assertEqual(sorted(item.partition(":")[0] for item in damaged),
                         [f"{self.data}/secret", f"{self.data}/secret folder"])  # fmt: skip
        self.assertIn("Permission denied", damaged[0])
        target = self.place / "back"
        restored, _ = self.restore("--to-files", str(target), code=3)
        self.assertTrue(restored["equal"])
        self.assertEqual(len(restored["damaged"]), 2)
        self.assertTrue((target / self.data.relative_to("/") / "large.bin").exists())

    def test_a_file_that_changes_while_it_is_read_is_named(self):
        busy = self.data / "busy"
        busy.write_bytes(os.urandom(30_000_000))
        (self.data / "quiet").write_text("quiet")
        stop = threading.Event()

        def write():
            with open(busy, "r+b", buffering=0) as file:
                while not stop.is_set():
                    file.seek(0)
                    file.write(os.urandom(8))
                    time.sleep(0.002)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            report, said = self.back_up("--files", str(self.data), code=3)
        finally:
            stop.set()
            writer.join()
        self.assertEqual(len(report["damaged"]), 1)
        self.assertIn("busy: it changed while it was read", report["damaged"][0])
        self.settle()
        again, _ = self.back_up("--files", str(self.data))
        self.assertEqual(again["damaged"], [])

    def test_words_that_make_no_sense_are_refused(self):
        self.assertIn("not there", self.refused("backup", "create", "--files", str(self.place / "none"), code=4))
        self.assertIn("neither a database nor a folder", self.refused("backup", "create", "--exclude", "x", code=2))
        inside = Repository(self, folder=self.data / "repository")
        self.assertIn("lies in the folder", inside.fail(self.nowhere, "backup", "create", "--files", str(self.data), code=5))
        self.fill()
        self.back_up("--files", str(self.data))
        self.assertIn("no dump", self.refused("restore", "--to-database", "postgresql:///x", code=2))
        self.assertIn("of backups of homes", self.refused("restore", "--to-files", "x", "--media-only", code=2))
        self.assertIn("no backups of homes", self.refused("restore", "--home", str(self.place / "h"), code=4))
        (self.place / "full").mkdir()
        (self.place / "full/x").touch()
        self.assertIn("not empty", self.refused("restore", "--to-files", str(self.place / "full"), code=5))
        backup = self.repository.list(self.nowhere)[0]
        self.assertEqual(backup["kind"], "other data")
        self.assertIn("is of other data", self.refused("restore", "--backup", backup["id"], "--home", str(self.place / "h"), code=2))
        self.assertIn("is of other data", self.refused("backup", "export", backup["id"], "--to", str(self.place / "e"), code=2))
        self.assertIn("is of other data", self.refused("root", "--backup", backup["id"], code=2))

    def test_an_interrupted_restore_goes_on(self):
        self.fill()
        self.back_up("--files", str(self.data))
        target = self.place / "back"
        killed = self.repository.call(self.nowhere, "restore", "--to-files", str(target),
                                      environment={"COPPICE_CRASH_AT": "other_data.file_written:4"})  # fmt: skip
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        # What a crash may leave: a file of the right size with other bytes.
        (written,) = list(target.rglob("large.bin")) or [None]
        if written:
            with open(written, "r+b") as file:
                file.write(b"torn")
        # Another backup has no business there.
        (self.data / "more").write_text("more")
        other, _ = self.back_up("--files", str(self.data))
        self.assertIn("was interrupted", self.refused("restore", "--to-files", str(target), code=5))
        (self.data / "more").unlink()
        first = self.repository.list(self.nowhere)[0]["id"]
        restored, _ = self.restore("--to-files", str(target), "--backup", first)
        self.assertTrue(restored["equal"])
        self.assertGreater(restored["files_kept"], 0)
        back = state_of(target / self.data.relative_to("/"))
        for path, entry in state_of(self.data).items():
            self.assertEqual(back[path][2:], entry[2:], path)

    def test_a_link_in_the_way_is_not_followed(self):
        self.fill()
        self.back_up("--files", str(self.data))
        target, elsewhere = self.place / "back", self.place / "elsewhere"
        self.repository.call(self.nowhere, "restore", "--to-files", str(target),
                             environment={"COPPICE_CRASH_AT": "other_data.file_written:1"})  # fmt: skip
        elsewhere.mkdir()
        back = target / self.data.relative_to("/")
        shutil.rmtree(back / "deep", ignore_errors=True)
        (back / "deep").symlink_to(elsewhere)
        said = self.refused("restore", "--to-files", str(target), code=1)
        self.assertIn("deep", said)
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_the_next_backup_stands_a_killed_one(self):
        self.fill()
        for point in ("other_data.folder_read", "other_data.folder_read:3", "backup.before_commit", "backup.committed"):
            (self.data / "file").write_text(point)
            killed = self.repository.call(self.nowhere, "backup", "create", "--files", str(self.data),
                                          environment={"COPPICE_CRASH_AT": point})  # fmt: skip
            self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
            report, _ = self.back_up("--files", str(self.data))
            target = self.place / f"back-{point}"
            restored, _ = self.restore("--to-files", str(target))
            self.assertEqual(restored["root_restored"], report["root"])
        verified, _ = self.repository.report(self.nowhere, "backup", "verify", "--data", "--rows")
        self.assertTrue(verified["intact"])

    def test_damage_is_found_and_named(self):
        (self.data / "one").write_bytes(os.urandom(300_000))
        self.back_up("--files", str(self.data))
        pack = max(self.repository.objects(), key=lambda path: path.stat().st_size)
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 1
        pack.write_bytes(content)
        verified, said = self.repository.report(self.nowhere, "backup", "verify", "--rows", code=6)
        self.assertTrue(any("data/one" in finding["object"] for finding in verified["findings"]), verified)
        said = self.refused("restore", "--to-files", str(self.place / "back"), code=6)
        self.assertIn("data/one", said)


if __name__ == "__main__":
    tap.main()
