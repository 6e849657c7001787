#!/usr/bin/python3
"""Random histories of a table and its views (tests/property/history_test.py), backed up at random points
into one chain: what is restored of any backup has the history root of then, and the rows of the model.

Each test is one seed. The quick set runs 2 histories, --long 40 longer ones, with chains of up to 25
backups: long enough for tables to be written anew.
"""

import functools
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "property"))
from history_test import History, ViewHistory  # noqa: E402
from support import tap  # noqa: E402
from support.backups import Repository, home_beside  # noqa: E402
from support.coppice import Home  # noqa: E402

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


class Backups(unittest.TestCase):
    """`kept`: of each backup its history root, newest version and floor."""

    @classmethod
    def setUpClass(cls):
        cls.server = Home.make(cls)

    def run_seed(self, seed, steps, restores):
        home = home_beside(self, self.server)
        history = (PrunedViews if seed % 2 else Pruned)(home, "t", seed)
        choose = history.random
        repository = Repository(self)
        kept, floor = {}, 0
        try:
            for _ in range(steps):
                history.step()
                newest = len(history.model.versions) - 1
                if choose.random() < 0.12:
                    keep = choose.randrange(1, 8)
                    home.run("prune", "t", "--keep", str(keep), "--yes")
                    floor = self.floor(home)
                    history.log.append(f"prune --keep {keep}")
                    history.floor = floor
                if choose.random() < 0.5:
                    report = repository.back_up(home)
                    history.log.append(f"backup {report['id'][:12]}")
                    kept[report["id"]] = (home.run("root", "--history").strip(), newest, floor)
            for id in choose.sample(sorted(kept), min(restores, len(kept))):
                root, newest, from_version = kept[id]
                history.log.append(f"restore {id[:12]}")
                history.home = repository.restore(self, self.server, "--backup", id)
                self.assertEqual(history.home.run("root", "--history").strip(), root)
                history.check(list(range(from_version, newest + 1)))
        except AssertionError as error:
            log = ";\n".join(history.log)
            raise AssertionError(f"seed {seed}, after\n{log};\n{error}") from error
        self.assertGreater(len(kept), 1)

    def floor(self, home):
        return home.value("SELECT floor_version FROM coppice.trees r JOIN coppice.tables t "
                          "USING (tree_id) WHERE t.table_name = 't'")  # fmt: skip


def load_tests(loader, tests, pattern):
    seeds, steps, restores = LONG if tap.long else QUICK
    for seed in seeds:
        run = functools.partialmethod(Backups.run_seed, seed, steps, restores)
        setattr(Backups, f"test_seed_{seed}", run)
    return unittest.TestSuite(Backups(f"test_seed_{seed}") for seed in seeds)


if __name__ == "__main__":
    tap.main()
