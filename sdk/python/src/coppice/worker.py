"""The function worker for LANGUAGE python and LANGUAGE command: the worker protocol on its standard
streams (docs/formats/worker_protocol.md).

Rows are evaluated in groups of `batch`. Results may be held back for a moment and go out together: an
engine that starts this program asks again, one by one, for rows that a crash left without an answer.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any, BinaryIO

import msgpack

from coppice.calls import FunctionCalls, Types, check_function, load_function
from coppice.commands import CommandCalls
from coppice.values import Failure, MediaFolder

PROTOCOL = 1
FLUSH_BYTES = 1 << 16
FLUSH_SECONDS = 0.002
MESSAGE_CHARACTERS = 2000
NAME = "coppice-python"


class Worker:
    def __init__(self, source: BinaryIO, sink: int, task: dict[str, Any]) -> None:
        self._source = source
        self._sink = sink
        self._task = task
        self._frame_limit = 64 << 20
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._flushed_at = 0.0
        self._pack = msgpack.Packer(use_bin_type=True).pack
        self._calls: FunctionCalls | CommandCalls | None = None

    def run(self) -> int:
        """Until `bye` or the end of the input."""
        while (message := self._read()) is not None:
            kind = message["type"]
            if kind == "bye":
                return 0
            if kind == "hello":
                self._greet(message)
            elif kind == "ping":
                self._send({"type": "pong", "id": message["id"]})
            elif kind == "evaluate":
                self._evaluate(message)
            else:
                raise Failure("protocol", f"the engine sent a message of type {kind}")
        return 0

    def tell(self, reason: str) -> None:
        """Says why the worker ends."""
        self._send({"type": "error", "message": _sendable(reason)})

    def _read(self) -> dict[str, Any] | None:
        header = self._source.read(4)
        if len(header) < 4:
            return None
        size = int.from_bytes(header, "little")
        body = self._source.read(size)
        if len(body) < size:
            return None
        return msgpack.unpackb(body, strict_map_key=False)

    def _greet(self, hello: dict[str, Any]) -> None:
        if hello["protocol"] != PROTOCOL:
            raise Failure(
                "protocol",
                f"the engine speaks version {hello['protocol']} of the worker protocol, {NAME} "
                f"speaks version {PROTOCOL}: they are of different releases",
            )
        self._frame_limit = hello["frame_limit"]
        self._calls = open_calls(self._task, MediaFolder(hello["media"]))
        self._send({"type": "hello", "protocol": PROTOCOL, "name": NAME})

    def _evaluate(self, message: dict[str, Any]) -> None:
        number, rows, fragments = message["id"], message["rows"], message["fragments"]
        self._send({"type": "accepted", "id": number})
        self._flushed_at = time.monotonic()
        arguments = [fragment[1:] for fragment in fragments]
        group = self._task["batch"] if self._calls and self._calls.batched else 1
        for begin in range(0, len(rows), group):
            columns = [
                self._cells(rows[begin : begin + group], places) for places in arguments
            ]  # fmt: skip
            for row, cells in enumerate(zip(*columns), begin):
                self._queue(number, row, cells)
            if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
                self._flush()
        self._flush()

    def _cells(self, rows: Sequence[Sequence[Any]], places: Sequence[int]) -> list[Any]:
        chosen = [[row[place] for place in places] for row in rows]
        wanted = [number for number, values in enumerate(chosen) if None not in values]
        cells: list[Any] = [None] * len(rows)
        if wanted and self._calls is not None:
            results = self._calls.call_rows([chosen[number] for number in wanted])
            for place, cell in zip(wanted, results):
                cells[place] = cell
        return cells

    def _queue(self, number: int, row: int, cells: Sequence[Any]) -> None:
        packed = [
            {"error": [cell.kind, _sendable(str(cell))]} if isinstance(cell, Failure) else cell
            for cell in cells
        ]  # fmt: skip
        body = self._pack({"type": "result", "id": number, "row": row, "cells": packed})
        if len(body) > self._frame_limit:
            failure = {"error": ["limit", f"the result is larger than {self._frame_limit} bytes"]}
            packed = [failure] * len(packed)
            body = self._pack({"type": "result", "id": number, "row": row, "cells": packed})
        self._pending.append(len(body).to_bytes(4, "little"))
        self._pending.append(body)
        self._pending_bytes += len(body)
        if self._pending_bytes > FLUSH_BYTES:
            self._flush()

    def _send(self, message: dict[str, Any]) -> None:
        body = self._pack(message)
        self._pending += [len(body).to_bytes(4, "little"), body]
        self._flush()

    def _flush(self) -> None:
        data = memoryview(b"".join(self._pending))
        self._pending.clear()
        self._pending_bytes = 0
        while data:
            data = data[os.write(self._sink, data) :]
        self._flushed_at = time.monotonic()


def _sendable(message: str) -> str:
    """The message as UTF-8 text of bounded length, whatever the user's code put into it."""
    if len(message) > MESSAGE_CHARACTERS:
        message = message[: MESSAGE_CHARACTERS - 1] + "…"
    return message.replace("\0", "?").encode(errors="backslashreplace").decode()


def open_calls(task: dict[str, Any], media: MediaFolder) -> FunctionCalls | CommandCalls:
    types = Types(tuple(task["parameters"]), task["result"])
    if task["language"] == "command":
        return CommandCalls(task["words"], types, media, task["scratch"], task["timeout_s"])
    target = load_function(task["file"], task["name"])
    check_function(target, task["name"], len(types.parameters))
    return FunctionCalls(target, types, media, task["scratch"], task["file"])


def check(task: dict[str, Any]) -> int:
    """Looks at a function without calling it; what was found goes to standard output as JSON."""
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        calls = open_calls(task, MediaFolder("/nonexistent"))
        found: dict[str, Any] = {"batched": calls.batched}
    except Failure as failure:
        found = {"failure": str(failure)}
    os.write(out, json.dumps(found).encode())
    return 0


def serve(task: dict[str, Any]) -> int:
    # What the user's code prints must not reach the pipe to the engine.
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    worker = Worker(open(source, "rb", buffering=1 << 16), sink, task)
    try:
        return worker.run()
    except Failure as failure:
        print(f"{NAME}: {failure}", file=sys.stderr)
        worker.tell(str(failure))
        return 1


def main(arguments: Sequence[str]) -> int:
    task = json.loads(arguments[-1])
    tempfile.tempdir = task["scratch"]
    return check(task) if arguments[0] == "--check" else serve(task)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
