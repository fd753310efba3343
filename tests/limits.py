"""Too little room for a file, files that may not be read, no locks: as systems have them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
import resource
import tempfile
from collections.abc import Iterator
from typing import IO, NoReturn

import pytest

# How the operating system calls it.
WHY = "File too large"
_NOBODY = 65534  # a user who owns nothing


@contextlib.contextmanager
def file_size(most: int) -> Iterator[None]:
    """No file that this process writes inside can grow beyond `most` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def no_locks() -> Iterator[None]:
    """No file can be locked inside, as on some network file systems."""

    def refuse(stream: IO[str], operation: int) -> NoReturn:
        del stream, operation
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        yield


@contextlib.contextmanager
def public_folder() -> Iterator[pathlib.Path]:
    """A folder that everybody may enter: those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@contextlib.contextmanager
def forbidden(path: pathlib.Path) -> Iterator[None]:
    """This process may not read, write or enter `path` inside, even if it is root's.

    Args:
      path: in a `public_folder`.
    """
    mode, is_root = path.stat().st_mode, os.geteuid() == 0
    path.chmod(0)
    if is_root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        path.chmod(mode)
