"""The machine that figures were measured on."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import resource

_PACKAGES = ("tensorflow", "tf-keras", "tf-models-official", "tensorflow-datasets", "numpy")
_OTHER_NAMES = {"tensorflow": ("tensorflow-tpu",)}  # of the same package, on the hosts of TPUs
_CPUINFO = pathlib.Path("/proc/cpuinfo")
_STATUS = pathlib.Path("/proc/self/status")
_NEAR = 0.97  # of the limit: one request more, such as for a pool of threads, was refused


def describe() -> dict[str, object]:
    """Where and when this runs."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of the packages that results depend on."""
    return {name: version(name, *_OTHER_NAMES.get(name, ())) for name in _PACKAGES}


def version(*names: str) -> str:
    """The version of a package that is installed under one of these names; "unknown" if none is."""
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return "unknown"


def title() -> str:
    """What times depend on, in a line: the processor, and how much of it this process may use."""
    return f"{processor()}, {cores()} cores"


def processor() -> str:
    """The processor's name; Linux has it in a file alone."""
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def reached_limit() -> str:
    """The limit on this process's memory, if it has come near it; "" if not, or if there is none.

    Such as `ulimit -v` sets, and as some clusters' queues do. A library that is refused memory
    there may go on, and fail later for another reason.

    Returns:
      What it had at most and what it may have, for a message.
    """
    if not _STATUS.exists():  # Linux alone has it
        return ""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    peak = re.search(r"^VmPeak:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    if peak is None or limit == resource.RLIM_INFINITY or int(peak[1]) << 10 < _NEAR * limit:
        return ""
    return f"it had {int(peak[1]) >> 10:,} of the {limit >> 20:,} MiB that `ulimit -v` allows it"


def cores() -> int | None:
    """How many this process may use; None if unknown."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()
