"""What other libraries do to the plots of a notebook, undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keeps the way that plots are shown: `official.vision` switches it off when it is imported."""
    import matplotlib

    before = matplotlib.get_backend(auto_select=False)
    try:
        yield
    finally:
        if before is not None:
            matplotlib.use(before)
