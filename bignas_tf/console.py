"""Where lines go: of progress to a function, by default one that prints each at once.

Those that libraries write by themselves can be dropped.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

Show = Callable[[str], None]


def print_line(line: str) -> None:
    """Prints a line at once, also where the output is a pipe or a file."""
    print(line, flush=True)


def silent(line: str) -> None:
    """Discards a line."""


def or_silent(show: Show | None) -> Show:
    """Returns `show`, or a function that discards lines if it is None."""
    return silent if show is None else show


@contextlib.contextmanager
def dropped(text: bytes) -> Iterator[None]:
    """Holds back writes to file descriptor 2, then passes on the lines that lack `text`."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if text not in line:
                    os.write(2, line)
