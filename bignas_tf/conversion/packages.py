"""Packages that converted files need, which may be missing, and how to install them."""

from __future__ import annotations

import importlib.util

from bignas_tf import commands, errors

LITERT = "ai_edge_litert"


def require(package: str, needed_by: str) -> None:
    """Refuses work for which a package is not installed.

    Args:
      package: as it is imported.
      needed_by: what needs it, for the message.

    Raises:
      UsageError: it is missing.
    """
    if importlib.util.find_spec(package):
        return
    # The Model Garden brings LiteRT, except where it has no wheel.
    litert = "`pip install ai-edge-litert`, if it has a wheel for this machine"
    how = litert if package == LITERT else f"`{commands.extra('runtimes')}` in the checkout"
    raise errors.UsageError(f"{needed_by} needs {package}, which is not installed here: {how}")
