#!/usr/bin/python3
"""Timers that call `schedule run`: units that systemd reads, lines that cron gives to a shell as they
are meant, nobody else's lines touched, nothing secret in them, and no timer that could not work."""

import json
import os
import pathlib
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402
from support.coppice import Home, scratch_folder  # noqa: E402

FAKE_CRONTAB = """#!/bin/sh
file="$0.kept"
[ "$1" = -u ] && { file="$0.kept.$2"; shift 2; }
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

    def test_what_root_installs_runs_as_the_owner_of_the_home(self):
        if os.geteuid() != 0:
            self.skipTest("only root can")
        owner = pwd.getpwnam("nobody")
        os.chown(self.home.folder, owner.pw_uid, owner.pw_gid)
        self.put_program("crontab", FAKE_CRONTAB)
        self.home.run("schedule", "install")
        kept = self.programs / "crontab.kept.nobody"
        self.assertIn("schedule run", kept.read_text())
        self.home.run("schedule", "remove")
        self.assertEqual(kept.read_text(), "")
        self.assertFalse((self.programs / "crontab.kept").exists())
        self.assertIn("User=nobody\n", self.home.run("schedule", "install", "--print", "--system"))
        self.assertIn("as root", self.home.fail("schedule", "install", "--user", code=5))
        self.assertFalse(self.units.exists())

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
        self.configure(**{"schedule.forget": "daily"})
        said = self.home.fail("schedule", "install", "--print", code=2)
        self.assertIn("no setting says which backups stay", said)
        self.configure(**{"schedule.forget": "daily", "backup.keep_daily": 7})
        self.home.run("schedule", "install", "--print", "--cron")
        self.configure(**{"schedule.drill_assertions": "checks.sql"})
        said = self.home.fail("schedule", "install", "--print", code=4)
        self.assertIn(str(self.home.folder / "checks.sql"), said)
        self.configure(**{"backup.repository": "backups"})
        self.assertIn("whole path", self.home.fail("schedule", "install", "--print", code=2))

    def test_without_systemd_and_cron_it_says_so(self):
        self.home.environment["PATH"] = str(self.programs)
        said = self.home.fail("schedule", "install", code=4)
        self.assertIn("neither systemd nor a program crontab", said)
        self.home.fail("schedule", "install", "--user", "--cron", code=2)


if __name__ == "__main__":
    tap.main()
