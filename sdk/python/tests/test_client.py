"""The client against the real program: COPPICE names it, or it lies in build/release."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "sdk/python/src"))

import coppice  # noqa: E402

PROGRAM = os.environ.get("COPPICE") or str(ROOT / "build/release/coppice")


@unittest.skipUnless(os.path.exists(PROGRAM), "there is no coppice program")
class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="coppice.")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.folder.chmod(0o755)
        cls.home = coppice.connect(cls.folder / "home", program=PROGRAM)
        cls.home.run("init")
        cls.addClassCleanup(cls.home.run, "stop")
        cls.home.sql("CREATE TABLE film (id bigint PRIMARY KEY, title text, facts jsonb)")

    def test_rows_go_in_as_dicts_and_come_back_as_dicts(self):
        rows = [{"id": 1, "title": "Street's \u201cend\u201d\n", "facts": {"a": [1, None]}},
                {"id": 2, "title": None, "facts": None}]  # fmt: skip
        self.home.insert("film", rows)
        self.home.insert("film", [])
        self.assertEqual(self.home.sql("SELECT * FROM film ORDER BY id"), rows)

    def test_parameters_are_bound(self):
        evil = "'; DROP TABLE film; --"
        rows = self.home.sql("SELECT $a AS a, $b::bigint AS b, $c::jsonb AS c",
                             {"a": evil, "b": 7, "c": {"x": 1}})  # fmt: skip
        self.assertEqual(rows, [{"a": evil, "b": 7, "c": {"x": 1}}])
        with self.assertRaisesRegex(ValueError, "write NULL"):
            self.home.sql("SELECT $a", {"a": None})

    def test_errors_are_exceptions_with_their_exit_code(self):
        with self.assertRaisesRegex(coppice.CoppiceError, "nothing") as caught:
            self.home.sql("SELECT * FROM nothing")
        self.assertEqual(caught.exception.exit_code, 4)
        with self.assertRaisesRegex(coppice.CoppiceError, "install Coppice"):
            coppice.connect(program="/nonexistent/coppice").sql("SELECT 1")

    def test_the_example_may_run_twice(self):
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, ROOT / "examples/setup.py", self.folder / "home"],
                cwd=self.folder, env=os.environ | {"COPPICE": PROGRAM}, capture_output=True, text=True,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, "1 tree back coppiced\n2 hazel ash coppiced\n")
        versions = self.home.verb("history", "notes.note")
        self.assertEqual([entry["version"] for entry in versions], [0, 1])


if __name__ == "__main__":
    unittest.main()
