#!/usr/bin/python3
"""The runner of planted defects, on a project of one file: it notices what tests notice, and says so
when they do not."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from support import coppice, tap  # noqa: E402

PROGRAM = "#include <cstdio>\nint main() {\n  int answer = 6 * 7;\n  std::printf(\"%d\\n\", answer);\n}\n"

# Stands for tests/run_tests.py of the project: one test, which looks at the answer's last digit.
RUN_TESTS = """import pathlib, subprocess, sys
program = pathlib.Path(__file__).parent.parent / "build/dev/program"
good = subprocess.run([program], capture_output=True, text=True).stdout.strip().endswith("2")
if sys.argv[1:] != ["answer"]: print("no test is called", sys.argv[1:])
print(f"{int(good)} passed, {int(not good)} failed, 0 skipped")
"""


def patch(defect, new):
    return (
        f"Defect: {defect}\nFails: answer\n\n--- a/main.cpp\n+++ b/main.cpp\n@@ -2,3 +2,3 @@\n"
        f" int main() {{\n-  int answer = 6 * 7;\n+  int answer = {new};\n"
        '   std::printf("%d\\n", answer);\n'
    )


class Mutations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = coppice.scratch_folder(cls, "mutations.")
        files = {
            "main.cpp": PROGRAM,
            "CMakeLists.txt": "cmake_minimum_required(VERSION 3.25)\nproject(mini CXX)\n"
            "add_executable(program main.cpp)\n",
            "tests/run_tests.py": RUN_TESTS,
        }
        for name, text in files.items():
            (cls.root / name).parent.mkdir(exist_ok=True)
            (cls.root / name).write_text(text)
        shutil.copytree(HERE / "support", cls.root / "tests/support")
        (cls.root / "tests/mutations").mkdir()
        shutil.copy(HERE / "mutations/run_mutations.py", cls.root / "tests/mutations")
        (cls.root / ".gitignore").write_text("/build/\n__pycache__/\n")
        subprocess.run(["git", "init", "--quiet", cls.root], check=True)

    def try_patches(self, **patches):
        folder = coppice.scratch_folder(self, "patches.")
        for name, text in patches.items():
            (folder / f"{name}.patch").write_text(text)
        environment = dict(os.environ, MUTATION_PATCHES=str(folder))
        program = [sys.executable, self.root / "tests/mutations/run_mutations.py"]
        result = subprocess.run(program, capture_output=True, text=True, env=environment)
        lines = result.stdout.splitlines()
        outcome = {line.split(" - ")[1]: line.split(" ")[0] for line in lines if " - " in line}
        return outcome, result.stdout

    def test_defects_are_tried_one_by_one_and_taken_back(self):
        outcome, output = self.try_patches(
            noticed=patch("the answer is 43", "43"), unnoticed=patch("the answer is 12", "12"),
            again=patch("the answer is 44", "44"),
        )  # fmt: skip
        wanted = {"all_pass_without_a_defect": "ok", "again": "ok", "noticed": "ok",
                  "unnoticed": "not"}  # fmt: skip
        self.assertEqual(outcome, wanted, output)
        self.assertIn("the answer is 12: nobody noticed", output)
        copied = self.root / "build/mutations/source/main.cpp"
        self.assertEqual(copied.read_text(), PROGRAM)

    def test_a_patch_that_does_not_apply_compile_or_name_a_test_has_failed(self):
        outcome, output = self.try_patches(
            stale=patch("x", "43").replace("6 * 7", "5 * 5"), broken=patch("x", "no such thing"),
        )  # fmt: skip
        self.assertEqual(outcome["stale"], "not", output)
        self.assertEqual(outcome["broken"], "not", output)
        outcome, output = self.try_patches(nameless="Defect: x\n")
        self.assertEqual(outcome, {"all_pass_without_a_defect": "not"}, output)


if __name__ == "__main__":
    tap.main()
