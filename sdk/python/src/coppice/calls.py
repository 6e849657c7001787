"""Calls of one function on rows: what the worker and the test harness have in common.

A cell is a value as it travels, or a Failure. What goes wrong with one row costs that row alone: when a
batched function fails on many rows, it is called again with each of them.
"""

from __future__ import annotations

import importlib.util
import inspect
import linecache
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coppice.functions import is_batched
from coppice.values import Failure, MediaFolder, argument_reader, result_writer

Cell = Any  # a value as it travels, or a Failure


@dataclass(frozen=True)
class Types:
    """The types of a function, as SQL names them."""

    parameters: tuple[str, ...]
    result: str


def load_function(file: str, name: str) -> Callable[..., Any]:
    """The function `name` of a Python file, which is run for it."""
    module_name = os.path.splitext(os.path.basename(file))[0]
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise Failure("missing", f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:  # SystemExit too: it is the user's file
        raise Failure("exception", describe(error, file)) from None
    target = getattr(module, name, None)
    if target is None:
        names = sorted(n for n, v in vars(module).items() if callable(v) and n[0] != "_")
        known = f"; it has {', '.join(names)}" if names else ""
        raise Failure("missing", f"{os.path.basename(file)} has no function {name}{known}")
    if not callable(target):
        raise Failure("type", f"{name} in {os.path.basename(file)} is not a function")
    return target


def check_function(target: Callable[..., Any], name: str, parameter_count: int) -> None:
    """Refuses what could never be called."""
    if inspect.iscoroutinefunction(target) or inspect.isgeneratorfunction(target):
        kind = "a coroutine" if inspect.iscoroutinefunction(target) else "a generator"
        raise Failure("type", f"{name} is {kind}: write a function that returns its result")
    try:
        inspect.signature(target).bind(*[None] * parameter_count)
    except ValueError:  # one that has no signature to look at, such as a built-in
        return
    except TypeError as error:
        noun = "argument" if parameter_count == 1 else "arguments"
        raise Failure("type", f"{name} cannot be called with {parameter_count} {noun}: {error}") from None


def describe(error: BaseException, file: str) -> str:
    """ "ValueError: no face (captions.py, line 7: raise ValueError(…))"."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    if isinstance(error, SyntaxError):
        return " ".join(text.split())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    if not own:
        return text
    place = own[-1]
    line = (linecache.getline(file, place.lineno or 0) or "").strip()
    return f"{text} ({os.path.basename(file)}, line {place.lineno}: {line})"


class FunctionCalls:
    """Calls of one Python function."""

    def __init__(self, target: Callable[..., Any], types: Types, media: MediaFolder, scratch: str,
                 file: str) -> None:  # fmt: skip
        self._target = target
        self._file = file
        self._readers = [argument_reader(name, media) for name in types.parameters]
        self._write = result_writer(types.result, scratch)
        self._has_readers = any(self._readers)
        self.batched = is_batched(target)

    def call_row(self, row: Sequence[Any]) -> Cell:
        """One call with the arguments of one row, none of which is None."""
        try:
            if self.batched:
                return self._call_rows([self._arguments(row)])[0]
            value = self._target(*(self._arguments(row) if self._has_readers else row))
            return None if value is None else self._write(value)
        except Failure as failure:
            return failure
        except MemoryError:
            return Failure("memory", "the function needs more memory than SET memory allows")
        except BaseException as error:
            return Failure("exception", describe(error, self._file))

    def call_rows(self, rows: Sequence[Sequence[Any]]) -> list[Cell]:
        """Cells for rows without None, in their order."""
        if not self.batched:
            return [self.call_row(row) for row in rows]
        try:
            if len(rows) > 1:
                return self._call_rows([self._arguments(row) for row in rows])
        except BaseException:
            pass  # which row is at fault shows when each is alone
        return [self.call_row(row) for row in rows]

    def _arguments(self, row: Sequence[Any]) -> list[Any]:
        return [
            value if reader is None else reader(value)
            for reader, value in zip(self._readers, row)
        ]  # fmt: skip

    def _call_rows(self, rows: list[list[Any]]) -> list[Cell]:
        lists = [list(column) for column in zip(*rows)]
        values = self._target(*lists)
        try:
            count = len(values)
        except TypeError:
            raise Failure("type", f"a batched function gives a list, not {values!r:.60}") from None
        if isinstance(values, (str, bytes, dict)) or count != len(rows):
            what = f"{count} results" if not isinstance(values, (str, bytes, dict)) else repr(values)
            raise Failure("count", f"the function gave {what:.60} for {len(rows)} rows")
        return [self._write_cell(value) for value in values]

    def _write_cell(self, value: Any) -> Cell:
        try:
            return None if value is None else self._write(value)
        except Failure as failure:
            return failure
