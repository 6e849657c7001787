#!/usr/bin/python3
"""The n-th request to the repository goes wrong, under every verb that makes any: no earlier backup is
lost, what failed is said, and the verb done again succeeds.

Each test is one verb. The quick set tries some n, others every day; --long tries every n with every
kind of fault. COPPICE_TEST_SEED draws as another day did.
"""

import datetime
import os
import pathlib
import random
import shutil
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import tap  # noqa: E402
from support.backups import TABLES, Repository, home_beside, new_database  # noqa: E402
from support.coppice import Home, media_folder, scratch_folder  # noqa: E402
from support.roots import owner_url  # noqa: E402

KINDS = ("fail", "vanish", "lost", "torn", "dropped")
LIES = ("torn", "dropped")  # of which nothing is said when they happen
MOST = 400  # more requests than any verb makes of this repository
SEED = int(os.environ.get("COPPICE_TEST_SEED") or datetime.date.today().toordinal())


class Faults(unittest.TestCase):
    """`base`: a repository with two backups of `home`, which has changed since."""

    @classmethod
    def setUpClass(cls):
        cls.server = Home.make(cls)
        cls.home = home_beside(cls, cls.server)
        cls.home.sql(TABLES.format(media=media_folder(cls)))
        key = scratch_folder(cls) / "key"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        cls.key = ("--key-file", str(key))
        cls.base = cls.repository(scratch_folder(cls) / "repository")
        cls.backups = [cls.base.back_up(cls.home)["id"]]
        cls.home.sql("UPDATE film SET title = 'uno' WHERE id = 1")
        cls.backups.append(cls.base.back_up(cls.home)["id"])
        cls.media = sorted((cls.home.folder / "media").rglob("*.*"))
        cls.drill = cls.base.report(cls.nowhere(cls), "drill", "run", "--scratch", scratch_folder(cls))[0]

    @classmethod
    def repository(cls, folder):
        """One that opens with a key file: a passphrase takes its time."""
        repository = Repository(cls, folder=folder)
        repository.environment = {}
        repository.flags = ("--repo", str(folder), *cls.key)
        return repository

    def nowhere(self):
        return Home(scratch_folder(self) / "home", self.server.work)

    # Verbs: what is called, in which home. Each is made anew for each try.

    def simple(*words):
        return lambda self: (self.home, words)

    def a_first_backup(self):
        shutil.rmtree(self.now.folder)
        return self.home, ("backup", "create")

    def a_changed_backup(self):
        self.home.sql(f"UPDATE film SET title = 'changed {self.tries}' WHERE id = 2")
        return self.home, ("backup", "create")

    def an_export(self):
        return self.nowhere(), ("backup", "export", self.backups[0][:12], "--to", scratch_folder(self) / "out")

    def a_restore(self):
        return self.nowhere(), ("restore", "--database", new_database(self, owner_url(self.server)))

    def a_restored_table(self):
        return self.home, ("restore", "--table", "film", "--as", f"film{self.tries}")

    def lost_media(self):
        self.media[0].unlink(missing_ok=True)
        return self.home, ("restore", "--media-only")

    def a_drill(self):
        return self.nowhere(), ("drill", "run", "--scratch", scratch_folder(self))

    def a_new_key(self):
        key = scratch_folder(self) / "new"
        key.write_bytes(os.urandom(32))
        key.chmod(0o600)
        return self.home, ("key", "add", "--new-key-file", key)

    def a_removed_key(self):
        _, words = self.a_new_key()
        added, _ = self.now.report(self.home, *words)
        return self.home, ("key", "remove", added["id"], "--yes")

    def a_schedule(self):
        self.home.sql(f"UPDATE film SET title = 'scheduled {self.tries}' WHERE id = 2")
        return self.home, ("schedule", "run", "backup", "verify", "prune")

    def garbage(self):
        self.now.report(self.home, "backup", "forget", self.backups[0], "--yes")
        return self.home, ("backup", "prune", "--wait", "0", "--yes")

    VERBS = {
        "create_first": (a_first_backup, 0),
        "create": (a_changed_backup, 2),
        "create_unchanged": (simple("backup", "create"), 2),
        "list": (simple("backup", "list"), 2),
        "show": (simple("backup", "show", "latest"), 2),
        "ls": (simple("backup", "ls", "latest"), 2),
        "cat": (simple("backup", "cat", "latest:config.toml"), 2),
        "verify": (simple("backup", "verify"), 2),
        "verify_data": (simple("backup", "verify", "--data"), 2),
        "verify_rows": (simple("backup", "verify", "--rows"), 2),
        "export": (an_export, 2),
        "restore": (a_restore, 2),
        "restore_table": (a_restored_table, 2),
        "restore_media": (lost_media, 2),
        "restore_dry_run": (simple("restore", "--dry-run"), 2),
        "drill_run": (a_drill, 2),
        "drill_list": (simple("drill", "list"), 2),
        "drill_show": (simple("drill", "show", "latest"), 2),
        "key_list": (simple("key", "list"), 2),
        "key_add": (a_new_key, 2),
        "key_remove": (a_removed_key, 2),
        "key_rotate": (simple("key", "rotate"), 2),
        "forget": (simple("backup", "forget", "--keep-last", "1", "--yes"), 1),
        "prune": (garbage, 1),
        "root": (simple("root", "--backup", "latest"), 2),
        "schedule_run": (a_schedule, 2),
    }  # fmt: skip
    SLOW = ("restore", "drill_run", "create_first", "schedule_run")

    def run_verb(self, name):
        choose = random.Random(f"{SEED} {name}")
        for kind in KINDS if tap.long else choose.sample(KINDS, 2 if name in self.SLOW else 3):
            for n in self.numbers(name, choose):
                with self.subTest(fault=f"{kind}:{n}", seed=SEED):
                    if not self.try_fault(name, kind, n):
                        break  # the verb makes no n-th request of that kind

    def numbers(self, name, choose):
        if tap.long:
            return range(1, MOST)
        drawn = choose.sample(range(3, 30), 1 if name in self.SLOW else 2)
        return sorted({choose.choice((1, 2)), *drawn})

    tries = 0

    def try_fault(self, name, kind, n):
        """False when no request went wrong."""
        Faults.tries += 1
        make, kept = self.VERBS[name]
        self.now = self.repository(scratch_folder(self) / "repository")
        shutil.copytree(self.base.folder, self.now.folder)
        seen = self.now.folder.parent / "seen"
        home, words = make(self)
        fault = {"COPPICE_STORE_FAULT": f"{kind}:{n}:{seen}"}
        result = self.call(home, words, fault)
        said = f"{result.args[1:]}: {result.returncode}\n{result.stdout[-500:]}{result.stderr[-1500:]}"
        if not seen.exists():
            self.assertEqual(result.returncode, 0, said)
            return False
        self.assertIn(result.returncode, (0, 1, 3, 6), said)  # neither a crash nor a wrong word for it
        if kind not in LIES and result.returncode != 0:
            self.assertIn("a test makes it fail", result.stderr + result.stdout, said)
        if name == "create_first" and kind in LIES:
            return True  # there is no earlier backup, and what is there may be damaged
        self.check_backups(self.backups[2 - kept :], kind in LIES, said)
        self.check_again(name, home, words, kind, said)
        return True

    def call(self, home, words, environment=None):
        if words[0] != "schedule":
            return self.now.call(home, *words, environment=environment)
        settings = {"COPPICE_BACKUP_REPOSITORY": str(self.now.folder),
                    "COPPICE_BACKUP_KEY_FILE": self.key[1]}  # fmt: skip
        return home.attempt(*words, environment=settings | (environment or {}))

    def check_backups(self, earlier, lied, said):
        """Of what was there before, everything is there and whole. What a store lies about is new."""
        verified = self.now.call(self.nowhere(), "backup", "verify", "--data", "--json")
        if not earlier and verified.returncode == 4:
            return  # the first backup had not got as far as a repository
        said += f"verify: {verified.stdout}{verified.stderr}"
        self.assertIn(verified.returncode, (0, 6) if lied else (0,), said)
        listed = self.now.list(self.nowhere())
        self.assertLessEqual({id[:12] for id in earlier}, {backup["id"] for backup in listed}, said)
        for id in earlier:
            self.assertNotIn(id, verified.stdout if lied else "", said)

    def check_again(self, name, home, words, kind, said):
        damaged = kind in LIES and {"verify", "prune"} & set(words)
        if damaged:
            return  # they say so again
        again = self.call(home, words)
        said += f"again: {again.returncode} {again.stderr[-1000:]}"
        # What was done, and only not told, is not there to be done again.
        done = {"key_remove": 4, "restore_table": 1, "restore": 5}.get(name)
        codes = (0, done) if kind in ("lost", *LIES) and done else (0,)
        self.assertIn(again.returncode, codes, said)


    def test_what_killed_writers_left_goes_with_the_next_backup(self):
        self.now = self.repository(scratch_folder(self) / "repository")
        shutil.copytree(self.base.folder, self.now.folder)
        incoming = self.now.folder / ".incoming"
        incoming.mkdir(exist_ok=True)
        for name, days in (("1-old.part", 2), ("1-new.part", 0)):
            (incoming / name).write_bytes(b"half a pack")
            moment = time.time() - days * 86_400
            os.utime(incoming / name, (moment, moment))
        self.now.back_up(self.home)
        self.assertEqual([file.name for file in incoming.iterdir()], ["1-new.part"])


def load_tests(loader, tests, pattern):
    for name in Faults.VERBS:
        setattr(Faults, f"test_{name}", lambda self, name=name: self.run_verb(name))
    names = [*(f"test_{name}" for name in Faults.VERBS),
             "test_what_killed_writers_left_goes_with_the_next_backup"]  # fmt: skip
    return unittest.TestSuite(map(Faults, names))


if __name__ == "__main__":
    tap.main()
