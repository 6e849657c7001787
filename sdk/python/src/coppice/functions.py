"""What the author of a function uses: the decorator, and files for results.

A plain function needs no decorator: it is called once a row, with one value a parameter. One that is
faster on many rows at once says so, and then gets lists and gives a list:

    @function(batched=True)
    def caption(pictures: list[pathlib.Path]) -> list[str]: ...
"""

from __future__ import annotations

import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import TypeVar, overload

BATCHED = "__coppice_batched__"

Decorated = TypeVar("Decorated", bound=Callable[..., object])


@overload
def function(target: Decorated) -> Decorated: ...
@overload
def function(*, batched: bool = False) -> Callable[[Decorated], Decorated]: ...
def function(target=None, *, batched=False):
    """Marks a function for Coppice. With `batched` it takes a list for each parameter, all of the same
    length, and gives a list of that length; how many rows at most is `SET batch` of CREATE FUNCTION."""

    def mark(decorated):
        if not callable(decorated):
            raise TypeError(f"@function is for functions, not for {decorated!r}")
        setattr(decorated, BATCHED, batched)
        return decorated

    return mark if target is None else mark(target)


def is_batched(target: Callable[..., object]) -> bool:
    return bool(getattr(target, BATCHED, False))


def scratch_file(suffix: str = "") -> pathlib.Path:
    """The name of a new file for a result that is an image, video, audio or document: write it, and
    return it. Coppice takes it into the media store."""
    handle, name = tempfile.mkstemp(suffix=suffix)
    os.close(handle)
    return pathlib.Path(name)
