#!/usr/bin/python3
"""Damage: objects of a repository, media of a home, full disks. Never wrong data; what is damaged is
named, and the rest is there."""

import contextlib
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.backups import Repository, Shared, new_database, state  # noqa: E402
from support.coppice import Home, scratch_folder  # noqa: E402
from support.roots import owner_url  # noqa: E402


class Media(Shared):
    def place_of(self, home, id):
        return pathlib.Path(home.value(f"SELECT file_path(p) FROM film WHERE id = {id}"))

    def test_a_damaged_object_and_one_that_is_missing(self):
        home = self.home_with_tables()
        repository = Repository(self)
        paths = [pathlib.Path(home.run("media", "path", row[0], "--csv").splitlines()[-1])
                 for row in home.values("SELECT p FROM film WHERE p IS NOT NULL ORDER BY id")]  # fmt: skip
        kept = [path.read_bytes() for path in paths]
        modes = [path.stat().st_mode for path in paths]
        paths[0].unlink()
        paths[1].chmod(0o644)
        paths[1].write_bytes(kept[1][:-1] + b"x")
        result = repository.call(home, "backup", "create", "--json")
        self.assertEqual(result.returncode, 3, result.stderr)
        for path in paths:
            self.assertIn(path.name, result.stderr)
        shown = repository.call(home, "backup", "show", repository.list(home)[0]["id"]).stdout
        self.assertIn(paths[0].name, shown)
        again, where = self.empty_place()
        restored = repository.call(again, "restore", *where)
        self.assertEqual(restored.returncode, 3, restored.stderr)
        for path in paths:
            self.assertIn(path.name, restored.stderr)
        self.assertEqual(again.values("SELECT count(*) FROM log"), [[2]])
        self.assertEqual(repository.call(home, "backup", "create").returncode, 3)
        # Back again, they are in the next backup, which reads nothing else.
        for path, bytes, mode in zip(paths, kept, modes):
            path.unlink(missing_ok=True)
            path.write_bytes(bytes)
            path.chmod(mode)
        report = repository.back_up(home)
        self.assertEqual((report["media_added"], report["rows_read"]), (2, 0))
        again = repository.restore(self, self.server)
        for path, bytes in zip(paths, kept):
            (found,) = (again.folder / "media").rglob(path.name)
            self.assertEqual(found.read_bytes(), bytes)

    def test_an_object_that_is_gone_with_its_rows_is_not_asked_for(self):
        home = self.home_with_tables()
        repository = Repository(self)
        (row,) = home.values("SELECT p FROM film WHERE id = 1")
        path = pathlib.Path(home.run("media", "path", row[0], "--csv").splitlines()[-1])
        path.unlink()
        self.assertEqual(repository.call(home, "backup", "create").returncode, 3)
        home.sql("DELETE FROM film WHERE id = 1")
        home.run("prune", "film", "--keep", "1", "--yes")
        repository.back_up(home)


