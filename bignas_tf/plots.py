"""What other libraries do to the plots of a notebook, undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Keeps the backend of plots that was chosen, which importing `official.vision` replaces."""
    import matplotlib

    before = matplotlib.get_backend(auto_select=False)
    try:
        yield
    finally:
        if before is not None:
            matplotlib.use(before)
