#!/usr/bin/python3
"""Runs the benchmarks; README.md beside this file says how to read them."""

import argparse
import dataclasses
import json
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import backup_benchmarks  # noqa: E402
import function_benchmarks  # noqa: E402
import iterator_benchmarks  # noqa: E402
import media_benchmarks  # noqa: E402
import other_data_benchmarks  # noqa: E402
import repository_benchmarks  # noqa: E402
import row_benchmarks  # noqa: E402
import service_benchmarks  # noqa: E402
from framework import RUNS, MissingPeer, WrongResult, machine, measure  # noqa: E402

BENCHMARKS = [
    *row_benchmarks.BENCHMARKS,
    *media_benchmarks.BENCHMARKS,
    *iterator_benchmarks.BENCHMARKS,
    *function_benchmarks.BENCHMARKS,
    *service_benchmarks.BENCHMARKS,
    *repository_benchmarks.BENCHMARKS,
    *backup_benchmarks.BENCHMARKS,
    *other_data_benchmarks.BENCHMARKS,
]


def show(value):
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def print_row(row, as_json):
    if as_json:
        print(json.dumps(dataclasses.asdict(row)))
    else:
        verdict = "met" if row.met else "NOT MET"
        print(f"{row.name:22} {show(row.ours):>10} {show(row.theirs):>10} {show(row.ratio):>7} "
              f"{row.bar:>9}  {verdict:7}  {row.unit}")  # fmt: skip
    sys.stdout.flush()


def run_one(made, smoke):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="coppice-bench."))
    folder.chmod(0o755)
    try:
        size = made.smoke_size if smoke else made.full_size
        return measure(made(size, folder), 1 if smoke else RUNS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(prog="bench.sh")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one run: for the tests")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    known = {made.name: made for made in BENCHMARKS}
    if arguments.list:
        for made in BENCHMARKS:
            print(f"{made.name:22} {made.meaning}")
        return 0
    if unknown := [name for name in arguments.names if name not in known]:
        sys.exit(f"bench.sh: no benchmark is called {', '.join(unknown)}; --list shows the names")
    print(machine(), file=sys.stderr)
    if not arguments.json:
        print(f"{'name':22} {'ours':>10} {'theirs':>10} {'ratio':>7} {'bar':>9}")
    all_met = True
    for name in arguments.names or known:
        made = known[name]
        print(f"{name}: size {made.smoke_size if arguments.smoke else made.full_size:,}",
              file=sys.stderr)  # fmt: skip
        try:
            row = run_one(made, arguments.smoke)
        except (MissingPeer, WrongResult, AssertionError) as error:
            sys.exit(f"bench.sh: {name}: {error}")
        print_row(row, arguments.json)
        all_met = all_met and row.met
    return 0 if all_met or arguments.smoke else 1


if __name__ == "__main__":
    sys.exit(main())
