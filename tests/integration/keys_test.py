#!/usr/bin/python3
"""Keys of a repository: added, removed and begun anew, without touching data; and a limit of rate."""

import json
import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.backups import PASSPHRASE, Repository  # noqa: E402
from support.coppice import scratch_folder  # noqa: E402


class Keys(coppice.TestCase):
    def setUp(self):
        self.repository = Repository(self)
        self.home.sql("DROP TABLE IF EXISTS film; CREATE TABLE film (id int PRIMARY KEY, title text);"
                      "INSERT INTO film VALUES (1, 'canary')")  # fmt: skip
        self.first = self.repository.back_up(self.home)["id"]
        self.key_file = scratch_folder(self) / "films.key"
        self.key_file.write_bytes(os.urandom(64))

    def keys(self, **options):
        result = self.repository.call(self.home, "key", "list", "--json", **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def with_key_file(self, *arguments, **options):
        """The command, opened by the key file alone."""
        return self.home.attempt(*arguments, "--repo", self.repository.folder,
                                 "--key-file", self.key_file, **options)  # fmt: skip

    def add_key_file(self):
        report, _ = self.repository.report(self.home, "key", "add", "--new-key-file", self.key_file,
                                           "--label", "the safe")  # fmt: skip
        return report["id"]

    def data(self, repository=None):
        """The bytes of all that is no key."""
        folder = repository or self.repository.folder
        return {
            file.relative_to(folder): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file() and "keys" not in file.parts and "epochs" not in file.parts
        }

    def test_what_is_added_opens_everything_and_touches_no_data(self):
        before = self.data()
        added = self.add_key_file()
        self.repository.report(self.home, "key", "add", environment={"COPPICE_REPO_NEW_PASSWORD": "second"})
        self.assertEqual(self.data(), before)
        kinds = {key["kind"]: key for key in self.keys()}
        self.assertEqual(sorted(key["kind"] for key in self.keys()),
                         ["key-file", "passphrase", "passphrase"])  # fmt: skip
        self.assertEqual((kinds["key-file"]["id"], kinds["key-file"]["label"]), (added, "the safe"))
        self.assertEqual(self.with_key_file("backup", "show", self.first).returncode, 0)
        self.assertEqual(
            len(self.keys(environment={"COPPICE_REPO_PASSWORD": "second"})), 3
        )

    def test_what_is_removed_opens_nothing_any_more(self):
        self.add_key_file()
        (old,) = [key["id"] for key in self.keys() if key["kind"] == "passphrase"]
        copy = scratch_folder(self) / "copy"
        shutil.copytree(self.repository.folder, copy)
        before = self.data()
        result = self.with_key_file("key", "remove", old[:8], "--yes")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.data(), before)
        refused = self.repository.fail(self.home, "backup", "list", code=5)
        self.assertIn("opens no access", refused)
        # What is written from now on, who has the old passphrase and an old copy of its access
        # cannot read; what was written before he can.
        self.home.sql("INSERT INTO film VALUES (2, 'later')")
        self.assertEqual(self.with_key_file("backup", "create").returncode, 0)
        for folder, _, files in os.walk(copy):
            for name in files:
                kept = pathlib.Path(folder) / name
                there = self.repository.folder / kept.relative_to(copy)
                if not there.exists():
                    shutil.copy(kept, there)
        listed = self.repository.call(self.home, "backup", "list", "--json")
        self.assertIn(self.first[:12], listed.stdout)
        self.assertIn("cannot be read", listed.stderr)
        self.assertEqual(len(listed.stdout.splitlines()), 1)
        # With its own keys the repository has both.
        result = self.with_key_file("backup", "list", "--json")
        self.assertEqual(len(result.stdout.splitlines()), 2, result.stderr)

    def test_new_keys_for_new_data(self):
        before = self.data()
        self.repository.report(self.home, "key", "rotate")
        self.assertEqual(self.data(), before)
        self.assertEqual(len(list((self.repository.folder / "meta" / "epochs").iterdir())), 2)
        self.home.sql("INSERT INTO film VALUES (2, 'later')")
        self.repository.back_up(self.home)
        again = self.repository.restore(self, self.home)
        self.assertEqual(again.values("SELECT title FROM film ORDER BY id"), [["canary"], ["later"]])
        self.assertTrue(self.repository.report(self.home, "backup", "verify", "--data")[0]["intact"])

    def test_what_is_killed_is_done_again(self):
        """Every key opens everything until it is removed, and the verb done again ends."""
        keep = self.add_key_file()
        (old,) = [key["id"] for key in self.keys() if key["kind"] == "passphrase"]
        other = self.key_file.with_name("other.key")
        other.write_bytes(os.urandom(64))
        other.chmod(0o600)
        for point, words in (("key.access_stored", ("add", "--new-key-file", other)),
                             ("key.epoch_stored", ("rotate",)),
                             ("key.epoch_stored", ("remove", old, "--yes")),
                             ("key.before_removal", ("remove", old, "--yes"))):  # fmt: skip
            with self.subTest(point=point, words=words):
                crash = {"COPPICE_CRASH_AT": point}
                killed = self.with_key_file("key", *words, environment=crash)
                self.assertEqual(killed.returncode, -9, killed.stderr)
                for key in (self.key_file, *([other] if point == "key.access_stored" else [])):
                    shown = self.home.attempt("backup", "show", self.first, "--repo",
                                              self.repository.folder, "--key-file", key)  # fmt: skip
                    self.assertEqual(shown.returncode, 0, shown.stderr)
                # Who is to be removed still reads what was there.
                self.assertEqual(self.repository.call(self.home, "backup", "show", self.first).returncode, 0)
        done = self.with_key_file("key", "remove", old, "--yes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("opens no access", self.repository.fail(self.home, "backup", "list", code=5))
        listed = self.with_key_file("key", "list", "--json")
        self.assertIn(keep, listed.stdout)
        self.assertNotIn(old, listed.stdout)
        self.assertEqual(self.with_key_file("backup", "create").returncode, 0)
        verified = self.with_key_file("backup", "verify", "--data", "--rows")
        self.assertEqual(verified.returncode, 0, verified.stderr)

    def test_refusals(self):
        (only,) = [key["id"] for key in self.keys()]
        fail = self.repository.fail
        self.assertIn("last access", fail(self.home, "key", "remove", only, "--yes", code=5))
        self.assertIn("no key ffff", fail(self.home, "key", "remove", "ffff", "--yes", code=4))
        self.assertIn("too short", fail(self.home, "key", "remove", only[:2], "--yes", code=2))
        self.assertIn("COPPICE_REPO_NEW_PASSWORD", fail(self.home, "key", "add", code=2))
        empty = self.key_file.with_name("empty")
        empty.touch(mode=0o600)
        self.assertIn("empty", fail(self.home, "key", "add", "--new-password-file", empty, code=4))
        short = self.key_file.with_name("short.key")
        short.write_bytes(b"0123456789")
        self.assertIn("32", fail(self.home, "key", "add", "--new-key-file", short, code=2))
        both = ("--new-key-file", self.key_file, "--new-password-file", short)
        self.assertIn("several", fail(self.home, "key", "add", *both, code=2))
        plain = Repository(self, encrypted=False)
        plain.back_up(self.home)
        for verb in (("list",), ("add", "--new-key-file", self.key_file), ("rotate",)):
            self.assertIn("not encrypted", plain.fail(self.home, "key", *verb, code=5))
        self.assertEqual(len(self.keys()), 1)
        self.assertEqual(PASSPHRASE, self.repository.environment["COPPICE_REPO_PASSWORD"])


class Rate(coppice.TestCase):
    def test_a_backup_goes_no_faster_than_it_may(self):
        self.home.sql("CREATE TABLE noise (id int PRIMARY KEY, b bytea);"
                      "INSERT INTO noise SELECT g, decode((SELECT string_agg(md5((g * 1000 + i)::text), '')"
                      " FROM generate_series(1, 500) i), 'hex') FROM generate_series(1, 256) g")  # fmt: skip
        repository = Repository(self)
        begin = time.monotonic()
        report = repository.back_up(self.home, "--limit-rate", "1024")
        seconds = time.monotonic() - begin
        self.assertGreater(report["requests"]["bytes_put"], 2_000_000)
        # All but the last pack have had their time.
        self.assertGreater(seconds, 0.5)
        begin = time.monotonic()
        verified, _ = repository.report(self.home, "backup", "verify", "--data", "--limit-rate", "1024")
        self.assertTrue(verified["intact"])
        self.assertGreater(time.monotonic() - begin, 0.5)
        for rate in ("0", "fast", "-1", "1.5"):
            self.assertIn("KiB", repository.fail(self.home, "backup", "list", "--limit-rate", rate, code=2))


if __name__ == "__main__":
    tap.main()
