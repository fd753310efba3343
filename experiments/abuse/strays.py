"""Processes that a tool leaves behind."""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
from collections.abc import Iterator

_PATIENCE_S = 30.0  # what a killed tool had started may still finish its work


def variables(folder: pathlib.Path) -> dict[str, str]:
    """Those of the tools of a case, which what they start inherits.

    Args:
      folder: of the case.
    """
    return {"TMPDIR": str(folder / "tmp")}


def left(folder: pathlib.Path, patience_s: float = _PATIENCE_S) -> str:
    """What was started for a case and does not end, in a line; empty if there is nothing.

    Args:
      folder: of the case.
      patience_s: for each process, in seconds.
    """
    running = [name for process, name in _of(folder) if not _ends(process, patience_s)]
    return f"still running: {', '.join(sorted(running))[:200]}" if running else ""


def _of(folder: pathlib.Path) -> Iterator[tuple[int, str]]:
    """The number and the command line of each process that was started with those variables."""
    marks = {f"{name}={value}".encode() for name, value in variables(folder).items()}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is not ours
            if marks <= set((process / "environ").read_bytes().split(b"\0")):
                command_line = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                yield int(process.name), command_line.decode(errors="replace").strip()


def _ends(process: int, patience_s: float) -> bool:
    """Waits for the end of a process, and says whether it came."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], patience_s)[0])
    finally:
        os.close(descriptor)
