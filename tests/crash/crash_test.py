#!/usr/bin/python3
"""kill -9 at every crash point: afterwards the data equal before or after, history tells which, no
older version has changed, and the work can be done to its end.

The points are those that `coppice debug crash-points` lists; each needs a scenario below that
reaches it. A point without a scenario, or one that is never reached, is a failed test.
"""

import json
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Failed, Home  # noqa: E402

ROWS = 40


class Scenario:
    """A change to one table: what it is, and the rows before and after."""

    computed = "length(name)"  # evaluated by PostgreSQL
    resumes_by_itself = False
    repeated = {}  # points that this change reaches several times, and how often to try each

    def __init__(self, home, table, media):
        self.home, self.table, self.media = home, table, media

    def prepare(self):
        self.home.sql(
            f"CREATE TABLE {self.table} (id int PRIMARY KEY, name text, photo image, "
            f"size bigint GENERATED ALWAYS AS ({self.computed}) STORED)"
        )
        self.home.sql(self.insert(1, ROWS))

    def insert(self, first, last):
        pictures = ("red.png", "gradient.jpg", "alpha.png")
        values = ", ".join(
            f"({i}, 'row {i}', '{self.media}/{pictures[i % 3]}')" for i in range(first, last + 1)
        )
        return f"INSERT INTO {self.table} (id, name, photo) VALUES {values}"

    def command(self):
        """The arguments of coppice that make the change."""
        raise NotImplementedError

    def content(self, version=None):
        name = f'"{self.table}:{version}"' if version is not None else self.table
        return self.home.rows(f"SELECT * FROM {name} ORDER BY id")

    def is_after(self, before, after):
        """True when `after` is what the change makes of `before`."""
        raise NotImplementedError


class DirectInsert(Scenario):
    def command(self):
        return ["sql", f"INSERT INTO {self.table} (id, name) SELECT i, 'new' "
                f"FROM generate_series({ROWS + 1}, {2 * ROWS}) AS i"]  # fmt: skip

    def is_after(self, before, after):
        new = [{"id": i, "name": "new", "photo": None, "size": 3}
               for i in range(ROWS + 1, 2 * ROWS + 1)]  # fmt: skip
        return after == before + new


class DirectUpdate(Scenario):
    def command(self):
        return ["sql", f"UPDATE {self.table} SET name = name || '!' WHERE id % 2 = 0"]

    def is_after(self, before, after):
        changed = [
            row | {"name": row["name"] + "!", "size": row["size"] + 1} if row["id"] % 2 == 0 else row
            for row in before
        ]
        return after == changed


class DirectDelete(Scenario):
    def command(self):
        return ["sql", f"DELETE FROM {self.table} WHERE id > 5"]

    def is_after(self, before, after):
        return after == [row for row in before if row["id"] <= 5]


class StagedInsert(Scenario):
    computed = "width(photo)"
    repeated = {"media.object_written": 2}

    def command(self):
        return ["sql", self.insert(ROWS + 1, 2 * ROWS)]

    def is_after(self, before, after):
        new = after[len(before) :]
        widths = {0: 64, 1: 640, 2: 32}
        return (
            after[: len(before)] == before
            and [row["id"] for row in new] == list(range(ROWS + 1, 2 * ROWS + 1))
            and all(row["size"] == widths[row["id"] % 3] for row in new)
        )


class StagedUpdate(Scenario):
    computed = "width(photo)"

    def command(self):
        return ["sql", f"UPDATE {self.table} SET photo = '{self.media}/gradient.webp'"]

    def is_after(self, before, after):
        return (
            [(row["id"], row["name"]) for row in after]
            == [(row["id"], row["name"]) for row in before]
            and all(row["size"] == 640 for row in after)
            and len({row["photo"] for row in after}) == 1
        )


class Fill(Scenario):
    resumes_by_itself = True

    def command(self):
        return ["sql", f"ALTER TABLE {self.table} ADD COLUMN tall bigint "
                "GENERATED ALWAYS AS (height(photo)) STORED"]  # fmt: skip

    def is_after(self, before, after):
        heights = {0: 48, 1: 480, 2: 32}
        return after == [row | {"tall": heights[row["id"] % 3]} for row in before]


