#!/usr/bin/python3
"""Plants one defect after another and checks that the test named in its patch fails with it.
README.md beside this file has the format of a patch."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))
from support import tap  # noqa: E402

# For the test of this program: other patches, another place.
PATCHES = pathlib.Path(os.environ.get("MUTATION_PATCHES") or HERE)
PLACE = pathlib.Path(os.environ.get("MUTATION_PLACE") or ROOT / "build/mutations")
LEAST = 10


class Problem(Exception):
    pass


def run(*argv, cwd=None, check=True):
    environment = {name: value for name, value in os.environ.items() if name != "COPPICE"}
    result = subprocess.run([str(arg) for arg in argv], cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                            env=environment)  # fmt: skip
    if check and result.returncode != 0:
        raise Problem(f"{' '.join(map(str, argv))}\n" + "\n".join(result.stdout.splitlines()[-40:]))
    return result


def read_patch(file):
    """(what it breaks, the tests that must fail)"""
    head = file.read_text().split("\ndiff ", 1)[0].split("\n--- ", 1)[0]
    defect = re.search(r"^Defect: (.+)$", head, re.M)
    fails = re.findall(r"^Fails: (\S+)$", head, re.M)
    if not defect or not fails:
        raise Problem(f"{file.name} needs a line \"Defect: …\" and a line \"Fails: TEST\"")
    return defect[1], fails


class Copy:
    """The sources in a place of their own, built without sanitizers: defects must be seen by the
    tests themselves."""

    def __init__(self):
        self.source = PLACE / "source"
        self.build = self.source / "build/dev"

    def prepare(self):
        names = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
                    "--exclude-standard").stdout.split("\0")  # fmt: skip
        wanted = {name for name in names if name and (ROOT / name).is_file()}
        self.remove_all_but(wanted)
        for name in wanted:
            place = self.source / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists() or place.read_bytes() != (ROOT / name).read_bytes():
                # With the time of now: what was built from another content is built again.
                shutil.copyfile(ROOT / name, place)
                shutil.copymode(ROOT / name, place)
        if not (self.build / "build.ninja").exists():
            run("cmake", "-S", self.source, "-B", self.build, "-G", "Ninja",
                "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O0", "-DCOPPICE_TESTS=ON",
                "-DCOPPICE_HEADERS_ALONE=OFF")  # fmt: skip
        release = self.source / "build/release"
        if not release.is_symlink():
            release.symlink_to(self.build, target_is_directory=True)
        self.compile()

    def remove_all_but(self, wanted):
        """Files that the project no longer has."""
        for place in self.source.rglob("*"):
            name = place.relative_to(self.source)
            if name.parts[0] != "build" and place.is_file() and str(name) not in wanted:
                place.unlink()

    def compile(self):
        run("cmake", "--build", self.build, "--parallel", os.cpu_count())

    def test(self, names):
        """(number passed, the names of those that failed, what was printed)"""
        result = run("/usr/bin/python3", self.source / "tests/run_tests.py", *names, check=False)
        last = re.search(r"^(\d+) passed, (\d+) failed, \d+ skipped$", result.stdout, re.M)
        if not last or "no test is called" in result.stdout:
            raise Problem(f"the tests {' '.join(names)} could not be run\n{result.stdout[-2000:]}")
        return int(last[1]), re.findall(r"^failed: (\S+)$", result.stdout, re.M), result.stdout

    @contextlib.contextmanager
    def planted(self, patch):
        """The sources with the defect, and without it afterwards."""
        names = re.findall(r"^\+\+\+ b/(\S+)", patch.read_text(), re.M)
        before = {name: (self.source / name).read_bytes() for name in names}
        try:
            # Other changes of the same file may have moved the place, or a line beside it.
            run("patch", "--strip=1", "--forward", "--fuzz=2", "--quiet", "--reject-file=-",
                "--no-backup-if-mismatch", "--input", patch, cwd=self.source)  # fmt: skip
            yield
        finally:
            for name, content in before.items():
                (self.source / name).write_bytes(content)


def try_patch(copy, file):
    """(None when every named test noticed the defect, else what went wrong; who noticed)"""
    defect, fails = read_patch(file)
    with copy.planted(file):
        copy.compile()
        _, failed, output = copy.test(fails)
    (PLACE / f"{file.stem}.log").write_text(output)
    silent = [test for test in fails if not any(tap.matches(name, [test]) for name in failed)]
    if silent:
        return f"{defect}: nobody noticed; {' '.join(silent)} passed\n{output[-1000:]}", failed
    return None, failed


def main():
    arguments = tap.parse_arguments()
    files = sorted(PATCHES.glob("*.patch"))
    names = {file.stem: file for file in files if tap.matches(file.stem, arguments.names)}
    whole = "MUTATION_PATCHES" not in os.environ and not arguments.names
    if arguments.list:
        print("\n".join([*names, "there_are_enough", "all_pass_without_a_defect"]))
        return 0
    reporter = tap.Reporter()
    if whole and len(files) < LEAST:
        reporter.failed_with("there_are_enough", f"{len(files)} patches; at least {LEAST}")
    elif whole:
        reporter.passed("there_are_enough")
    copy = Copy()
    try:
        copy.prepare()
        chosen = names.values() or files
        tests = sorted({test for file in chosen for test in read_patch(file)[1]})
        passed, failed, output = copy.test(tests) if tests else (1, [], "")
        if failed or not passed:
            raise Problem(f"the named tests fail without any defect\n{output[-4000:]}")
        reporter.passed("all_pass_without_a_defect")
    except Problem as problem:
        reporter.failed_with("all_pass_without_a_defect", str(problem))
        names = {}
    for name, file in names.items():
        begin = time.monotonic()
        try:
            problem, noticed = try_patch(copy, file)
        except (Problem, OSError) as trouble:
            problem, noticed = str(trouble), []
        if problem:
            reporter.failed_with(name, problem)
        else:
            reporter.passed(name)
            seconds = time.monotonic() - begin
            print(f"# {name}: {' '.join(noticed)} failed, as it should; {seconds:.0f} s", flush=True)
    reporter.end()
    return 1 if reporter.failed else 0


if __name__ == "__main__":
    sys.exit(main())
