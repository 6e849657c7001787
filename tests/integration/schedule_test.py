#!/usr/bin/python3
"""Schedules: what is due is done, once, in order, whatever failed, died or slept before; timers that
call for it are written for systemd and cron, and `status` says when objectives are missed. A clock
of the test's own (COPPICE_NOW) goes through months."""

import datetime
import fcntl
import json
import os
import pathlib
import shlex
import shutil
import stat
import subprocess
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
        self.assertEqual(self.home.attempt("schedule", "show").stderr, "")
        self.go_to(self.now + 9 * DAY)
        self.assertIn("coppice schedule install", self.home.attempt("schedule", "show").stderr)
        self.assertEqual(self.run_schedule(), {"backup": "done"})
        self.assertEqual(self.run_schedule(), {})
        self.assertEqual(len(self.backups()), 2)

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


FAKE_CRONTAB = """#!/bin/sh
file="$0.kept"
if [ "$1" = -l ]; then
  [ -f "$file" ] || { echo "no crontab for tester" >&2; exit 1; }
  exec cat "$file"
fi
exec cp "$1" "$file"
"""
FAKE_SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$0.calls"
case "$*" in *is-system-running) echo running;; esac
"""


def unescaped(line):
    """The command of a crontab's line as cron gives it to the shell (crontab(5))."""
    command = line.split(None, 5)[5]
    return command.replace("\\%", "%")


