"""What only one process of this machine may do at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator
from typing import IO, Any

from bignas_tf import errors, files, full_disk


def lock(stream: IO[Any], owner: str, argument: str) -> None:
    """Locks an open file of this machine until it is closed or the process ends, even by a kill.

    Args:
      stream: the file.
      owner: whoever else may have locked it, such as "a search".
      argument: that names the folder, for the message.

    Raises:
      UsageError: somebody else has locked it.
      OSError: its file system has no locks.
    """
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise errors.UsageError(
            f"{stream.name} belongs to {owner} that is running; wait until it ends, or choose "
            f"another {argument}"
        ) from None


def require_lock(stream: IO[Any], owner: str, argument: str) -> None:
    """See `lock`; where there are no locks, that is an error.

    Raises:
      UsageError: somebody else has locked it, or its file system has no locks.
    """
    try:
        lock(stream, owner, argument)
    except OSError as error:
        raise errors.UsageError(
            f"{stream.name} cannot be locked ({error.strerror}); choose another {argument}, on a "
            "file system with locks"
        ) from error


@contextlib.contextmanager
def locked(
    path: str | os.PathLike[str], owner: str, argument: str, required: bool = True
) -> Iterator[str]:
    """Context in which no other process can enter it for the same path.

    The lock is on `.NAME.lock` beside it, which stays: a lock on a file that was deleted would
    keep nobody out.

    Args:
      path: a file or a folder of this machine, which may be missing.
      owner: see `lock`.
      argument: see `lock`.
      required: whether a file system without locks is an error.

    Yields:
      Why nobody is kept out, such as "data/.mnist.lock cannot be locked (No locks available)"; ""
      if the lock is held.

    Raises:
      UsageError: another process is inside, the lock cannot be made, or `path` is remote.
    """
    target = pathlib.Path(path)  # of a remote path, `pathlib` makes a local one
    folder = files.ensure_writable(path if files.is_remote(path) else target.parent)
    with held(folder / f".{target.name}.lock", owner, argument, required) as unlocked:
        yield unlocked


@contextlib.contextmanager
def held(place: pathlib.Path, owner: str, argument: str, required: bool) -> Iterator[str]:
    """Context that holds a lock file, which is made if missing; see `locked`."""
    with contextlib.ExitStack() as opened:
        try:
            with full_disk.explained(place):
                stream = opened.enter_context(place.open("a", encoding="utf-8"))
        except OSError as error:
            raise errors.UsageError(f"{place} cannot be written ({error.strerror})") from error
        unlocked = ""
        try:
            (require_lock if required else lock)(stream, owner, argument)
        except OSError as error:
            unlocked = f"{place} cannot be locked ({error.strerror})"
        yield unlocked