class Damage(Shared):
    def damaged_everywhere(self, encrypted):
        home = self.home_with_tables()
        pristine = Repository(self, encrypted)
        pristine.back_up(home)
        home.sql("UPDATE film SET title = 'x' WHERE id = 1; DELETE FROM log")
        pristine.back_up(home)
        expected = state(home)
        damaged = Repository(self, encrypted)
        outcomes = set()
        for object in pristine.objects():
            name = object.relative_to(pristine.folder)
            content = object.read_bytes()
            middle, end = len(content) // 2, len(content) - 1
            for at in sorted({0, middle, end}) if tap.long else [middle]:
                with self.subTest(object=str(name), at=at):
                    shutil.rmtree(damaged.folder, ignore_errors=True)
                    shutil.copytree(pristine.folder, damaged.folder)
                    place = damaged.folder / name
                    place.chmod(0o644)
                    place.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
                    outcomes.add(self.restored_or_named(damaged, name, expected))
        self.assertIn("named", outcomes)

    def restored_or_named(self, damaged, name, expected):
        again, where = self.empty_place()
        result = damaged.call(again, "restore", *where)
        if result.returncode != 0:
            self.assertIn(name.name[:12], result.stderr)
            return "named"
        # It is no part of what the latest backup needs, or the earlier backup is what is left.
        found = state(again)
        if found != expected:
            self.assertEqual(name.parent.name, "backups")
            self.assertIn(name.name[:12], result.stderr)
        return "restored"

    def test_a_flipped_byte_in_each_object(self):
        self.damaged_everywhere(encrypted=True)

    def test_a_flipped_byte_in_each_object_that_is_not_encrypted(self):
        self.damaged_everywhere(encrypted=False)

    def test_a_pack_that_is_gone_and_a_manifest_cut_short(self):
        home = self.home_with_tables()
        repository = Repository(self)
        first = repository.back_up(home)
        before = set(repository.objects())
        home.sql("UPDATE film SET title = 'x' WHERE id = 1")
        second = repository.back_up(home)
        packs = [path for path in set(repository.objects()) - before if "packs" in path.parts]
        content = packs[0].read_bytes()
        packs[0].unlink()
        again, where = self.empty_place()
        said = repository.fail(again, "restore", *where, code=4)
        self.assertIn(packs[0].name[:12], said)
        repository.restore(self, self.server, "--backup", first["id"])
        packs[0].write_bytes(content)
        repository.restore(self, self.server, "--backup", second["id"])

        manifest = repository.folder / "meta/backups" / second["id"]
        manifest.chmod(0o644)
        manifest.write_bytes(manifest.read_bytes()[:-9])
        listed = repository.call(home, "backup", "list", "--json")
        self.assertIn(second["id"][:12], listed.stderr)
        self.assertEqual(len(listed.stdout.splitlines()), 1)
        again, where = self.empty_place()
        said = repository.fail(again, "restore", *where, "--backup", second["id"], code=4)
        self.assertIn(second["id"][:12], said)
        # The next backup is whole.
        third = repository.back_up(home)
        again = repository.restore(self, self.server, "--backup", third["id"])
        self.assertEqual(state(again), state(home))

    def test_a_full_backup_is_whole_whatever_was_lost(self):
        home = self.home_with_tables()
        repository = Repository(self)
        first = repository.back_up(home)
        home.sql("UPDATE film SET title = 'x' WHERE id = 1")
        for number, pack in enumerate(path for path in repository.objects() if "packs" in path.parts):
            pack.chmod(0o644)
            if number == 0:
                pack.unlink()
            else:
                pack.write_bytes(bytes(byte ^ 0x55 for byte in pack.read_bytes()))
        shutil.rmtree(home.folder / "cache", ignore_errors=True)
        said = repository.fail(home, "backup", "create", code=6)
        self.assertIn(first["id"][:12], said)
        self.assertIn("--full", said)
        full = repository.back_up(home, "--full")
        again = repository.restore(self, self.server, "--backup", full["id"])
        self.assertEqual(state(again), state(home))
        self.assertEqual(repository.back_up(home)["parent"], full["id"])

    def test_a_repository_that_vanishes(self):
        home = self.home_with_tables()
        repository = Repository(self)
        repository.back_up(home)
        moved = repository.folder.with_name("elsewhere")
        repository.folder.rename(moved)
        said = repository.fail(home, "backup", "list", code=4)
        self.assertIn(str(repository.folder), said)
        again, where = self.empty_place()
        repository.fail(again, "restore", *where, code=4)
        self.assertFalse(again.folder.exists())

    def test_in_the_middle(self):
        home = self.home_with_tables()
        home.sql("INSERT INTO log SELECT md5(g::text) FROM generate_series(1, 200000) g")
        repository = Repository(self)
        repository.back_up(home)
        again, where = self.empty_place()
        process = again.start("restore", *where, *repository.flags, environment=repository.environment)
        coppice.wait_until(lambda: (again.folder / "restoring").exists(), "the restore did not begin")
        packs, moved = repository.folder / "packs", repository.folder / "elsewhere"
        packs.rename(moved)
        _, said = process.communicate(timeout=60)
        self.assertIn(process.returncode, (4, 6), said)
        self.assertIn(str(repository.folder), said)
        moved.rename(packs)
        repository.report(again, "restore", *where)
        self.assertEqual(state(again), state(home))


class FullDisk(Shared):
    @contextlib.contextmanager
    def small_disk(self, size):
        folder = scratch_folder(self)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", folder],
                               capture_output=True, text=True)  # fmt: skip
        if mount.returncode != 0:
            self.skipTest("mount is not allowed: " + mount.stderr.strip())
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)

    def home_with_rows(self):
        home = self.home_with_tables()
        home.sql("INSERT INTO log SELECT md5(g::text) || md5((-g)::text) "
                 "FROM generate_series(1, 60000) g")  # fmt: skip
        return home

    def test_of_the_repository(self):
        home = self.home_with_rows()
        with self.small_disk("1m") as disk:
            repository = Repository(self, folder=disk / "repository")
            said = repository.fail(home, "backup", "create", code=1)
            self.assertIn(str(disk), said)
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            repository.back_up(home)
            self.assertEqual(state(repository.restore(self, self.server)), state(home))

    def test_of_the_home(self):
        home = self.home_with_tables()
        repository = Repository(self)
        repository.back_up(home)
        with self.small_disk("20k") as disk:
            again = Home(disk / "home")
            where = ("--database", new_database(self, owner_url(self.server)))
            said = repository.fail(again, "restore", *where, code=1)
            self.assertIn(str(disk), said)
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            repository.report(again, "restore", *where)
            self.assertEqual(state(again), state(home))


if __name__ == "__main__":
    tap.main()