class Timers(unittest.TestCase):
    """Homes whose names try what a unit or a crontab might make of them."""

    NAME = "home $HOME 100% it's \"one\" #1"

    def setUp(self):
        folder = scratch_folder(self) / self.NAME
        self.home = Home(folder)
        self.home.folder.mkdir()
        self.programs = self.home.work / "programs"
        self.programs.mkdir()
        self.units = self.home.work / "config" / "systemd" / "user"
        self.home.environment |= {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "XDG_CONFIG_HOME": str(self.home.work / "config"),
        }
        self.put_program("systemctl", "#!/bin/sh\necho offline; exit 1\n")
        self.key = self.home.work / "key"
        self.key.write_text("correct horse")
        self.key.chmod(0o600)
        self.configure()

    def put_program(self, name, text):
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def configure(self, **settings):
        values = {
            "backup.repository": "/backup/films",
            "backup.password": f"file:{self.key}",
            "schedule.backup": "daily 02:30",
        } | settings
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value]
        (self.home.folder / "config.toml").write_text("".join(lines))

    def crontab(self):
        return (self.programs / "crontab.kept").read_text()

    def test_a_line_of_the_crontab(self):
        self.put_program("crontab", FAKE_CRONTAB)
        kept = "# mine\nMAILTO=x\n17 * * * * other --flag # coppice-schedule-0\n"
        (self.programs / "crontab.kept").write_text(kept)
        self.home.run("schedule", "install")
        text = self.crontab()
        self.assertTrue(text.startswith(kept))
        (line,) = text[len(kept):].splitlines()
        words = shlex.split(unescaped(line), comments=True)
        program = os.path.realpath(coppice.PROGRAM)
        self.assertEqual(words, ["nice", "-n", "10", program, "schedule", "run", "--quiet",
                                 "--home", str(self.home.folder)])  # fmt: skip
        self.assertNotRegex(line.split(None, 5)[5], r"(?<!\\)%")
        self.assertEqual(self.home.run("schedule", "install", "--print"), line + "\n")
        self.home.run("schedule", "install")
        self.assertEqual(self.crontab(), text)
        self.assertIn("removed", self.home.run("schedule", "remove"))
        self.assertEqual(self.crontab(), kept)
        self.assertIn("No timer", self.home.run("schedule", "remove"))
        self.assertEqual(self.crontab(), kept)

    def test_the_line_runs_as_cron_runs_it(self):
        self.put_program("crontab", FAKE_CRONTAB)
        self.home.run("schedule", "install")
        (line,) = self.crontab().splitlines()
        result = subprocess.run(["sh", "-c", unescaped(line)], capture_output=True, text=True,
                                env={"PATH": "/usr/bin:/bin"})  # fmt: skip
        # The home was never made: that it is this one's path shows that all quoting came through.
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn(str(self.home.folder), result.stderr.replace("'\\''", "'"))

    def test_a_first_crontab(self):
        self.put_program("crontab", FAKE_CRONTAB)
        self.home.run("schedule", "install", "--cron")
        self.assertEqual(len(self.crontab().splitlines()), 1)

    def test_a_crontab_that_cannot_be_read_is_not_replaced(self):
        self.put_program("crontab", "#!/bin/sh\necho 'you may not' >&2; exit 1\n")
        self.assertIn("you may not", self.home.fail("schedule", "install", code=1))

    def test_units_of_a_user(self):
        self.put_program("systemctl", FAKE_SYSTEMCTL)
        self.home.run("schedule", "install", "--user")
        service, timer = sorted(self.units.iterdir())
        self.assertEqual((service.suffix, timer.suffix), (".service", ".timer"))
        self.assertEqual(stat.S_IMODE(service.stat().st_mode), 0o644)
        calls = (self.programs / "systemctl.calls").read_text()
        self.assertIn("--user daemon-reload\n", calls)
        self.assertIn(f"--user enable --now {timer.name}\n", calls)
        before = (service.read_text(), timer.read_text())
        self.home.run("schedule", "install", "--user")
        self.assertEqual((service.read_text(), timer.read_text()), before)
        (self.units / "other.timer").write_text("[Timer]\n")
        self.home.run("schedule", "remove")
        self.assertEqual([unit.name for unit in self.units.iterdir()], ["other.timer"])
        self.assertIn(f"--user disable --now {timer.name}\n",
                      (self.programs / "systemctl.calls").read_text())  # fmt: skip

    def test_systemd_reads_the_units(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("the package systemd is not here")
        for kind in ("--user", "--system"):
            text = self.home.run("schedule", "install", "--print", kind)
            files = {}
            for line in text.splitlines(keepends=True):
                if line.startswith("# /"):
                    files[pathlib.Path(line[2:].strip()).name] = []
                    name = pathlib.Path(line[2:].strip()).name
                else:
                    files[name].append(line)
            folder = scratch_folder(self)
            for name, lines in files.items():
                (folder / name).write_text("".join(lines))
            result = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in files)],
                capture_output=True, text=True,
            )  # fmt: skip
            said = [line for line in result.stderr.splitlines() if str(folder) in line
                    or "coppice-schedule" in line]  # fmt: skip
            self.assertEqual((result.returncode, said), (0, []), result.stderr)
            self.assertEqual("ProtectSystem=full\n" in text, kind == "--system")
            self.assertIn("NoNewPrivileges=yes\n", text)
            self.assertIn("IOSchedulingClass=idle\n", text)

    def test_nothing_secret_is_in_a_timer(self):
        text = self.home.run("schedule", "install", "--print", "--system",
                             environment={"COPPICE_REPO_PASSWORD": "sesame-canary"})  # fmt: skip
        self.assertNotIn("sesame", text)
        self.assertNotIn("correct horse", text)

    def test_a_passphrase_of_the_environment_is_refused(self):
        self.configure(**{"backup.password": None})
        said = self.home.fail("schedule", "install", "--print", code=2,
                              environment={"COPPICE_REPO_PASSWORD": "x"})  # fmt: skip
        self.assertIn("only in your environment", said)
        self.assertIn('password = "file:/path"', said)

    def test_what_a_timer_would_not_see_is_refused(self):
        seen = {"COPPICE_BACKUP_REPOSITORY": "/backup", "COPPICE_SCHEDULE_BACKUP": "hourly"}
        self.configure(**{"backup.repository": None})
        said = self.home.fail("schedule", "install", "--print", code=2, environment=seen)
        self.assertIn("backup.repository is not set", said)
        self.configure(**{"schedule.backup": None})
        said = self.home.fail("schedule", "install", "--print", code=2, environment=seen)
        self.assertIn("nothing is scheduled", said)
        self.configure(**{"backup.repository": "backups"})
        self.assertIn("whole path", self.home.fail("schedule", "install", "--print", code=2))

    def test_without_systemd_and_cron_it_says_so(self):
        self.home.environment["PATH"] = str(self.programs)
        said = self.home.fail("schedule", "install", code=4)
        self.assertIn("neither systemd nor a program crontab", said)
        self.home.fail("schedule", "install", "--user", "--cron", code=2)


if __name__ == "__main__":
    tap.main()
