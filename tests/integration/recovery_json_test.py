#!/usr/bin/python3
"""What backups, restores and drills print with --json is what docs/formats/recovery_json.md says."""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support import coppice, tap  # noqa: E402
from support.backups import Repository  # noqa: E402

PAGE = (ROOT / "docs/formats/recovery_json.md").read_text()


def documented(name):
    """The keys of a report, or of a part of one, in the order of the page."""
    if part := re.search(rf"^\| `{name}` \| (.*) \|$", PAGE, re.MULTILINE):
        text = part[1]
    else:
        text = re.search(rf"^\*\*`{name}`\*\*: (.*?)(?:\n\n|\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    return re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", text))


class Lines(coppice.TestCase):
    def test_reports_and_events(self):
        repository = Repository(self)
        self.home.sql("CREATE TABLE film (id int PRIMARY KEY, title text);"
                      "INSERT INTO film VALUES (1, 'one')")  # fmt: skip
        result = repository.call(self.home, "backup", "create", "--json")
        (created,) = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(list(created), documented("backup create"))
        self.assertEqual(list(created["requests"]), documented("requests"))
        events = [json.loads(line) for line in result.stderr.splitlines()]
        kinds = {kind for event in events for kind in event}
        self.assertLessEqual({"notice", "progress"}, kinds)
        for event in events:
            self.assertEqual(len(event), 1)
            if "progress" in event:
                self.assertEqual(list(event["progress"]), ["what", "done", "total"])
        verified, _ = repository.report(self.home, "backup", "verify")
        self.assertEqual(list(verified), documented("backup verify"))
        restored = repository.restore(self, self.home).restored
        self.assertEqual(list(restored), documented("restore"))
        self.assertEqual(list(restored["phases"]), documented("phases"))
        drilled, _ = repository.report(self.home, "drill")
        self.assertEqual(list(drilled), documented("drill"))
        self.assertEqual(list(drilled["rto_seconds"]), documented("phases"))
        rescued, _ = repository.report(self.home, "restore", "--table", "film", "--where", "true", "--into", "film")
        self.assertEqual(list(rescued), documented("restore --into"))
        failed = repository.call(self.home, "backup", "show", "ffffff", "--json")
        error = json.loads(failed.stderr.splitlines()[-1])
        self.assertEqual(list(error["error"]), ["code", "message", "hint"])
        self.assertEqual((failed.returncode, failed.stdout), (4, ""))


if __name__ == "__main__":
    tap.main()
