#!/usr/bin/python3
"""Checks scripts/packages: each line has a name and a purpose, no name stands twice in a group, all
of them are Debian packages known here, and docs/decisions/0002 gives a licence for every library
of the groups build and runtime.
"""

import pathlib
import re
import subprocess
import sys


def read_packages(file):
    """[(group, name, purpose, line number)]"""
    group, result = None, []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if found := re.fullmatch(r"\[(\w+)\]", line):
            group = found[1]
            continue
        name, _, purpose = line.partition(" ")
        result.append((group, name, purpose.strip(), number))
    return result


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    packages = read_packages(root / "scripts/packages")
    licences = (root / "docs/decisions/0002-dependencies-and-licence.md").read_text()
    problems, seen = [], set()
    for group, name, purpose, number in packages:
        where = f"scripts/packages:{number}"
        if group is None or not purpose:
            problems.append(f"{where}: {name} needs a group above it and a purpose behind it")
        if (group, name) in seen:
            problems.append(f"{where}: {name} stands twice in [{group}]")
        seen.add((group, name))
        if group in ("build", "runtime") and f"`{name}`" not in licences:
            problems.append(f"{where}: docs/decisions/0002 does not give the licence of {name}")
    names = sorted({name for _, name, _, _ in packages})
    known = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package}\n", *names],
        capture_output=True,
        text=True,
    ).stdout.split()
    for name in sorted(set(names) - set(known)):
        known_to_apt = subprocess.run(["apt-cache", "show", name], capture_output=True)
        if known_to_apt.returncode != 0:
            problems.append(f"scripts/packages: Debian knows no package {name}")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
