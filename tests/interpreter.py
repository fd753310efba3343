"""Python in a process of its own, in the folder of the checkout."""

from __future__ import annotations

import subprocess
import sys

from tests.forks import ROOT


def python(*arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs the interpreter to its end."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=timeout_s
    )
