"""Calls a function as the engine would, without an engine: for its tests.

    from coppice.testing import call
    from captions import caption

    assert call(caption, [("street.jpg", "en"), (None, "en")], "image, text -> text") == ["a street", None]

Arguments and results are checked against the types, NULL gives NULL, and what goes wrong with a row is a
Failure in its place.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy

from coppice.calls import FunctionCalls, Types, check_function
from coppice.values import ARRAYS, MEDIA, Failure, MediaFolder

__all__ = ["Failure", "call"]


class _Files(MediaFolder):
    """In tests a medium is the file that the test names."""

    def path_of(self, name: str) -> pathlib.Path:
        path = pathlib.Path(name)
        if not path.is_file():
            raise Failure("missing", f"there is no file {path}")
        return path


def call(target: Callable[..., Any], rows: Iterable[Sequence[Any]], types: str,
         batch: int = 64) -> list[Any]:  # fmt: skip
    """The results of `target` for rows of arguments. `types` is written "image, text -> text", with the
    names of CREATE FUNCTION. Media results are paths; the caller may remove them."""
    parameters, result = _types(types)
    signature = Types(parameters, result)
    check_function(target, getattr(target, "__name__", "function"), len(parameters))
    scratch = tempfile.mkdtemp(prefix="coppice-")
    before, tempfile.tempdir = tempfile.tempdir, scratch
    try:
        file = inspect.getsourcefile(target) or ""
        calls = FunctionCalls(target, signature, _Files(scratch), scratch, file)
        sent = [[_sent(value, name) for value, name in zip(row, parameters)] for row in rows]
        cells: list[Any] = [None] * len(sent)
        wanted = [number for number, row in enumerate(sent) if None not in row]
        group = batch if calls.batched else 1
        for begin in range(0, len(wanted), group):
            numbers = wanted[begin : begin + group]
            for number, cell in zip(numbers, calls.call_rows([sent[n] for n in numbers])):
                cells[number] = cell if isinstance(cell, Failure) else _received(cell, result)
        return cells
    finally:
        tempfile.tempdir = before
        with contextlib.suppress(OSError):  # it holds media that are results
            os.rmdir(scratch)


def _types(text: str) -> tuple[tuple[str, ...], str]:
    left, arrow, result = text.partition("->")
    if not arrow:
        raise ValueError(f'types are written "image, text -> text", not "{text}"')
    parameters = tuple(name.strip() for name in left.split(",") if name.strip())
    known = ("boolean", "bigint", "float8", "text", "jsonb", *ARRAYS, *MEDIA)
    for name in (*parameters, result.strip()):
        if name not in known:
            raise ValueError(f"{name} is not one of {', '.join(known)}")
    return parameters, result.strip()


def _sent(value: Any, type_name: str) -> Any:
    """As the value travels to a worker."""
    if value is None:
        return None
    if type_name in MEDIA:
        return {type_name: os.fspath(value)}
    if type_name == "jsonb":
        return {"jsonb": json.dumps(value)}
    if type_name in ARRAYS:
        return {type_name: numpy.asarray(value).astype(ARRAYS[type_name]).tobytes()}
    expected = {"boolean": bool, "bigint": int, "float8": (int, float), "text": str}[type_name]
    if not isinstance(value, expected):
        raise TypeError(f"the argument {value!r} is not a {type_name}")
    return float(value) if type_name == "float8" else value


def _received(cell: Any, type_name: str) -> Any:
    if cell is None or not isinstance(cell, dict):
        return cell
    (value,) = cell.values()
    if type_name in MEDIA:
        return pathlib.Path(value)
    return json.loads(value) if type_name == "jsonb" else numpy.frombuffer(value, ARRAYS[type_name])
