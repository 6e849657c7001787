#!/usr/bin/python3
"""Backups that are held: no rule and nobody forgets them."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.backups import Repository  # noqa: E402


class Holds(coppice.TestCase):
    def setUp(self):
        self.repository = Repository(self)
        self.home.sql("CREATE TABLE IF NOT EXISTS t (a int)")
        self.backups = []
        for number in range(3):
            self.home.sql(f"INSERT INTO t VALUES ({number})")
            self.backups.append(self.repository.back_up(self.home)["id"])

    def call(self, *arguments):
        return self.repository.report(self.home, "backup", *arguments)

    def ids(self):
        return {line["id"]: line["held"] for line in self.repository.list(self.home)}

    def short(self, number):
        return self.backups[number][:12]

    def test_rules_and_people_leave_it_alone(self):
        held, _ = self.call("hold", self.short(0), "--note", "audit")
        self.assertEqual(held, {"held": self.backups[0]})
        self.call("hold", "latest")
        self.assertEqual(self.ids(), {self.short(0): True, self.short(1): False, self.short(2): True})
        shown = self.repository.call(self.home, "backup", "show", self.short(0)).stdout
        self.assertRegex(shown, r"held .*since .* by .*: audit")
        plan = self.repository.call(self.home, "backup", "forget", "--keep-last", "1", "--dry-run").stdout
        self.assertRegex(plan, rf"{self.short(0)}.*kept .*held")
        self.repository.call(self.home, "backup", "forget", "--keep-last", "1", "--yes")
        self.assertEqual(set(self.ids()), {self.short(0), self.short(2)})
        said = self.repository.fail(self.home, "backup", "forget", self.short(0), "--yes", code=5)
        self.assertRegex(said, rf"{self.short(0)} is held since .*: audit\n.*coppice backup release {self.short(0)}")
        self.assertTrue(self.repository.report(self.home, "backup", "verify", "--data")[0]["intact"])
        released, _ = self.call("release", self.short(0), "--yes")
        self.assertEqual(released, {"released": self.backups[0]})
        self.assertIn("nobody holds", self.repository.fail(self.home, "backup", "release", self.short(0), "--yes", code=5))
        self.repository.call(self.home, "backup", "forget", self.short(0), "--yes")
        self.assertEqual(self.ids(), {self.short(2): True})

    def test_bad_input(self):
        for verb in ("hold", "release"):
            self.assertIn("ffff", self.repository.fail(self.home, "backup", verb, "ffff", "--yes"[: 5 * (verb == "release")] or "--note=x", code=4))
        self.repository.fail(self.home, "backup", "release", self.short(0), code=5)  # nobody to ask
        # Which backup a damaged hold is about nobody knows: so none goes.
        self.call("hold", self.short(1))
        (hold,) = (self.repository.folder / "meta/holds").iterdir()
        bytes_of = bytearray(hold.read_bytes())
        bytes_of[-3] ^= 1
        hold.chmod(0o600)
        hold.write_bytes(bytes_of)
        said = self.repository.fail(self.home, "backup", "forget", "--keep-last", "1", "--yes", code=6)
        self.assertIn(f"meta/holds/{hold.name}", said)
        self.assertEqual(len(list((self.repository.folder / "meta/backups").iterdir())), 3)
        listed = self.repository.call(self.home, "backup", "list")
        self.assertEqual((listed.returncode, listed.stdout.count(" | ") > 30), (0, True))
        self.assertIn(f"meta/holds/{hold.name}", listed.stderr)
        report, _ = self.repository.report(self.home, "backup", "verify", "--data", code=6)
        self.assertIn(f"meta/holds/{hold.name}", str(report))


if __name__ == "__main__":
    tap.main()