class FillBySql(Scenario):
    """PostgreSQL evaluates the expression; the rows take two ranges."""

    resumes_by_itself = True
    repeated = {"fill.range_computed": 2, "fill.range_stored": 2}

    def prepare(self):
        super().prepare()
        self.home.sql(f"INSERT INTO {self.table} (id, name) SELECT i, 'row ' || i "
                      f"FROM generate_series({ROWS + 1}, 11000) AS i")  # fmt: skip

    def command(self):
        return ["sql", f"ALTER TABLE {self.table} ADD COLUMN loud text "
                "GENERATED ALWAYS AS (upper(name)) STORED"]  # fmt: skip

    def is_after(self, before, after):
        return after == [row | {"loud": row["name"].upper()} for row in before]


class Revert(Scenario):
    def prepare(self):
        super().prepare()
        self.home.sql(f"UPDATE {self.table} SET name = 'changed' WHERE id < 10")
        self.home.sql(f"DELETE FROM {self.table} WHERE id > 30")
        self.original = self.content(1)

    def command(self):
        return ["revert", self.table, "--to", "1", "--yes"]

    def is_after(self, before, after):
        return after == self.original


class Tree(Scenario):
    """A table with a materialized view, and one over that: all at the same point, always."""

    computed = "width(photo)"
    views_since = 4  # the version that has both views

    def prepare(self):
        super().prepare()
        self.home.sql(
            f"CREATE MATERIALIZED VIEW {self.table}_part AS SELECT f.id, i.pos, i.element, "
            f"f.size + i.pos AS place FROM {self.table} f, "
            "LATERAL elements(to_jsonb(string_to_array(f.name, ' '))) AS i WHERE width(f.photo) < 600"
        )
        self.home.sql(f"ALTER TABLE {self.table}_part ADD COLUMN loud text "
                      "GENERATED ALWAYS AS (upper(element #>> '{}')) STORED")  # fmt: skip
        self.home.sql(f"CREATE MATERIALIZED VIEW {self.table}_over AS "
                      f"SELECT p.id, p.loud || '!' AS cry FROM {self.table}_part p WHERE p.pos = 0")  # fmt: skip

    def content(self, version=None):
        base = super().content(version)
        if version is not None and version < self.views_since:
            return base
        at = "" if version is None else f":{version}"
        rows = self.home.rows(f'SELECT id, pos, element, place, loud FROM "{self.table}_part{at}" '
                              "ORDER BY id, pos")  # fmt: skip
        over = self.home.rows(f'SELECT id, cry FROM "{self.table}_over{at}" ORDER BY id')
        assert self.parts(base) == rows, f"the view is not of its table at {version}"
        cries = [{"id": row["id"], "cry": row["loud"] + "!"} for row in rows if row["pos"] == 0]
        assert cries == over, f"the view over the view is not of it at {version}"
        return base

    @staticmethod
    def parts(base):
        return [
            {"id": row["id"], "pos": pos, "element": word, "place": row["size"] + pos,
             "loud": word.upper()}
            for row in base if row["size"] is not None and row["size"] < 600
            for pos, word in enumerate(row["name"].split(" "))
        ]  # fmt: skip


class TreeInsert(Tree):
    def command(self):
        return ["sql", self.insert(ROWS + 1, 2 * ROWS)]

    def is_after(self, before, after):
        return after[: len(before)] == before and len(after) == 2 * len(before)


class TreeUpdate(Tree):
    """Rows that are made anew, and rows of which a cell is."""

    def command(self):
        return ["sql", f"UPDATE {self.table} SET name = CASE WHEN id < 10 THEN name || ' more' "
                f"ELSE name END, photo = CASE WHEN id > 30 THEN '{self.media}/red.png' "
                "ELSE photo END"]  # fmt: skip

    def is_after(self, before, after):
        return [row["name"] for row in after] == [
            row["name"] + " more" if row["id"] < 10 else row["name"] for row in before
        ] and all(row["size"] == 64 for row in after if row["id"] > 30)


class TreeDelete(Tree):
    def command(self):
        return ["sql", f"DELETE FROM {self.table} WHERE id % 3 = 0"]

    def is_after(self, before, after):
        return after == [row for row in before if row["id"] % 3 != 0]


