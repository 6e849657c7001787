#!/usr/bin/python3
"""Random histories of tables and their views (tests/property/history_test.py) in two homes that share a
repository: backed up at random points, by two programs at once, forgotten and collected. What is restored of
any backup that is there has the history root of then and the rows of the model, and so has one table at any
version of it.

Each test is one seed. The quick set runs 2 histories, --long 40 longer ones, with chains of up to 25
backups: long enough for tables to be written anew.
"""

import dataclasses
import functools
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "property"))
from history_test import History, ViewHistory  # noqa: E402
from model import rows_agree  # noqa: E402
from support import tap  # noqa: E402
from support.backups import Repository, home_beside  # noqa: E402
from support.coppice import Failed, Home  # noqa: E402

QUICK = (range(1, 3), 20, 3)
LONG = (range(1, 41), 50, 5)


def revert(history):
    """As History.revert, to a version that prune has left."""
    version = history.random.randrange(history.floor, len(history.model.versions))
    differs = history.model.revert(version)
    history.run("revert", history.name, "--to", str(version), "--yes")
    return None if differs is None else int(differs)


def with_floor(changes):
    return [(revert if change is History.revert else change, weight) for change, weight in changes]


class Pruned(History):
    floor = 0
    CHANGES = with_floor(History.CHANGES)


class PrunedViews(ViewHistory):
    floor = 0
    CHANGES = with_floor(ViewHistory.CHANGES)


@dataclasses.dataclass
class Kept:
    """A backup: of which history, and its root, floor and newest version then."""

    history: History
    root: str
    floor: int
    newest: int


class Run:
    """One seed: histories that share a repository, and the backups of them that are there."""

    def __init__(self, test, server, seed):
        self.test, self.server = test, server
        self.repository = Repository(test)
        kinds = (PrunedViews, Pruned) if seed % 2 else (Pruned, PrunedViews)
        self.histories = [
            kind(home_beside(test, server), f"t{number}", 1000 * number + seed)
            for number, kind in enumerate(kinds)
        ]
        self.choose = self.histories[0].random
        self.kept = {}
        self.made = 0
        self.log = []
        for history in self.histories:
            history.log = self.log

    def step(self):
        # The second home has less to do: it is there to be in the way.
        history = self.histories[0 if self.choose.random() < 0.75 else 1]
        history.step()
        if self.choose.random() < 0.12:
            self.prune_table(history)
        draw = self.choose.random()
        if draw < 0.35:
            self.back_up(history)
        elif draw < 0.45:
            self.back_up(*self.histories)
        elif draw < 0.5:
            self.back_up(history, history)
        if self.choose.random() < 0.12:
            self.forget()
        if self.choose.random() < 0.1:
            self.prune()
        if self.kept and self.choose.random() < 0.12:
            self.restore_table()

    def prune_table(self, history):
        keep = self.choose.randrange(1, 8)
        history.run("prune", history.name, "--keep", str(keep), "--yes")
        history.floor = history.home.value(
            "SELECT floor_version FROM coppice.trees r JOIN coppice.tables t USING (tree_id) "
            f"WHERE t.table_name = '{history.name}'"
        )

    def back_up(self, *histories):
        """By as many programs at once."""
        flags, environment = self.repository.flags, self.repository.environment
        programs = [
            history.home.start("backup", "create", "--quiet", *flags, environment=environment)
            for history in histories
        ]
        for history, program in zip(histories, programs):
            output, said = program.communicate(timeout=120)
            if program.returncode != 0:
                raise AssertionError(f"backup create: {program.returncode}\n{output}{said}")
        before = set(self.kept)
        new = [line["id"] for line in self.repository.list(histories[0].home) if line["id"] not in before]
        self.log.append(f"backups {[id[:12] for id in new]} of {[h.name for h in histories]}")
        self.test.assertEqual(len(new), len(histories))
        self.made += len(new)
        roots = {history.home.run("root").strip(): history for history in histories}
        for id in new:
            root = self.repository.call(self.histories[0].home, "root", "--backup", id).stdout.strip()
            history = roots[root]
            self.kept[id] = Kept(history, history.home.run("root", "--history").strip(),
                                 history.floor, len(history.model.versions) - 1)  # fmt: skip

    def verb(self, *words):
        self.log.append("coppice " + " ".join(words))
        result = self.repository.call(self.histories[0].home, *words)
        if result.returncode != 0:
            raise Failed(result, "this was expected to succeed")

    def forget(self):
        if len(self.kept) < 2:
            return
        id = self.choose.choice(sorted(self.kept))
        self.verb("backup", "forget", id, "--yes")
        del self.kept[id]
        listed = {line["id"] for line in self.repository.list(self.histories[0].home)}
        self.test.assertEqual(listed, set(self.kept))

    def prune(self):
        """Without waiting: nobody else is there now."""
        if not self.repository.folder.exists():
            return  # there was no backup yet
        self.verb("backup", "prune", "--wait", "0", "--yes")

    def restore_table(self):
        """One at any version that a backup has, under another name, into either home."""
        id = self.choose.choice(sorted(self.kept))
        kept = self.kept[id]
        version = self.choose.randrange(kept.floor, kept.newest + 1)
        home = self.choose.choice(self.histories).home
        self.verb_in(home, "restore", "--backup", id, "--table", f"{kept.history.name}:{version}",
                     "--as", "again")  # fmt: skip
        expected = kept.history.model.versions[version].visible()
        found = home.rows("SELECT * FROM again ORDER BY id")
        if not rows_agree(expected, found):
            raise AssertionError(f"version {version} differs\nexpected {expected}\nfound    {found}")
        home.sql("DROP TABLE again")

    def verb_in(self, home, *words):
        self.log.append("coppice " + " ".join(words))
        self.repository.report(home, *words)

    def restore(self, id):
        kept = self.kept[id]
        self.log.append(f"restore {id[:12]}")
        home = self.repository.restore(self.test, self.server, "--backup", id)
        self.test.assertEqual(home.run("root", "--history").strip(), kept.root)
        living, kept.history.home = kept.history.home, home
        try:
            kept.history.check(list(range(kept.floor, kept.newest + 1)))
        finally:
            kept.history.home = living


class Backups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Home.make(cls)

    def run_seed(self, seed, steps, restores):
        run = Run(self, self.server, seed)
        try:
            for _ in range(steps):
                run.step()
            for id in run.choose.sample(sorted(run.kept), min(restores, len(run.kept))):
                run.restore(id)
            verified, _ = run.repository.report(run.histories[0].home, "backup", "verify", "--data", "--rows")
            self.assertTrue(verified["intact"])
        except AssertionError as error:
            log = ";\n".join(run.log)
            raise AssertionError(f"seed {seed}, after\n{log};\n{error}") from error
        self.assertGreater(run.made, 1)


def load_tests(loader, tests, pattern):
    seeds, steps, restores = LONG if tap.long else QUICK
    for seed in seeds:
        run = functools.partialmethod(Backups.run_seed, seed, steps, restores)
        setattr(Backups, f"test_seed_{seed}", run)
    return unittest.TestSuite(Backups(f"test_seed_{seed}") for seed in seeds)


if __name__ == "__main__":
    tap.main()
