"""The message for a file that cannot be written because there is no room for it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator

from bignas_tf import errors

_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TEXTS = tuple(map(os.strerror, _CODES))
# NumPy says this of a file that it could not write in full, and nothing of the reason.
_NUMPY = re.compile(r"\d+ requested and \d+ written")


def reason(error: BaseException) -> str:
    """Says why there was no room; "" if the error is a different one."""
    if isinstance(error, OSError) and error.errno in _CODES:
        return os.strerror(error.errno)
    text = str(error)
    # TensorFlow's errors have the operating system's words, but not its code.
    found = next((known for known in _TEXTS if known in text), "")
    return found or (_TEXTS[0] if isinstance(error, OSError) and _NUMPY.search(text) else "")


@contextlib.contextmanager
def explained(path: str | os.PathLike[str], size: int | None = None) -> Iterator[None]:
    """Explains what fails inside because a disk is full, or a quota or a limit is reached.

    Args:
      path: what is written inside: a file or a folder.
      size: bytes that it takes, if that is known.

    Raises:
      RunError: there was no room.
    """
    try:
        yield
    except (errors.RunError, errors.UsageError):
        raise
    except Exception as error:
        why = reason(error)
        if not why:
            raise
        raise errors.RunError(message(why, path, size)) from error


def message(why: str, path: str | os.PathLike[str] | None, size: int | None = None) -> str:
    """The line for the user: which file, how much it takes, and what to do."""
    room = ""
    if path is not None:
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(os.path.dirname(os.path.abspath(path))).free
            takes = "" if size is None else f"it takes {size:,} bytes, "
            room = f" ({takes}{free:,} bytes are free)"
    limited = why == os.strerror(errno.EFBIG)
    mend = "Raise the limit of a file's size (ulimit -f)" if limited else "Make room"
    return (
        f"{'a file' if path is None else os.fspath(path)} cannot be written: {why}{room}; what was "
        f"there before is kept. {mend}, and give the same command again: it continues"
    )
