#!/usr/bin/python3
"""Schedules: what is due is done, once, in order, whatever failed, died or slept before, and `status`
says when objectives are missed. A clock of the test's own (COPPICE_NOW) goes through months."""

import datetime
import fcntl
import json
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.backups import Repository, home_beside  # noqa: E402
from support.coppice import Home, scratch_folder  # noqa: E402

UTC = datetime.timezone.utc
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


def at(year, month, day, hour=0, minute=0):
    return datetime.datetime(year, month, day, hour, minute, tzinfo=UTC)


def moment_in(text):
    """A moment as backups and the catalog have it, to the second."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "T"))
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)


class Scheduled(unittest.TestCase):
    """A home with a table, a repository that is not encrypted, and a clock that `go_to` sets."""

    def setUp(self):
        self.home = self.make_home()
        self.repository = Repository(self, encrypted=False)
        self.home.sql("CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (0)")
        self.go_to(at(2027, 1, 10, 0, 10))
        self.set("backup.repository", str(self.repository.folder))

    def make_home(self):
        return Home.make(self)

    def set(self, key, value):
        """A setting, as its environment variable."""
        self.home.environment["COPPICE_" + key.upper().replace(".", "_")] = str(value)

    def go_to(self, moment):
        self.now = moment
        self.home.environment["COPPICE_NOW"] = str(int(moment.timestamp()))

    def first_backup(self):
        """Only a backup that is asked for makes a repository that anybody can read."""
        return self.repository.back_up(self.home)

    def run_schedule(self, *tasks, code=0, **options):
        """{task: outcome} of what was due."""
        lines = self.home.run("schedule", "run", *tasks, "--json", code=code, **options).splitlines()
        rows = [json.loads(line) for line in lines]
        return {row["task"]: row["outcome"] for row in rows}

    def shown(self, task):
        rows = self.home.json_lines("schedule", "show")
        return next(row for row in rows if row["task"] == task)

    def next_due(self, task):
        return moment_in(self.shown(task)["next"])

    def backups(self):
        return [moment_in(line["moment"]) for line in self.repository.list(self.home)]

    def runs(self, task):
        return self.home.values(
            "SELECT outcome, began_at, error, part FROM coppice.scheduled_runs "
            f"WHERE task = '{task}' ORDER BY run_id"
        )


def kept_by_rules(moments, daily, weekly, monthly):
    """Which of these stay, as the guide says it."""
    kept = set()
    for count, period in (
        (daily, lambda m: m.date()),
        (weekly, lambda m: m.date() - datetime.timedelta(days=m.weekday())),
        (monthly, lambda m: (m.year, m.month)),
    ):
        latest = {}
        for moment in sorted(moments):
            latest[period(moment)] = moment
        kept |= {latest[key] for key in sorted(latest)[-count:]}
    return kept


class AHundredDays(Scheduled):
    def sleep_for(self, duration):
        """Time goes by for the repository, too: its ages are those of its files."""
        for file in self.repository.objects():
            facts = file.stat()
            os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns - int(duration.total_seconds()) * 10**9))
        self.go_to(self.now + duration)

    def test_backups_retention_checks_and_one_drill(self):
        self.first_backup()
        for key, value in {
            "schedule.backup": "daily 02:30", "schedule.forget": "daily 02:30",
            "schedule.prune": "daily 02:30", "schedule.verify": "weekly sun 02:30",
            "schedule.verify_parts": 5, "schedule.drill": "quarterly 02:30",
            "backup.keep_daily": 7, "backup.keep_weekly": 4, "backup.keep_monthly": 3,
        }.items():  # fmt: skip
            self.set(key, value)
        self.assertEqual(self.run_schedule(), {})  # from now on
        packs = set()
        expected = {self.now}
        for day in range(100):
            due = self.next_due("backup") if day % 20 == 0 else self.now + DAY
            self.sleep_for(due - self.now)
            if day % 4 == 0:
                self.home.sql(f"UPDATE t SET n = {day + 1}")
            done = self.run_schedule()
            wanted = {"backup": "done", "forget": "done", "prune": "done"}
            if due.weekday() == 6:
                wanted["verify"] = "done"
            if due.date() == datetime.date(2027, 4, 1):
                wanted["drill"] = "done"
            self.assertEqual(done, wanted, due)
            self.assertEqual(list(done), list(wanted), "the order in which they are done")
            expected = kept_by_rules(expected | {due}, 7, 4, 3)
            packs |= {p.name for p in self.repository.objects() if "packs" in p.parts}
        self.assertEqual(self.now, at(2027, 4, 19, 2, 30))
        self.assertEqual(set(self.backups()), expected)
        self.assertEqual(len(expected), len(self.backups()))
        noted = self.home.values("SELECT moment FROM coppice.backups ORDER BY 1")
        self.assertEqual(
            [moment_in(moment) for (moment,) in noted][1:],
            [at(2027, 1, 10, 2, 30) + n * DAY for n in range(100)],
        )
        drills = self.runs("drill")
        self.assertEqual([(run[0], moment_in(run[1])) for run in drills],
                         [("done", at(2027, 4, 1, 2, 30))])  # fmt: skip
        parts = [run[3] for run in self.runs("verify")]
        self.assertEqual(parts, [n % 5 for n in range(15)])
        there = {p.name for p in self.repository.objects() if "packs" in p.parts}
        self.assertLess(len(there), len(packs) / 2, "nothing was freed")
        self.repository.report(self.home, "backup", "verify", "--data", "--rows")


class Due(Scheduled):
    def test_a_new_calendar_waits_for_its_first_time(self):
        self.first_backup()
        self.set("schedule.backup", "daily 02:30")
        self.assertEqual(self.run_schedule(), {})
        self.assertEqual(self.next_due("backup"), at(2027, 1, 10, 2, 30))
        self.go_to(at(2027, 1, 10, 2, 29))
        self.assertEqual(self.run_schedule(), {})
        self.assertIn("nothing is due; next: backup at 2027-01-10T02:30:00Z",
                      self.home.run("schedule", "run"))  # fmt: skip
        self.go_to(at(2027, 1, 10, 2, 30))
        self.assertEqual(self.run_schedule(), {"backup": "done"})
        self.assertEqual(self.run_schedule(), {})
        shown = self.shown("backup")
        self.assertEqual((shown["outcome"], moment_in(shown["last"])), ("done", self.now))
        self.assertEqual(moment_in(shown["next"]), at(2027, 1, 11, 2, 30))

    def test_what_was_slept_through_is_done_once(self):
        self.first_backup()
        self.set("schedule.backup", "1 hour")
        self.assertIn("nothing has called", self.home.status()["failing_tasks"])
        self.run_schedule()
        self.assertEqual(self.home.status()["failing_tasks"], "")
        self.assertNotIn("schedule install", self.home.attempt("schedule", "show").stderr)
        self.go_to(self.now + 9 * DAY)
        self.assertIn("coppice schedule install", self.home.attempt("schedule", "show").stderr)
        self.assertEqual(self.run_schedule(), {"backup": "done"})
        self.assertEqual(self.run_schedule(), {})
        self.assertEqual(len(self.backups()), 2)

    def test_a_calendar_that_comes_back_is_a_new_one(self):
        self.first_backup()
        for calendar in ("daily 02:30", "", "daily 02:30"):
            self.set("schedule.backup", calendar)
            self.assertEqual(self.run_schedule(), {})
            self.go_to(self.now + (9 * DAY if calendar == "" else HOUR))
        self.assertEqual(self.next_due("backup"), at(2027, 1, 19, 2, 30))

    def test_times_are_of_the_zone(self):
        if not os.path.exists("/usr/share/zoneinfo/Europe/Berlin"):
            self.skipTest("the package tzdata is not here")
        self.set("schedule.backup", "daily 02:30")
        self.set("schedule.timezone", "Europe/Berlin")
        self.go_to(at(2027, 3, 27, 12))
        self.run_schedule()
        self.assertEqual(self.next_due("backup"), at(2027, 3, 28, 1, 30))  # 02:30 is skipped
        self.go_to(at(2027, 3, 28, 12))
        self.set("schedule.backup", "daily 02:31")
        self.run_schedule()
        self.assertEqual(self.next_due("backup"), at(2027, 3, 29, 0, 31))
        self.set("schedule.timezone", "Mars/Olympus")
        self.assertIn("no time zone", self.home.fail("schedule", "show", code=4))

    def test_a_task_that_is_named_is_done_now(self):
        self.first_backup()
        self.assertEqual(self.run_schedule("verify"), {"verify": "done"})
        self.assertIn("nothing is scheduled", self.home.run("schedule", "run"))
        self.home.fail("schedule", "run", "lunch", code=2)

    def test_a_clock_that_jumps_back_stops_nothing(self):
        self.first_backup()
        self.set("schedule.backup", "daily 02:30")
        self.run_schedule()
        self.go_to(at(2037, 1, 1))
        self.assertEqual(self.run_schedule(), {"backup": "done"})
        self.go_to(at(2027, 1, 12))
        self.assertEqual(self.run_schedule(), {"backup": "done"})
        self.assertEqual(self.next_due("backup"), at(2027, 1, 12, 2, 30))
        self.assertEqual(self.home.status()["backup_age_s"], 0)

    def test_a_word_that_is_not_known_says_what_is(self):
        self.set("schedule.backup", "nightly")
        said = self.home.fail("schedule", "run", code=2)
        self.assertIn("COPPICE_SCHEDULE_BACKUP", said)
        self.assertIn("'weekly sun 03:00'", said)


class Failing(Scheduled):
    def setUp(self):
        super().setUp()
        self.first_backup()
        self.set("schedule.backup", "daily 02:30")
        self.set("schedule.verify", "daily 02:30")
        self.run_schedule()
        self.go_to(at(2027, 1, 10, 2, 30))

    def lose_repository(self):
        self.away = self.repository.folder.with_name("away")
        self.repository.folder.rename(self.away)

    def find_repository(self):
        shutil.rmtree(self.repository.folder, ignore_errors=True)
        self.away.rename(self.repository.folder)

    def test_what_fails_is_told_and_tried_again_after_pauses(self):
        self.lose_repository()
        said = self.home.fail("schedule", "run", code=1)
        self.assertIn("of 2 scheduled tasks 2 failed", said)
        self.assertIn("backup: ", said)
        self.assertIn("verify: ", said)
        shown = self.shown("backup")
        self.assertEqual(shown["outcome"], "failed")
        self.assertIn("key", shown["error"])
        self.assertEqual(moment_in(shown["next"]), self.now + datetime.timedelta(minutes=5))
        self.assertIn("backup: ", self.home.status()["failing_tasks"])
        self.assertEqual(self.run_schedule(), {})
        self.go_to(self.now + datetime.timedelta(minutes=5))
        self.assertEqual(self.run_schedule(code=1), {"backup": "failed", "verify": "failed"})
        self.assertEqual(self.next_due("backup"), self.now + datetime.timedelta(minutes=10))
        self.find_repository()
        self.go_to(self.now + datetime.timedelta(minutes=10))
        self.assertEqual(self.run_schedule(), {"backup": "done", "verify": "done"})
        self.assertEqual(self.home.status()["failing_tasks"], "")
        self.assertEqual(self.next_due("backup"), at(2027, 1, 11, 2, 30))

    def test_a_failure_does_not_stop_the_others(self):
        self.set("schedule.forget", "daily 02:30")  # and no rules
        self.run_schedule()
        self.go_to(self.now + DAY)
        said = self.home.attempt("schedule", "run", "--json")
        self.assertEqual(said.returncode, 3, said.stderr)
        outcomes = {row["task"]: row["outcome"] for row in map(json.loads, said.stdout.splitlines())}
        self.assertEqual(outcomes, {"backup": "done", "forget": "failed", "verify": "done"})
        self.assertIn("backup.keep_daily", said.stderr)

    def test_damage_is_found_part_by_part(self):
        self.set("schedule.verify_parts", 3)
        self.home.sql("INSERT INTO t SELECT g FROM generate_series(1, 3000) g")
        self.first_backup()
        packs = [p for p in self.repository.objects() if "packs" in p.parts]
        for pack in packs:
            with open(pack, "r+b") as file:
                file.seek(pack.stat().st_size // 2)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1]))
        codes = []
        for _ in range(3):
            codes.append(self.home.attempt("schedule", "run", "verify").returncode)
        self.assertIn(6, codes)
        self.assertEqual([run[3] for run in self.runs("verify")], [0, 1, 2])

    def test_a_failed_assertion_fails_the_drill(self):
        (self.home.work / "checks.sql").write_text("SELECT count(*) = 7 FROM t")
        self.set("schedule.drill_assertions", self.home.work / "checks.sql")
        said = self.home.fail("schedule", "run", "drill", code=1)
        self.assertIn("SELECT count(*) = 7 FROM t: it gives f", said)
        self.assertEqual(self.shown("drill")["outcome"], "failed")

    def test_a_second_run_does_nothing(self):
        with open(self.home.folder / "schedule.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            result = self.home.attempt("schedule", "run")
            self.assertEqual((result.returncode, result.stdout), (0, ""))
            self.assertIn("another process runs the schedule", result.stderr)
        self.assertEqual(self.runs("backup"), [])
        self.assertEqual(self.run_schedule(), {"backup": "done", "verify": "done"})

    def test_after_a_kill_the_next_run_goes_on(self):
        for point in ("schedule.task_begun", "backup.before_commit", "schedule.task_done"):
            result = self.home.attempt("schedule", "run", environment={"COPPICE_CRASH_AT": point})
            self.assertEqual(result.returncode, -9, point)
            self.assertEqual(self.shown("backup")["outcome"], "interrupted")
            done = self.run_schedule()
            self.assertEqual(done, {"backup": "done", "verify": "done"}, point)
            self.go_to(self.now + DAY)
        outcomes = [run[0] for run in self.runs("backup")]
        self.assertEqual(outcomes, ["interrupted", "done"] * 3)

    def test_what_dies_again_and_again_is_tried_after_pauses(self):
        crash = {"COPPICE_CRASH_AT": "schedule.task_begun"}
        for _ in range(2):
            self.assertEqual(self.home.attempt("schedule", "run", environment=crash).returncode, -9)
        self.assertEqual(self.run_schedule(), {"verify": "done"})
        self.assertEqual(self.next_due("backup"), self.now + datetime.timedelta(minutes=5))


class SharedRepository(Scheduled):
    def test_a_schedule_forgets_no_other_homes_backups(self):
        other = home_beside(self, self.home)
        other.environment["COPPICE_NOW"] = str(int(at(2027, 1, 1).timestamp()))
        for _ in range(2):
            self.repository.back_up(other)
            self.first_backup()
        self.set("backup.keep_last", 1)
        self.assertEqual(self.run_schedule("forget"), {"forget": "done"})
        homes = [line["home"] for line in self.repository.list(self.home)]
        self.assertEqual(sorted(homes), sorted([str(other.folder)] * 2 + [str(self.home.folder)]))


class Objectives(Scheduled):
    def test_ages_against_objectives(self):
        status = self.home.status()
        self.assertIsNone(status["backup_id"])
        self.assertEqual(status["objectives_missed"], [])
        self.assertIn("none was made by this home", self.home.run("status"))
        self.set("objectives.backup_every", "1 day")
        self.assertIn("never", self.home.fail("status", code=1))
        made = self.first_backup()
        status = self.home.status()
        self.assertEqual(status["backup_id"], made["id"])
        self.assertEqual(status["backup_age_s"], 0)
        self.go_to(self.now + DAY)
        self.home.run("status")
        self.go_to(self.now + HOUR)
        result = self.home.attempt("status", "--json")
        self.assertEqual(result.returncode, 1)
        status = json.loads(result.stdout)
        self.assertEqual(status["backup_age_s"], 25 * 3600)
        self.assertEqual(len(status["objectives_missed"]), 1)
        self.assertIn("objectives.backup_every is 1 day", result.stderr)
        csv = self.home.attempt("status", "--csv")
        self.assertEqual(csv.returncode, 1)
        self.assertIn("objectives.backup_every", csv.stdout)

    def test_nothing_can_be_lost_that_nobody_changed(self):
        self.set("objectives.rpo", "10 minutes")
        self.assertIn("there is no backup", self.home.fail("status", code=1))
        del self.home.environment["COPPICE_NOW"]  # versions are published by the server's clock
        begun = datetime.datetime.now(UTC)
        self.first_backup()
        self.go_to(begun + DAY)
        self.assertEqual(self.home.status()["loss_window_s"], 0)
        self.home.sql("INSERT INTO t VALUES (17)")
        self.go_to(begun + HOUR)
        result = self.home.attempt("status", "--json")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertAlmostEqual(json.loads(result.stdout)["loss_window_s"], 3600, delta=60)
        self.assertIn("is in no backup", result.stderr)
        self.go_to(begun + datetime.timedelta(minutes=9))
        self.home.run("status")

    def test_the_age_of_drills(self):
        self.first_backup()
        self.set("objectives.drill_every", "90 days")
        self.assertIn("last drill that passed was never", self.home.fail("status", code=1))
        self.assertEqual(self.run_schedule("drill"), {"drill": "done"})
        status = self.home.status()
        self.assertTrue(status["drill_passed"])
        self.go_to(self.now + 91 * DAY)
        self.assertIn("objectives.drill_every is 90 days", self.home.fail("status", code=1))


class Keys(unittest.TestCase):
    def test_keys_come_from_where_the_settings_say(self):
        home = Home.make(self)
        home.sql("CREATE TABLE t (n int)")
        folder = scratch_folder(self)
        (folder / "key").write_bytes(os.urandom(32))
        (folder / "key").chmod(0o600)
        home.environment |= {
            "COPPICE_BACKUP_REPOSITORY": str(folder / "repository"),
            "COPPICE_BACKUP_KEY_FILE": str(folder / "key"),
        }
        home.run("schedule", "run", "backup", "verify")
        home.run("backup", "list")
        del home.environment["COPPICE_BACKUP_KEY_FILE"]
        self.assertIn("backup: ", home.fail("schedule", "run", "backup", code=1))


class Server(unittest.TestCase):
    def test_a_server_is_left_as_it_was_found(self):
        home = Home.make(self, private=True)
        home.sql("CREATE TABLE t (n int)")
        repository = Repository(self, encrypted=False)
        repository.back_up(home)
        home.environment["COPPICE_BACKUP_REPOSITORY"] = str(repository.folder)
        home.run("schedule", "run", "backup")
        self.assertTrue(coppice.process_exists(home.postmaster_pid()))
        home.run("stop")
        home.run("schedule", "run", "backup")
        self.assertFalse((home.folder / "pgdata" / "postmaster.pid").exists())

    def test_no_server_is_started_to_learn_that_nothing_is_due(self):
        home = Home.make(self, private=True)
        home.sql("CREATE TABLE t (n int)")
        repository = Repository(self, encrypted=False)
        repository.back_up(home)
        home.environment |= {
            "COPPICE_BACKUP_REPOSITORY": str(repository.folder),
            "COPPICE_SCHEDULE_BACKUP": "daily 02:30",
        }

        def run_at(moment):
            home.environment["COPPICE_NOW"] = str(int(moment.timestamp()))
            log = home.folder / "log" / "postgresql.log"
            before = log.read_text().count("ready to accept connections")
            said = home.run("schedule", "run")
            return said, log.read_text().count("ready to accept connections") - before

        home.run("stop")
        said, starts = run_at(at(2027, 1, 10, 3))
        self.assertEqual(starts, 1)
        again, starts = run_at(at(2027, 1, 11, 2, 29))
        self.assertEqual((again, starts), (said, 0))
        self.assertIn("next: backup at 2027-01-11T02:30:00Z", said)
        self.assertEqual(run_at(at(2026, 12, 1))[1], 1, "the clock was put back")
        home.environment["COPPICE_SCHEDULE_BACKUP"] = "hourly"
        self.assertEqual(run_at(at(2026, 12, 1, 0, 1))[1], 1, "the calendar is another")
        said, starts = run_at(at(2026, 12, 1, 1))
        self.assertEqual(starts, 1)
        self.assertIn("backup", said)
        self.assertNotIn("nothing is due", said)


if __name__ == "__main__":
    tap.main()
