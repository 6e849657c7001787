"""coppice-media driven by itself, without an engine: docs/formats/worker_protocol.md in Python.

    with MediaWorker(folder) as worker:
        name = worker.store(file, "image")
        worker.call("width(image)", [name])      # a cell: a value, or {"error": [type, message]}
"""

import hashlib
import os
import pathlib
import shutil
import struct
import subprocess

import msgpack

from support.coppice import PROGRAM


def worker_program():
    beside = pathlib.Path(PROGRAM).resolve().parent / "coppice-media"
    return beside if beside.exists() else beside.parent.parent / "lib/coppice/coppice-media"


class MediaWorker:
    """A worker over a media store of its own in `folder`. `environment` is added to its own small
    one, `cores` are those that it may use (all: None)."""

    def __init__(self, folder, environment=None, cores=None):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        keep = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            [worker_program()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=keep | (environment or {}),
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
        )
        self._id = 0
        self._send({"type": "hello", "protocol": 1, "media": str(self._folder), "frame_limit": 1 << 26})
        assert self._receive()["type"] == "hello"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def _send(self, message):
        body = msgpack.packb(message)
        self._process.stdin.write(struct.pack("<I", len(body)) + body)
        self._process.stdin.flush()

    def _receive(self):
        head = self._process.stdout.read(4)
        assert len(head) == 4, f"the worker ended: exit code {self._process.wait()}"
        return msgpack.unpackb(self._process.stdout.read(struct.unpack("<I", head)[0]))

    def store(self, file, kind):
        """Puts a file into the store by the rule of docs/formats/media_store.md."""
        file = pathlib.Path(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        extension = file.suffix[1:].lower()
        target = self._folder / "sha256" / digest[:2] / f"{digest}.{extension}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        return {kind: f"media:{digest}.{extension}"}

    def call(self, function, arguments):
        """The cell that a call of a function, by its id, gives."""
        self._id += 1
        fragment = [function, *range(len(arguments))]
        self._send({"type": "evaluate", "id": self._id, "fragments": [fragment], "rows": [arguments]})
        assert self._receive()["type"] == "accepted"
        (cell,) = self._receive()["cells"]
        return cell