class TreeRevert(Tree):
    def prepare(self):
        super().prepare()
        self.original = self.content(self.views_since)
        self.home.sql(f"UPDATE {self.table} SET name = 'changed it' WHERE id < 10")
        self.home.sql(f"DELETE FROM {self.table} WHERE id > 30")

    def command(self):
        return ["revert", self.table, "--to", str(self.views_since), "--yes"]

    def is_after(self, before, after):
        return after == self.original


class MakeView(Scenario):
    """CREATE MATERIALIZED VIEW over rows that are there."""

    def view(self):
        return self.home.rows(
            f"SELECT count(*) AS n FROM coppice.tables WHERE table_name = '{self.table}_part'"
        )[0]["n"]

    def command(self):
        return ["sql", f"CREATE MATERIALIZED VIEW {self.table}_part AS SELECT f.id, i.pos, "
                f"i.element FROM {self.table} f, "
                "LATERAL elements(to_jsonb(string_to_array(f.name, ' '))) AS i"]  # fmt: skip

    def is_after(self, before, after):
        if after != before or not self.view():
            return False
        rows = self.home.rows(f"SELECT id, pos FROM {self.table}_part ORDER BY id, pos")
        return rows == [{"id": row["id"], "pos": pos} for row in before for pos in (0, 1)]


# Which changes reach the points whose names begin so. "x:2" is the second time it is reached.
SCENARIOS = {
    "operation.": [DirectInsert, StagedInsert, Fill, Revert],
    "direct.": [DirectInsert, DirectUpdate, DirectDelete],
    "stage.": [StagedInsert, StagedUpdate, TreeUpdate],
    "publish.": [StagedInsert, StagedUpdate, TreeInsert, TreeUpdate, TreeDelete, TreeRevert],
    "view.batch": [TreeInsert, TreeUpdate, MakeView],
    "view.before": [MakeView],
    "fill.": [Fill, FillBySql],
    "revert.": [Revert],
    "media.": [StagedInsert],
    "results.": [],  # tests/integration/results_test.py kills there, and counts calls
    "backup.": [],  # tests/integration/restore_test.py
    "other_data.": [],  # tests/integration/files_backup_test.py, dump_backup_test.py
    "copy.": [],  # tests/integration/copies_test.py
    "repair.": [],
    "key.": [],  # tests/integration/keys_test.py
    "restore.": [],
    "rescue.": [],  # tests/integration/rescue_test.py
    "restore_table.": [],  # tests/integration/restore_parts_test.py
    "export.": [],  # tests/integration/export_test.py
    "schedule.": [],  # tests/integration/schedule_test.py
}


def list_points():
    result = Home("/nonexistent", "/").attempt("debug", "crash-points", "--json")
    if result.returncode != 0:
        raise Failed(result, "the crash points cannot be listed")
    lines = [json.loads(line) for line in result.stdout.splitlines() if line]
    return [line["name"] for line in lines]


