"""A text file that grows by lines, local or in a bucket, and has one writer.

A file system appends and locks. An object store does neither, but it publishes an object whole:
each line there is written with all those before it, so a kill leaves the old object or the new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
from collections.abc import Callable

from bignas_tf import errors, files, full_disk, locking, plain

_MOST_CHANGES = 4  # that a message lists
OWNER = ".owner"  # how the file beside a remote one ends that says who writes it


def opened(path: str | os.PathLike[str]) -> LineFile:
    """Opens a file of lines to write it; creates it if it is missing.

    Raises:
      UsageError: it cannot be opened, or another process has it open.
    """
    return RemoteLines(os.fspath(path)) if files.is_remote(path) else LocalLines(path)


def take_up(
    file: LineFile,
    path: str | os.PathLike[str],
    head: str,
    other: str,
    take: Callable[[str], None],
) -> None:
    """Goes on with a file where a kill may have left it; closes it if that cannot be done.

    A torn last line is cut off once all before it is known to be good, because nothing may be lost
    of a file that is not ours.

    Args:
      file: an open one.
      path: its name.
      head: its first line, which says what the others depend on; written if the file is empty, or
        is local and has no other line.
      other: what is said of a file with another first line.
      take: is given each further line; raises ValueError, KeyError, TypeError or RecursionError
        for one that cannot be read.

    Raises:
      UsageError: it is damaged, or begins with another line.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(file.close)
        try:
            text = file.read()
        except UnicodeDecodeError as error:
            raise _damaged(path, "it is not text") from error
        whole = text[: text.rfind("\n") + 1]
        first, *lines = whole.split("\n") if whole else (text,)
        local = isinstance(file, LocalLines)  # of a bucket's, a search that has begun has no lock
        if local and first != head and text == f"{first}\n" and _same_names(first, head):
            whole, first, lines = "", "", []  # nothing was found yet: it is ours to begin again
        if not (first == head if whole else head.startswith(first)):
            raise errors.UsageError(f"{os.fspath(path)} {other}{_changed(first, head)}")
        for number, line in enumerate(lines[:-1], 2):
            try:
                take(line)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise _damaged(path, f"line {number}") from error
        file.cut(whole)
        if not whole:
            file.append(head)
        stack.pop_all()


def _same_names(first: str, head: str) -> bool:
    """Whether both are objects with the same keys."""
    try:
        return dict(json.loads(first)).keys() == dict(json.loads(head)).keys()
    except (ValueError, TypeError, RecursionError):
        return False


def _changed(first: str, head: str) -> str:
    """Which values of two first lines differ, in brackets; "" if it is no line of values."""
    try:
        changes = plain.changes(json.loads(first), json.loads(head))
    except (ValueError, AttributeError, RecursionError):
        return ""
    listed = plain.told(changes)
    if len(listed) > _MOST_CHANGES:
        listed[_MOST_CHANGES:] = [f"and {len(listed) - _MOST_CHANGES} more"]
    return f" ({'; '.join(listed)})" if listed else ""


def _damaged(path: str | os.PathLike[str], where: str) -> errors.UsageError:
    return errors.UsageError(
        f"{os.fspath(path)} is damaged ({where}); delete it to start from the beginning"
    )


class LocalLines:
    """A local file, locked until it is closed. See `opened` and `locking.lock`."""

    def __init__(
        self, path: str | os.PathLike[str], owner: str = "a search", argument: str = "output_dir"
    ) -> None:
        self._path = pathlib.Path(path)
        try:
            # Unbuffered: what could not be written is not tried again when the file is closed.
            with full_disk.explained(self._path):
                self._stream = self._path.open("ab+", buffering=0)
        except OSError as error:
            raise errors.UsageError(f"{path} cannot be opened ({error.strerror})") from error
        try:
            locking.require_lock(self._stream, owner, argument)
        except BaseException:
            self._stream.close()
            raise

    def read(self) -> str:
        """Returns the whole content.

        Raises:
          UnicodeDecodeError: it is not text.
        """
        self._stream.seek(0)
        return self._stream.readall().decode()

    def cut(self, beginning: str) -> None:
        """Shortens the file to `beginning`, with which its content begins."""
        self._stream.truncate(len(beginning.encode()))

    def append(self, line: str) -> None:
        """Adds a line, which outlives a kill from then on.

        Raises:
          RunError: there is no room.
        """
        content = f"{line}\n".encode()
        with full_disk.explained(self._path, len(content)):
            while content:
                content = content[self._stream.write(content) :]
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Releases the file."""
        self._stream.close()


class RemoteLines:
    """An object that is written whole, with all lines known so far, for each new one.

    Its writer is known by a random token in a file beside it, which no kill can make stale: the
    next writer replaces it, and the one before sees that at its next line. Its methods are those of
    `LocalLines`; `append` raises a `RunError` if the file has another writer by now.
    """

    def __init__(self, path: str) -> None:
        self._path, self._text = path, ""
        self._token = secrets.token_hex(16)

    def read(self) -> str:
        return files.read_text(self._path) if files.is_file(self._path) else ""

    def cut(self, beginning: str) -> None:
        # A torn end is not removed: the next line is written over it.
        files.write_text(f"{self._path}{OWNER}", self._token)
        self._text = beginning

    def append(self, line: str) -> None:
        if files.read_text(f"{self._path}{OWNER}") != self._token:
            raise errors.RunError(
                f"another search was started in the folder of {self._path} and continues from "
                "what is there; this one stops"
            )
        text = f"{self._text}{line}\n"
        files.write_text(self._path, text)
        self._text = text

    def close(self) -> None:
        """Does nothing: there is no lock."""


LineFile = LocalLines | RemoteLines
