"""Too little room for a file, made by a limit of the operating system."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

# How the operating system calls it.
WHY = "File too large"


@contextlib.contextmanager
def file_size(most: int) -> Iterator[None]:
    """No file that this process writes inside can grow beyond `most` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
