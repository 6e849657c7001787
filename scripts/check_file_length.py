#!/usr/bin/python3
"""Checks that source files stay readable in one sitting: over 500 lines is an error, over 350 is
listed with --report. A file that must be longer is named in LONGER with its reason.

    scripts/check_file_length.py [--report]
"""

import pathlib
import sys

LIMIT = 500
WORTH_A_LOOK = 350
LONGER = {}  # "src/…": why

SUFFIXES = {".cpp", ".h", ".py", ".sh", ".cmake"}
FOLDERS = ["src", "tests", "scripts", "benchmarks", "cmake", "examples"]


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    lengths = []
    for folder in FOLDERS:
        for file in (root / folder).rglob("*"):
            if file.suffix in SUFFIXES and file.is_file():
                with file.open(encoding="utf-8", errors="replace") as lines:
                    lengths.append((sum(1 for _ in lines), str(file.relative_to(root))))
    lengths.sort(reverse=True)
    if "--report" in sys.argv:
        for length, name in lengths:
            if length > WORTH_A_LOOK:
                print(f"{length:5} {name}")
        median = lengths[len(lengths) // 2][0]
        print(f"{len(lengths)} files, median {median} lines")
    too_long = [(length, name) for length, name in lengths if length > LIMIT and name not in LONGER]
    for length, name in too_long:
        print(f"{name}: {length} lines; over {LIMIT} is asking to be two files")
    stale = [name for name in LONGER if not (root / name).exists()]
    for name in stale:
        print(f"scripts/check_file_length.py: {name} is listed but gone")
    return 1 if too_long or stale else 0


if __name__ == "__main__":
    sys.exit(main())