class Crash(unittest.TestCase):
    """One test a point and scenario; made by load_tests below."""

    home = media = None
    number = 0

    def __init__(self, point=None, scenario=None, method="test_every_point_has_a_scenario"):
        super().__init__("run_point" if point else method)
        self.point, self.scenario_class = point, scenario

    def test_name(self, method):
        if not self.point:
            return method.removeprefix("test_")
        return f"{self.point}/{self.scenario_class.__name__}"

    @classmethod
    def setUpClass(cls):
        Crash.home = Home.make(cls)
        Crash.media = coppice.media_folder(cls)

    def test_every_point_has_a_scenario(self):
        points = list_points()
        self.assertGreaterEqual(len(points), 12)
        for point in points:
            self.assertTrue(
                any(point.startswith(prefix) for prefix in SCENARIOS), f"no scenario for {point}"
            )

    def test_killed_work_on_a_tree_goes_on(self):
        """jobs resume ends what was killed: a write with its views, and the making of a view."""
        for point, made in [("view.batch_stored", TreeInsert), ("stage.batch_stored", TreeUpdate),
                            ("publish.before_commit", TreeDelete), ("view.batch_stored", MakeView),
                            ("view.before_publish", MakeView)]:  # fmt: skip
            with self.subTest(point=point, change=made.__name__):
                Crash.number += 1
                scenario = made(self.home, f"t{Crash.number}", self.media)
                scenario.prepare()
                before = scenario.content()
                environment = {"COPPICE_CRASH_AT": point}
                result = self.home.attempt(*scenario.command(), environment=environment)
                self.assertEqual(result.returncode, -signal.SIGKILL)
                jobs = [job for job in self.home.json_lines("jobs", "list")
                        if job["state"] == "interrupted" and f"t{Crash.number}" in job["statement"]]  # fmt: skip
                self.assertEqual(len(jobs), 1)
                self.home.run("jobs", "resume", jobs[0]["id"])
                self.assertTrue(scenario.is_after(before, scenario.content()))
                left = self.home.rows(
                    "SELECT count(*) AS n FROM pg_class WHERE relname ~ '^s[0-9]+_[0-9]+' "
                    f"AND relname LIKE 's' || (SELECT tree_id FROM coppice.tables "
                    f"WHERE table_name = '{scenario.table}') || '\\_%'"
                )
                self.assertEqual(left[0]["n"], 0, "staging tables are left")

    def run_point(self):
        Crash.number += 1
        scenario = self.scenario_class(self.home, f"t{Crash.number}", self.media)
        scenario.prepare()
        before = scenario.content()
        versions = self.home.versions(scenario.table)
        past = {version: scenario.content(version) for version in versions}

        result = self.home.attempt(
            *scenario.command(), environment={"COPPICE_CRASH_AT": self.point}
        )
        if result.returncode != -signal.SIGKILL:
            raise Failed(result, f"the crash point {self.point} was not reached")

        applied = self.check_before_or_after(scenario, before, versions)
        self.check_past(scenario, past)
        if not applied:
            self.finish(scenario, before, versions)
            self.check_past(scenario, past)
        # The table is as good as new.
        newest = self.home.versions(scenario.table)[-1]
        self.home.sql(f"INSERT INTO {scenario.table} (id, name) VALUES (100000, 'last')")
        self.assertEqual(self.home.versions(scenario.table)[-1], newest + 1)

    def check_before_or_after(self, scenario, before, versions):
        """History tells which of the two it is, and the rows agree. True when it is after."""
        now = self.home.versions(scenario.table)
        content = scenario.content()
        if now == versions:
            if scenario.resumes_by_itself and content != before:  # published in between
                return self.check_before_or_after(scenario, before, versions)
            self.assertEqual(content, before, "history says before, the rows do not")
            return False
        self.assertEqual(now, versions + [versions[-1] + 1])
        self.assertTrue(scenario.is_after(before, content), "history says after, the rows do not")
        return True

    def check_past(self, scenario, past):
        for version, content in past.items():
            self.assertEqual(scenario.content(version), content, f"version {version} has changed")

    def finish(self, scenario, before, versions):
        """A fill goes on by itself; any other change is interrupted, listed, and done again."""
        if scenario.resumes_by_itself:
            deadline = time.monotonic() + 30
            while self.home.versions(scenario.table) == versions:
                if time.monotonic() > deadline:
                    # Killed before the fill was on record: then nobody can go on with it.
                    self.assertEqual(self.point, "operation.drawn", "the fill did not resume")
                    self.home.run(*scenario.command())
                self.home.sql("SELECT 1")
                time.sleep(0.1)
        else:
            states = [job.get("state") for job in self.home.json_lines("jobs", "list", "--all")]
            self.assertIn("interrupted", states)
            self.home.run(*scenario.command())
        self.assertTrue(self.check_before_or_after(scenario, before, versions))


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite([Crash(), Crash(method="test_killed_work_on_a_tree_goes_on")])
    for point in list_points():
        scenarios = [made for prefix, made in SCENARIOS.items() if point.startswith(prefix)]
        for scenario in scenarios[0] if scenarios else []:
            times = [f":{count}" for count in range(2, scenario.repeated.get(point, 1) + 1)]
            for suffix in ["", *times]:
                suite.addTest(Crash(point + suffix, scenario))
    return suite


if __name__ == "__main__":
    tap.main()
