"""Folders that another process removes at the worst moment, without another process."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator
from typing import Any

_left: dict[str, int] = {}  # by folder, the listings that still find it


def _remove(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "os.scandir" or not _left or isinstance(arguments[0], int):
        return
    path = os.fspath(arguments[0])
    if path in _left:
        _left[path] -= 1
        if _left[path] < 0:
            del _left[path]
            shutil.rmtree(path)


@contextlib.contextmanager
def before_listing(folder: pathlib.Path, number: int = 0) -> Iterator[None]:
    """Removes a folder just before it is listed.

    Args:
      folder: that is doomed.
      number: of listings that still find it.
    """
    _watch()
    _left[str(folder)] = number
    try:
        yield
    finally:
        _left.pop(str(folder), None)


@functools.cache
def _watch() -> None:
    """Python never forgets an audit hook, so there is one."""
    sys.addaudithook(_remove)
