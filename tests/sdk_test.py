#!/usr/bin/python3
"""The tests of sdk/python, which are plain unittest so that its users can run them, counted like all
others."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "sdk/python/tests")]
from support import tap  # noqa: E402
from test_client import Client  # noqa: E402
from test_functions import Calls, Commands  # noqa: E402

__all__ = ["Calls", "Client", "Commands"]

if __name__ == "__main__":
    tap.main()
