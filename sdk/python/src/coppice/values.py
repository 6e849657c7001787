"""Values between the worker protocol and Python (docs/formats/worker_protocol.md).

    boolean, bigint, float8, text     bool, int, float, str
    jsonb                             what json.loads gives
    float8[], real[]                  numpy.ndarray of one dimension, read-only, not copied
    image, video, audio, document     pathlib.Path of a file to read

NULL never reaches a function: a call with a NULL argument is NULL. Results may be None: NULL.
"""

from __future__ import annotations

import json
import math
import numbers
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy

MEDIA = ("image", "video", "audio", "document")
ARRAYS = {"float8[]": numpy.dtype("<f8"), "real[]": numpy.dtype("<f4")}
NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
BIGINT = (-(2**63), 2**63 - 1)


class Failure(Exception):
    """One cell that has no value: `kind` is a stable word, the message says what and where."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class MediaFolder:
    """Finds the files of media objects, by the rule of docs/formats/media_store.md."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        store = pathlib.Path(folder)
        # Beside the store is what http(s) references gave.
        self._folders = [str(store / "sha256"), str(store.parent / "cache" / "sha256")]

    def path_of(self, name: str) -> pathlib.Path:
        digest = name.removeprefix("media:")
        for folder in self._folders:
            path = f"{folder}/{digest[:2]}/{digest}"
            if os.path.exists(path):
                return pathlib.Path(path)
        raise Failure("missing", f"{name} is not in the media store: restore it from a backup")


def argument_reader(type_name: str, media: MediaFolder) -> Callable[[Any], Any] | None:
    """How an argument of this type becomes a Python value; None: it is one already."""
    if type_name in MEDIA:
        return lambda value: media.path_of(value[type_name])
    if type_name == "jsonb":
        return lambda value: json.loads(value["jsonb"])
    if type_name in ARRAYS:
        dtype = ARRAYS[type_name]
        return lambda value: numpy.frombuffer(value[type_name], dtype=dtype)
    return None


def _refuse(value: object, wanted: str) -> Failure:
    text = repr(value)
    if len(text) > 60:
        text = text[:57] + "…"
    return Failure("type", f"the function gave {text}, {_kind(value)}, not {wanted}")


def _kind(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")


def _boolean(value: object) -> bool:
    if isinstance(value, (bool, numpy.bool_)):
        return bool(value)
    raise _refuse(value, "a boolean")


def _bigint(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise _refuse(value, "a bigint")
    if not BIGINT[0] <= int(value) <= BIGINT[1]:
        raise Failure("range", f"the function gave {value}, which is out of range for bigint")
    return int(value)


def _float8(value: object) -> float:
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise _refuse(value, "a float8")
    try:
        return float(value)
    except OverflowError:
        raise Failure("range", "the function gave an integer out of range for float8") from None


def checked_text(text: str, what: str) -> str:
    """The text, when PostgreSQL can hold it."""
    if "\0" in text:
        raise Failure("encoding", f"{what} holds a NUL character at {text.index(chr(0))}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Failure("encoding", f"{what} is not Unicode text at {error.start}") from None
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _refuse(value, "a text")
    return checked_text(str(value), "the text that the function gave")


def _plain(value: object) -> object:
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, numpy.ndarray):
        return value.tolist()
    raise TypeError(f"{_kind(value)} cannot be written as JSON")


def _jsonb(value: object) -> dict[str, str]:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise Failure("type", f"what the function gave is no jsonb: {error}") from None
    if NUL_IN_JSON.search(text):
        raise Failure("encoding", "the jsonb that the function gave holds a NUL character")
    return {"jsonb": checked_text(text, "the jsonb that the function gave")}


def _array(type_name: str, value: object) -> dict[str, bytes]:
    try:
        array = numpy.asarray(value)
    except ValueError:
        raise _refuse(value, f"a {type_name}") from None
    if array.ndim != 1 or (array.size > 0 and array.dtype.kind not in "iuf"):
        shape = f"an array of shape {list(array.shape)} and type {array.dtype}"
        raise Failure("type", f"the function gave {shape}, not a {type_name} of one dimension")
    return {type_name: array.astype(ARRAYS[type_name], copy=False).tobytes()}


def _media(type_name: str, value: object, scratch: str) -> dict[str, str]:
    if not isinstance(value, (str, os.PathLike)):
        raise _refuse(value, f"the path of a file with the {type_name}")
    path = os.path.abspath(os.fspath(value))
    if os.path.dirname(path) != scratch:
        raise Failure(
            "type",
            f"the {type_name} that the function gave is not a file that it wrote: {path}; write to "
            "coppice.scratch_file(), or anywhere in the folder for temporary files",
        )
    if os.path.islink(path) or not os.path.isfile(path):
        raise Failure("missing", f"the function gave {path}, and there is no such file")
    return {type_name: path}


def result_writer(type_name: str, scratch: str) -> Callable[[Any], Any]:
    """How a result of this type travels. Raises Failure for values of another type."""
    scalars = {"boolean": _boolean, "bigint": _bigint, "float8": _float8, "text": _text}
    if type_name in scalars:
        return scalars[type_name]
    if type_name == "jsonb":
        return _jsonb
    if type_name in ARRAYS:
        return lambda value: _array(type_name, value)
    if type_name in MEDIA:
        return lambda value: _media(type_name, value, scratch)
    raise ValueError(f"unknown type {type_name}")


def text_of(value: object) -> str:
    """An argument for a command: media as the path of the file, all else as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, numpy.ndarray):
        return json.dumps(value.tolist())
    if isinstance(value, (dict, list)) or value is None:
        return json.dumps(value, ensure_ascii=False)
    return str(value)
