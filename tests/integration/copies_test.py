#!/usr/bin/python3
"""A second repository: copied to, with the same keys and with others, killed at each point and gone
on with; and one repaired of the other, whatever is damaged on either side."""

import pathlib
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import Repository, Shared, state  # noqa: E402
from support.coppice import scratch_folder  # noqa: E402


def flip(path):
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def spoil(path):
    """Nothing of it can be read."""
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)


class Copies(Shared):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = scratch_folder(cls) / "key"
        cls.key.write_bytes(bytes(range(32)))
        cls.key.chmod(0o600)

    def home_with_backups(self, encrypted=True):
        home = self.home_with_tables()
        repository = Repository(self, encrypted)
        first = repository.back_up(home)["id"]
        home.sql("UPDATE film SET title = 'x' WHERE id = 1; DELETE FROM log")
        second = repository.back_up(home)["id"]
        return home, repository, [first, second]

    def copy(self, home, repository, other, *arguments, **options):
        return repository.report(home, "backup", "copy", "--to", str(other.folder), *arguments,
                                 **options)[0]  # fmt: skip

    def other_keys(self):
        other = Repository(self)
        other.environment = {}
        other.flags = ("--repo", str(other.folder), "--key-file", str(self.key))
        return other

    def expect_whole(self, home, repository, count):
        report, _ = repository.report(home, "backup", "verify", "--data")
        self.assertEqual((report["intact"], report["backups"]), (True, count))

    def test_a_copy_has_the_same_backups_and_is_restored_alike(self):
        for encrypted in (True, False):
            with self.subTest(encrypted=encrypted):
                home, repository, ids = self.home_with_backups(encrypted)
                other = Repository(self, encrypted)
                report = self.copy(home, repository, other)
                self.assertEqual((report["copied"], report["shares_keys"]), (ids, True))
                self.assertEqual([row["id"] for row in other.list(home)],
                                 [row["id"] for row in repository.list(home)])  # fmt: skip
                self.assertEqual(state(other.restore(self, self.server)), state(home))

    def test_a_second_copy_moves_only_what_is_new(self):
        home, repository, ids = self.home_with_backups()
        other = Repository(self)
        self.copy(home, repository, other, "--backup", ids[0])
        self.assertEqual(len(other.list(home)), 1)
        nothing = self.copy(home, repository, other, "--backup", ids[0])
        self.assertEqual((nothing["copied"], nothing["there"]), ([], 1))
        self.assertEqual((nothing["to_requests"]["put"], nothing["to_requests"]["bytes_put"]), (0, 0))
        some = self.copy(home, repository, other, "--backup", "all")
        self.assertEqual(some["copied"], ids[1:])
        written = sum(path.stat().st_size for path in other.objects())
        self.assertLess(some["to_requests"]["bytes_put"], written / 2)
        self.assertEqual(some["blobs"], 0)
        # Both go on as one repository would.
        home.sql("INSERT INTO log VALUES ('later')")
        self.assertEqual(other.back_up(home)["parent"], ids[1])
        self.expect_whole(home, other, 3)

    def test_killed_anywhere_it_goes_on(self):
        home, repository, ids = self.home_with_backups()
        for point in ["copy.keys_stored", "copy.pack_stored", "copy.pack_stored:3",
                      "copy.before_manifest", "copy.before_manifest:2", "copy.manifest_stored"]:  # fmt: skip
            with self.subTest(point=point):
                other = Repository(self)
                result = repository.call(home, "backup", "copy", "--to", str(other.folder),
                                         environment={"COPPICE_CRASH_AT": point})  # fmt: skip
                self.assertEqual(result.returncode, -signal.SIGKILL, result.stderr)
                if point != "copy.keys_stored":
                    there = [row["id"] for row in other.list(home)]
                    for id in there:
                        self.assertTrue(any(each.startswith(id) for each in ids))
                    self.expect_whole(home, other, len(there))
                report = self.copy(home, repository, other)
                self.assertEqual(len(report["copied"]) + report["there"], 2)
                self.expect_whole(home, other, 2)
                packs = [sorted(path.name for path in each.objects() if "packs" in path.parts)
                         for each in (repository, other)]  # fmt: skip
                self.assertEqual(packs[0], packs[1])

    def test_what_is_forgotten_in_one_stays_in_the_other(self):
        home, repository, ids = self.home_with_backups()
        other = Repository(self)
        self.copy(home, repository, other)
        repository.report(home, "backup", "forget", *ids, "--yes")
        for _ in range(2):
            repository.report(home, "backup", "prune", "--wait", "0", "--yes")
        self.assertEqual([path for path in repository.objects() if "packs" in path.parts], [])
        self.expect_whole(home, other, 2)
        self.assertEqual(state(other.restore(self, self.server)), state(home))

    def test_other_keys_read_and_write_all_anew(self):
        home, repository, ids = self.home_with_backups()
        other = self.other_keys()
        arguments = ("--to-key-file", str(self.key))
        report = self.copy(home, repository, other, *arguments)
        self.assertFalse(report["shares_keys"])
        self.assertEqual((len(report["copied"]), report["packs"]), (2, 0))
        self.assertTrue(set(report["copied"]).isdisjoint(ids))
        self.assertEqual(state(other.restore(self, self.server)), state(home))
        again = self.copy(home, repository, other, *arguments)
        self.assertEqual((again["copied"], again["there"], again["blobs"]), ([], 2, 0))
        home.sql("INSERT INTO log VALUES ('new')")
        repository.back_up(home)
        more = self.copy(home, repository, other, *arguments)
        self.assertLess(more["blob_bytes"], report["blob_bytes"] / 2)
        # With the keys of the first it is not opened, and says so.
        stderr = repository.fail(home, "backup", "copy", "--to", str(other.folder), code=5)
        self.assertIn("opens no access", stderr)

    def test_keys_that_were_rotated_since(self):
        home, repository, _ = self.home_with_backups()
        other = Repository(self)
        self.copy(home, repository, other)
        repository.report(home, "key", "rotate")
        home.sql("INSERT INTO log VALUES ('new')")
        repository.back_up(home)
        self.copy(home, repository, other)
        self.expect_whole(home, other, 3)
        self.assertEqual(state(other.restore(self, self.server)), state(home))

    def test_a_damaged_pack_stops_only_the_backups_that_need_it(self):
        home, repository, ids = self.home_with_backups()
        before = set(repository.objects())
        home.sql("INSERT INTO log SELECT 'w' || g FROM generate_series(1, 100) g")
        repository.back_up(home)
        new = [path for path in set(repository.objects()) - before if "packs" in path.parts]
        for path in new:
            flip(path)
        other = Repository(self)
        result = repository.call(home, "backup", "copy", "--to", str(other.folder))
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertTrue(any(path.name[:12] in result.stderr for path in new), result.stderr)
        self.expect_whole(home, other, 2)
        flip(next(path for path in repository.objects() if "backups" in path.parts))
        stderr = repository.fail(home, "backup", "copy", "--to", str(other.folder), code=6)
        self.assertIn("its manifest is damaged", stderr)

    def test_places_that_cannot_be(self):
        home, repository, _ = self.home_with_backups()
        self.assertIn("lie in each other",
                      repository.fail(home, "backup", "copy", "--to", str(repository.folder), code=2))  # fmt: skip
        full = scratch_folder(self)
        (full / "a").write_text("somebody's")
        self.assertIn("not empty",
                      repository.fail(home, "backup", "copy", "--to", str(full), code=5))  # fmt: skip
        self.assertIn("there is no backup",
                      repository.fail(home, "backup", "copy", "--to", str(full / "x"), "--backup",
                                      "abcdef", code=4))  # fmt: skip


