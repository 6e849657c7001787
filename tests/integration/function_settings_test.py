#!/usr/bin/python3
"""What SET says to the workers of users' functions, and the copies of their code that the home keeps."""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import coppice, tap  # noqa: E402

CODE = r'''
import os, sys

def interpreter(n):
    import only_there
    return f"{sys.prefix}|{only_there.WORD}"
def devices(n):
    found = [os.environ["CUDA_VISIBLE_DEVICES"]]
    for name in ("nvidia7", "nvidia8"):
        try:
            open("/dev/" + name, "r+b").close()
            found.append(name)
        except OSError:
            pass
    return " ".join(found)
'''


class Settings(coppice.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        (cls.home.work / "code.py").write_text(CODE)

    def make(self, declaration, name, settings=""):
        self.home.sql(f"CREATE FUNCTION {declaration} LANGUAGE python STABLE AS 'code.py:{name}' {settings}")

    def refused(self, statement, words, code=1):
        self.assertIn(words, self.home.fail("sql", statement, code=code))

    def interpreter(self, name, system_packages):
        """A virtual environment with one module of its own."""
        folder = self.home.work / name
        packages = folder / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        packages.mkdir(parents=True)
        (packages / "only_there.py").write_text("WORD = 'there'\n")
        (folder / "bin").mkdir()
        (folder / "bin/python3").symlink_to("/usr/bin/python3")
        (folder / "pyvenv.cfg").write_text(
            f"home = /usr/bin\ninclude-system-site-packages = {system_packages}\n")  # fmt: skip
        return folder

    def test_python_names_the_interpreter(self):
        folder = self.interpreter("venv", "true")
        self.make("venv(n bigint) RETURNS text", "interpreter", f"SET python = '{folder}/bin/python3'")
        self.assertEqual(self.home.value("SELECT venv(1)"), f"{folder}|there")
        self.make("no_venv(n bigint) RETURNS text", "interpreter")
        self.assertIn("only_there", self.home.fail("sql", "SELECT no_venv(1)"))

    def test_an_interpreter_must_be_there_and_have_what_workers_need(self):
        begin = "CREATE FUNCTION bad(n bigint) RETURNS text LANGUAGE python AS 'code.py:interpreter'"
        self.refused(f"{begin} SET python = '/nowhere/python3'", "/nowhere/python3", code=2)
        folder = self.interpreter("bare", "false")
        self.refused(f"{begin} SET python = '{folder}/bin/python3'", "msgpack and numpy")

    def test_gpu_opens_the_devices_that_it_names_and_no_other(self):
        """On a machine with two devices: files of their names, in a /dev of this test."""
        folder = coppice.scratch_folder(self)
        make = (
            'mount -t tmpfs -o mode=755 tmpfs "$1" && for file in null zero full random urandom; do '
            'touch "$1/$file" && mount --bind "/dev/$file" "$1/$file"; done && mkdir "$1/shm" && '
            'mount --rbind /dev/shm "$1/shm" && touch "$1/nvidia7" "$1/nvidia8" && '
            'chmod 666 "$1/nvidia7" "$1/nvidia8" && mount --rbind "$1" /dev && shift && exec "$@"'
        )
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        wrapper = ["unshare", *user, "--mount", "sh", "-c", make, "sh", folder, coppice.PROGRAM]
        asked = [
            "CREATE FUNCTION with_gpu(n bigint) RETURNS text LANGUAGE python VOLATILE "
            "AS 'code.py:devices' SET gpu = '7'",
            "CREATE FUNCTION without_gpu(n bigint) RETURNS text LANGUAGE python VOLATILE "
            "AS 'code.py:devices'",
            "SELECT with_gpu(1) AS a, without_gpu(1) AS b",
        ]
        result = subprocess.run([*wrapper, "sql", "--json", "; ".join(asked)], capture_output=True,
                                text=True, cwd=self.home.work, stdin=subprocess.DEVNULL,
                                env=self.home.process_environment(), timeout=120)  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout), {"a": "7 nvidia7", "b": ""})
        self.refused("SELECT with_gpu(1)", "/dev/nvidia7")  # on this machine it is not there


class Copies(coppice.TestCase):
    def copies(self):
        """The texts of all code that the home has."""
        return sorted(file.read_text() for file in (self.home.folder / "functions").glob("*/aged.py"))

    def test_copies_that_nothing_needs_are_collected(self):
        file = self.home.work / "aged.py"
        create = ("CREATE OR REPLACE FUNCTION aged(n bigint) RETURNS bigint LANGUAGE python STABLE "
                  "AS 'aged.py:aged'")  # fmt: skip
        code = [f"def aged(n): return n + {i}\n" for i in range(4)]
        now = {"COPPICE_MEDIA_GRACE_S": "0"}
        gc = ("media", "gc", "--yes")
        for text in code[:2]:
            file.write_text(text)
            self.home.sql(create)
        self.home.sql("CREATE TABLE aged_t (n bigint, m bigint GENERATED ALWAYS AS (aged(n)) STORED); "
                      "INSERT INTO aged_t VALUES (1)")  # fmt: skip
        for text in code[2:]:
            file.write_text(text)
            self.home.sql(create)
        self.assertEqual(self.copies(), code)
        # What is younger than an hour stays.
        self.home.run(*gc)
        self.assertEqual(self.copies(), code)
        listed = self.home.json_lines("media", "gc", "--dry-run", environment=now)
        self.assertEqual([row["size_bytes"] for row in listed if row["object"].startswith("functions/")],
                         [len(code[0])] * 2)  # fmt: skip
        self.assertEqual(self.copies(), code)
        # The second computed cells that are there, the last is the current one.
        self.assertEqual(self.home.json_lines(*gc, environment=now)[0]["code_copies"], 2)
        self.assertEqual(self.copies(), [code[1], code[3]])
        self.home.run("recompute", "aged_t", "m")
        self.home.run(*gc, environment=now)
        self.assertEqual(self.copies(), [code[3]])
        # What was there before comes again with its function.
        file.write_text(code[0])
        self.home.sql(create)
        self.assertEqual(self.home.value("SELECT aged(1)"), 1)
        self.home.sql("DROP TABLE aged_t; DROP FUNCTION aged(bigint)")
        self.home.run(*gc, environment=now)
        self.assertEqual(self.copies(), [])


if __name__ == "__main__":
    tap.main()
