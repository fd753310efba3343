"""Runs a tool, and reads the memory of its process at each line of progress.

  python -m experiments.memory_gauge readings.json 'step ([0-9]+)/' train --model_dir=...

Arguments: the file for the readings, what a line of progress begins with (its
group is what is done), the tool and its flags. Linux with glibc 2.33 or later alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import pathlib
import re
import runpy
import sys
from typing import TextIO

from bignas_tf import files

# What the lines of a training and of a search begin with.
PROGRESS = {"step": r"step (\d+)/", "candidate": r"(?:coarse|fine) (\d+)(?:/\d+)?: "}


class Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`; bytes over all arenas."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    ]  # fmt: skip


class Gauge(io.TextIOBase):
    """Standard output that notes what is done, resident KiB and allocated KiB."""

    def __init__(self, progress: str, stream: TextIO) -> None:
        self.readings: list[tuple[int, int, int]] = []
        self._progress = re.compile(progress)
        self._stream = stream
        self._libc = ctypes.CDLL(None)
        self._libc.mallinfo2.restype = Mallinfo

    def write(self, text: str) -> int:
        found = self._progress.match(text)
        if found:
            self.readings.append((int(found[1]), self._resident(), self._allocated()))
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def _resident(self) -> int:
        status = pathlib.Path("/proc/self/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def _allocated(self) -> int:
        """What was asked of the allocator and not given back."""
        info = self._libc.mallinfo2()
        return (info.uordblks + info.hblkhd) // 1024


def main() -> None:
    output, progress, tool, *arguments = sys.argv[1:]
    sys.argv = [tool, *arguments]
    gauge = Gauge(progress, sys.stdout)
    try:
        with contextlib.redirect_stdout(gauge):
            runpy.run_module(f"tools.{tool}", run_name="__main__")
    finally:
        files.write_json(output, gauge.readings)


if __name__ == "__main__":
    main()
