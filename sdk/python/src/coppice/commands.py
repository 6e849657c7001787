"""Calls of a program: arguments in, standard output as the value. No shell is involved.

The program's words may hold {0}, {1}, … for arguments and {out} for the file that it shall write when
its result is an image, video, audio or document.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

from coppice.calls import Cell, Types
from coppice.values import (
    ARRAYS,
    MEDIA,
    Failure,
    MediaFolder,
    argument_reader,
    checked_text,
    result_writer,
    text_of,
)

OUTPUT_LIMIT_BYTES = 48 << 20
ERRORS_KEPT_BYTES = 8 << 10
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_worker() -> None:
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class CommandCalls:
    """Calls of one program."""

    batched = False

    def __init__(self, words: Sequence[str], types: Types, media: MediaFolder, scratch: str,
                 timeout_s: float) -> None:  # fmt: skip
        self._words = words
        self._types = types
        # jsonb is given as it is.
        self._readers = [
            (lambda value: value["jsonb"]) if name == "jsonb" else argument_reader(name, media)
            for name in types.parameters
        ]
        self._scratch = scratch
        self._write = result_writer(types.result, scratch)
        self._timeout_s = timeout_s

    def call_rows(self, rows: Sequence[Sequence[Any]]) -> list[Cell]:
        return [self.call_row(row) for row in rows]

    def call_row(self, row: Sequence[Any]) -> Cell:
        try:
            return self._call(row)
        except Failure as failure:
            return failure

    def _call(self, row: Sequence[Any]) -> Cell:
        texts = [
            text_of(value if reader is None else reader(value))
            for reader, value in zip(self._readers, row)
        ]  # fmt: skip
        out = None
        if self._types.result in MEDIA:
            handle, out = tempfile.mkstemp(dir=self._scratch)
            os.close(handle)
            os.unlink(out)  # many programs ask before they write over a file
        words = [fill_word(word, texts, out) for word in self._words]
        output = self._run(words)
        if out is None:
            return parse_output(output, self._types.result, self._write)
        if not os.path.isfile(out):
            raise Failure("missing", f"{os.path.basename(words[0])} wrote no file to {{out}}")
        return self._write(out)

    def _run(self, words: Sequence[str]) -> bytes:
        name = os.path.basename(words[0])
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                child = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    cwd=self._scratch,
                    start_new_session=True,
                    preexec_fn=_die_with_worker,
                )
            except OSError as error:
                raise Failure("missing", f"cannot run {words[0]}: {error.strerror}") from None
            try:
                child.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                raise Failure("timeout", f"{name} did not end within {self._timeout_s:g} s") from None
            finally:
                _end_group(child)
            if child.returncode != 0:
                raise Failure("exit", _story(name, child.returncode, _last_line(errors)))
            if os.fstat(output.fileno()).st_size > OUTPUT_LIMIT_BYTES:
                raise Failure("limit", f"{name} wrote more than {OUTPUT_LIMIT_BYTES >> 20} MiB")
            output.seek(0)
            return output.read()


def _end_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def _story(name: str, code: int, last_line: str) -> str:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"{name} {how}" + (f": {last_line}" if last_line else "")


def _last_line(errors: Any) -> str:
    size = os.fstat(errors.fileno()).st_size
    errors.seek(max(0, size - ERRORS_KEPT_BYTES))
    lines = errors.read().decode(errors="replace").replace("\0", "?").strip().splitlines()
    return lines[-1].strip() if lines else ""


def fill_word(word: str, texts: Sequence[str], out: str | None) -> str:
    """A word of the command with its holes filled; {{ and }} are braces."""
    pieces = []
    at = 0
    while at < len(word):
        if word.startswith(("{{", "}}"), at):
            pieces.append(word[at])
            at += 2
        elif word[at] == "{":
            end = word.index("}", at)
            hole = word[at + 1 : end]
            pieces.append(out or "" if hole == "out" else texts[int(hole)])
            at = end + 1
        else:
            pieces.append(word[at])
            at += 1
    return "".join(pieces)


def parse_output(output: bytes, type_name: str, write: Any) -> Cell:
    """Standard output as a value: the newline at its end goes, numbers are read strictly."""
    try:
        text = output.decode()
    except UnicodeDecodeError as error:
        raise Failure("encoding", f"the output is not UTF-8 at byte {error.start}") from None
    checked_text(text, "the output")
    text = text.removesuffix("\n").removesuffix("\r")
    if type_name == "text":
        return text
    shown = repr(text if len(text) <= 60 else text[:57] + "…")
    try:
        if type_name == "boolean":
            return {"true": True, "t": True, "false": False, "f": False}[text.strip()]
        if type_name == "bigint":
            return write(int(_plain_number(text)))
        if type_name == "float8":
            return write(float(_plain_number(text)))
        return write(json.loads(text, parse_constant=_no_constant if type_name == "jsonb" else float))
    except (ValueError, KeyError, RecursionError):
        wanted = f"JSON array of numbers ({type_name})" if type_name in ARRAYS else type_name
        raise Failure("type", f"the output {shown} is not a {wanted}") from None


def _plain_number(text: str) -> str:
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return text.strip()


def _no_constant(name: str) -> float:
    raise ValueError(name)