class Repairs(Copies):
    # Its tests are not run again here.
    for _name in [name for name in vars(Copies) if name.startswith("test_")]:
        locals()[_name] = None
    del _name

    def with_copy(self):
        home, repository, ids = self.home_with_backups()
        other = Repository(self)
        self.copy(home, repository, other)
        return home, repository, other

    def repair(self, home, repository, other=None, *arguments, code=0, **options):
        words = ("--from", str(other.folder)) if other else ()
        return repository.report(home, "backup", "repair", *words, *arguments, code=code, **options)

    def test_each_object_damaged_or_gone(self):
        home, repository, other = self.with_copy()
        expected = state(home)
        kept = scratch_folder(self) / "kept"
        shutil.copytree(repository.folder, kept)
        for path in repository.objects():
            name = path.relative_to(repository.folder)
            if name.parts[0] != "packs" and name.parts[:2] not in [("meta", "backups"), ("meta", "index")]:
                continue
            for damage in (flip, pathlib.Path.unlink):
                if damage is not flip and "backups" in name.parts:
                    continue  # nobody knows that it was there
                with self.subTest(object=str(name), damage=damage.__name__):
                    damage(path)
                    report, _ = self.repair(home, repository, other)
                    self.assertEqual(report["left"], [])
                    if "index" not in name.parts:
                        self.assertEqual(path.read_bytes(), (kept / name).read_bytes())
                    self.expect_whole(home, repository, 2)
                    shutil.rmtree(repository.folder)
                    shutil.copytree(kept, repository.folder)
        for path in repository.objects():
            if "packs" in path.parts or "index" in path.parts:
                flip(path)
        self.repair(home, repository, other)
        self.expect_whole(home, repository, 2)
        self.assertEqual(state(repository.restore(self, self.server)), expected)

    def test_alone_it_makes_indexes_again_and_names_the_rest(self):
        home, repository, _ = self.with_copy()
        for path in repository.objects():
            if "index" in path.parts:
                flip(path)
        report, _ = self.repair(home, repository)
        self.assertEqual(report["left"], [])
        self.expect_whole(home, repository, 2)
        pack = next(path for path in repository.objects() if "packs" in path.parts)
        flip(pack)
        report, stderr = self.repair(home, repository, code=6)
        self.assertIn(pack.name, stderr)
        self.assertTrue(pack.exists())

    def test_a_copy_with_other_keys(self):
        home, repository, _ = self.home_with_backups()
        other = self.other_keys()
        self.copy(home, repository, other, "--to-key-file", str(self.key))
        expected = state(home)
        for path in repository.objects():
            if "packs" in path.parts:
                flip(path)
        flip(next(path for path in repository.objects() if "backups" in path.parts))
        report, _ = self.repair(home, repository, other, "--from-key-file", str(self.key))
        self.assertEqual(report["left"], [])
        self.expect_whole(home, repository, 2)
        self.assertEqual(state(repository.restore(self, self.server)), expected)

    def test_what_is_damaged_on_both_sides_is_named(self):
        home, repository, other = self.with_copy()
        packs = [path for path in repository.objects() if "packs" in path.parts]
        for path in packs:
            spoil(path)
            if path != packs[0]:
                spoil(other.folder / path.relative_to(repository.folder))
        report, stderr = self.repair(home, repository, other, code=6)
        left = {finding["object"] for finding in report["left"]}
        for path in packs[1:]:
            self.assertIn(str(path.relative_to(repository.folder)), left)
        self.assertIn(str(other.folder), stderr)
        self.assertEqual([each["object"] for each in report["repaired"]],
                         [str(packs[0].relative_to(repository.folder))])  # fmt: skip

    def test_killed_anywhere_it_is_repeated(self):
        home, repository, other = self.with_copy()
        packs = [path for path in repository.objects() if "packs" in path.parts]
        keyed = self.other_keys()
        self.copy(home, repository, keyed, "--to-key-file", str(self.key))
        for point, source, words in [
            ("repair.removed", other, ()),
            ("repair.written_again", keyed, ("--from-key-file", str(self.key))),
        ]:
            with self.subTest(point=point):
                for path in packs:
                    flip(path)
                result = repository.call(
                    home, "backup", "repair", "--from", str(source.folder), *words,
                    environment={"COPPICE_CRASH_AT": point})  # fmt: skip
                self.assertEqual(result.returncode, -signal.SIGKILL, result.stderr)
                self.repair(home, repository, source, *words)
                self.expect_whole(home, repository, 2)

    def test_what_was_forgotten_stays_forgotten(self):
        home, repository, other = self.with_copy()
        (gone, _) = [row["id"] for row in repository.list(home)]
        repository.report(home, "backup", "forget", gone, "--yes")
        for path in repository.objects():
            if "packs" in path.parts:
                flip(path)
        report, _ = self.repair(home, repository, other)
        self.assertEqual(report["elsewhere"], [gone])
        self.expect_whole(home, repository, 1)


if __name__ == "__main__":
    tap.main()
