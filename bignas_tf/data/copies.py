"""Files of the same content, whatever they are called. Needs no TensorFlow."""

from __future__ import annotations

import collections
import contextlib
import os
import pathlib
from collections.abc import Iterable

from bignas_tf import files


def of(known: Iterable[str], asked: Iterable[str]) -> set[str]:
    """Those among `asked` whose content is that of a file of `known`.

    Only files of equal size are read; those that cannot be read are no copies.

    Args:
      known: paths of local files.
      asked: paths of others.
    """
    there, here = _by_size(known), _by_size(asked)
    found = set()
    for size in there.keys() & here.keys():
        contents = set(_hashes(there[size]).values())
        found |= {path for path, content in _hashes(here[size]).items() if content in contents}
    return found


def _by_size(paths: Iterable[str]) -> dict[int, list[str]]:
    sizes: dict[int, list[str]] = collections.defaultdict(list)
    for path in paths:
        with contextlib.suppress(OSError):
            sizes[os.stat(path).st_size].append(path)
    return sizes


def _hashes(paths: Iterable[str]) -> dict[str, str]:
    hashes = {}
    for path in paths:
        with contextlib.suppress(OSError):
            hashes[path] = files.sha256(pathlib.Path(path))
    return hashes
