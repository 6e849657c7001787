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

# Stands for tests/run_tests.py of the project: two tests of what the program prints.
RUN_TESTS = """import pathlib, subprocess, sys
program = pathlib.Path(__file__).parent.parent / "build/dev/program"
text = subprocess.run([program], capture_output=True, text=True).stdout.strip()
tests = {"answer": text.endswith("2"), "number": text.isdigit()}
for name in sys.argv[1:]:
    if name not in tests: print("no test is called", name)
failed = [name for name in sys.argv[1:] if not tests.get(name)]
for name in failed: print("failed:", name)
print(f"{len(sys.argv) - 1 - len(failed)} passed, {len(failed)} failed, 0 skipped")
"""


def patch(defect, new, fails="answer"):
    lines = "".join(f"Fails: {name}\n" for name in fails.split())
    return (
        f"Defect: {defect}\n{lines}\n--- a/main.cpp\n+++ b/main.cpp\n@@ -2,3 +2,3 @@\n"
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

    def try_patches(self, *arguments, **patches):
        folder = coppice.scratch_folder(self, "patches.")
        for name, text in patches.items():
            (folder / f"{name}.patch").write_text(text)
        environment = dict(os.environ, MUTATION_PATCHES=str(folder))
        program = [sys.executable, self.root / "tests/mutations/run_mutations.py"]
        result = subprocess.run([*program, *arguments], capture_output=True, text=True, env=environment)
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

    def test_every_test_that_a_patch_names_must_fail(self):
        outcome, output = self.try_patches(half=patch("it is 43", "43", "answer number"))
        self.assertEqual(outcome["half"], "not", output)
        self.assertIn("it is 43: nobody noticed; number passed", output)

    def test_what_a_killed_run_left_is_mended(self):
        self.try_patches()
        copied = self.root / "build/mutations/source"
        (copied / "main.cpp").write_text(PROGRAM.replace("6 * 7", "43"))
        (copied / "gone.cpp").write_text("")
        subprocess.run(["cmake", "--build", copied / "build/dev"], check=True, capture_output=True)
        outcome, output = self.try_patches(noticed=patch("the answer is 44", "44"))
        self.assertEqual(outcome, {"all_pass_without_a_defect": "ok", "noticed": "ok"}, output)
        self.assertFalse((copied / "gone.cpp").exists())

    def test_a_patch_that_does_not_apply_compile_or_name_a_test_has_failed(self):
        outcome, output = self.try_patches(
            stale=patch("x", "43").replace("6 * 7", "5 * 5"), broken=patch("x", "no such thing"),
        )  # fmt: skip
        self.assertEqual(outcome["stale"], "not", output)
        self.assertEqual(outcome["broken"], "not", output)
        outcome, output = self.try_patches(
            "all_pass_without_a_defect", unknown=patch("x", "43", "nothing")
        )
        self.assertEqual(outcome, {"all_pass_without_a_defect": "not"}, output)
        outcome, output = self.try_patches(nameless="Defect: x\n")
        self.assertEqual(outcome, {"all_pass_without_a_defect": "not"}, output)


if __name__ == "__main__":
    tap.main()
