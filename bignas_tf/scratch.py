"""Unfinished files and folders: hidden, locked while they are made, removed if their maker died.

A name cannot tell whether its maker is alive: process ids are used again, and several machines may
share a folder. A lock can: the kernel holds it as long as the maker has the file open, and drops
it however the maker ends. So what is unfinished and not locked has no maker left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_FILE, _FOLDER = ".unfinished-", ".unverified-"
_LOCK = ".lock"  # the file in a folder that is locked for it; NFS cannot lock folders
_RANDOM = "[a-z0-9_]{8}"  # how `tempfile` ends a name: other files keep theirs
_TEMPDIR = threading.RLock()  # of who asks for, or has replaced, the process's temporary folder


@contextlib.contextmanager
def file(target: pathlib.Path) -> Iterator[IO[bytes]]:
    """Gives a file that replaces `target` once its content is written and on the disk.

    Raises:
      OSError: it cannot be written; `target` is as it was.
    """
    sweep(target.parent)
    path, stream = _create(target.parent, f"{_FILE}{target.name}-", as_folder=False)
    # Renamed while it is open: unlocked, another process would sweep it.
    with stream:
        try:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            os.chmod(path, 0o644)
            os.replace(path, target)
        except BaseException:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                stream.close()  # tries to write once more, which would hide the first error
            raise


@contextlib.contextmanager
def folder(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """Gives a folder below `parent` that is removed at the end, unless it was renamed.

    Raises:
      OSError: it cannot be made.
    """
    sweep(parent)
    path, lock = _create(parent, _FOLDER, as_folder=True)
    with lock:
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def temporary() -> Iterator[pathlib.Path]:
    """Gives a folder where temporary files belong ($TMPDIR); see `folder`."""
    with _TEMPDIR:
        place = pathlib.Path(tempfile.gettempdir())
    with folder(place) as path:
        yield path


@contextlib.contextmanager
def of_others() -> Iterator[None]:
    """Removes at the end what libraries have put among temporary files inside, and left there.

    One thread at a time: the process has one folder for temporary files.
    """
    with _TEMPDIR, temporary() as path:
        before, tempfile.tempdir = tempfile.tempdir, str(path)
        try:
            yield
        finally:
            tempfile.tempdir = before


def renamed(path: pathlib.Path, prefix: str) -> pathlib.Path:
    """Renames what `folder` gave: it stays locked, but is not removed or swept any more."""
    return path.rename(path.with_name(prefix + path.name.removeprefix(_FOLDER)))


def is_unfinished(path: pathlib.Path) -> bool:
    """Whether a file or folder is one that `file` or `folder` makes, by its name."""
    return path.name.startswith((_FILE, _FOLDER))


def sweep(parent: pathlib.Path) -> None:
    """Removes unfinished files and folders that no living process is making."""
    for path in abandoned(parent, _FILE, _FOLDER):
        remove(path)


def remove(path: pathlib.Path) -> None:
    """Removes a file or a folder, as far as this process can."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def abandoned(parent: pathlib.Path, *prefixes: str) -> Iterator[pathlib.Path]:
    """Yields what no living process owns, each locked until the next is asked for.

    Nothing is yielded where locks cannot tell: on file systems without them, and where this
    process may not write.

    Args:
      parent: where to look; it may be missing.
      prefixes: of names.
    """
    names = re.compile(f"({'|'.join(map(re.escape, prefixes))}).*{_RANDOM}", re.DOTALL)
    try:
        found = sorted(name for name in os.listdir(parent) if names.fullmatch(name))
    except OSError:
        return
    for path in (parent / name for name in found):
        if not _may_be_ours(path):
            continue
        lock = _claim(path)
        if lock is not None:
            with lock:
                yield path


def _may_be_ours(path: pathlib.Path) -> bool:
    """Whether this user may have made it; in a shared folder, others may have set a trap."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)


def _create(parent: pathlib.Path, prefix: str, as_folder: bool) -> tuple[pathlib.Path, IO[bytes]]:
    """Makes a file or a folder, and locks it."""
    while True:
        if as_folder:
            path = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        else:
            descriptor, name = tempfile.mkstemp(dir=parent, prefix=prefix)
            os.close(descriptor)
            path = pathlib.Path(name)
        lock = _claim(path, made_here=True)
        # Another process may have swept it between its making and its locking.
        if lock is not None:
            return path, lock


def _claim(path: pathlib.Path, made_here: bool = False) -> IO[bytes] | None:
    """Locks a file or a folder, until what is returned is closed.

    Args:
      path: of it.
      made_here: whether this process has made it; it is then used even without locks.

    Returns:
      The file that is locked; None if another process has locked or removed it.
    """
    # A file is not made here: its maker may have finished it, and taken its name away, by now.
    if path.is_dir():
        place, mode, flags = path / _LOCK, "ab", os.O_WRONLY | os.O_APPEND | os.O_CREAT
    else:
        place, mode, flags = path, "r+b", os.O_RDWR
    try:
        # A link is not followed, and a pipe not waited for: others may have put them there.
        stream = os.fdopen(os.open(place, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666), mode)
    except OSError as error:  # `os.fdopen` has closed what it refuses
        if made_here and not isinstance(error, FileNotFoundError):
            raise
        return None
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = True
    except OSError as error:
        ours = made_here and not isinstance(error, BlockingIOError)
    if ours:
        # Its last owner may have removed it, or finished it, after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), place.stat()):
                return stream
    stream.close()
    return None
