"""A thin client: every call runs the program `coppice`.

    home = coppice.connect("/srv/films")
    home.sql("SELECT title FROM film WHERE year > $year", {"year": 1990})   # [{"title": …}, …]
    home.insert("film", [{"id": 1, "title": "Street"}])
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]


class CoppiceError(Exception):
    """What coppice said; `exit_code` is its exit code (3: partly done, 4: not found, …)."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Home:
    """One home, through the command line. It holds no connection, so there is nothing to close."""

    def __init__(self, home: str | os.PathLike[str] | None, program: str) -> None:
        self._home = None if home is None else os.fspath(home)
        self._program = program

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs a verb: run("recompute", "film", "title"). Gives what it prints."""
        options = [] if self._home is None else ["--home", self._home]
        try:
            done = subprocess.run(
                [self._program, *arguments, *options],
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
        except FileNotFoundError:
            raise CoppiceError(f"there is no program {self._program}: install Coppice, or give "
                               "connect() its path as program=", 4) from None  # fmt: skip
        if done.returncode != 0:
            raise CoppiceError(done.stderr.strip() or f"exit code {done.returncode}", done.returncode)
        return done.stdout

    def sql(self, text: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """Runs statements; gives the rows of all that have some. $name in the text is bound to
        parameters["name"], never spliced. None cannot be bound: write NULL."""
        given = []
        for name, value in (parameters or {}).items():
            given += ["-p", f"{name}={_parameter_text(name, value)}"]
        return _rows(self.run("sql", "--json", *given, "-f", "-", stdin=text))

    def insert(self, table: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Inserts dicts by the names of columns, in one operation. Media are names of files."""
        lines = [json.dumps(row, ensure_ascii=False, default=_json_value) for row in rows]
        if lines:
            self.run("insert", table, "--from", "-", "--format", "jsonl", stdin="\n".join(lines) + "\n")

    def verb(self, *arguments: str) -> list[Row]:
        """Runs a verb that lists something: verb("functions")."""
        return _rows(self.run(*arguments, "--json"))


def connect(home: str | os.PathLike[str] | None = None, program: str | None = None) -> Home:
    """The home at a folder, or the one that the environment names. Nothing is started yet."""
    return Home(home, program or os.environ.get("COPPICE") or "coppice")


def _rows(output: str) -> list[Row]:
    return [json.loads(line) for line in output.splitlines() if line]


def _json_value(value: object) -> object:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _parameter_text(name: str, value: object) -> str:
    if value is None:
        raise ValueError(f"the parameter {name} is None: write NULL in the statement")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


__all__: Sequence[str] = ["CoppiceError", "Home", "connect"]
