"""Starts a tool as `python -m` does, in a process that lacks something or has something more.

  python -m experiments.abuse.starter [WORD ...] tools.TOOL --flag=value ...

Words, each of which holds for all that follow:
  local_data   TFDS also knows `local_dataset.LocalDigits`.
  memory=MB    the process can have so many megabytes beside those that it has.
  no_network   no network interface is up; needs root.
  locale_c     a new interpreter under LC_ALL=C.
"""

from __future__ import annotations

import os
import pathlib
import resource
import runpy
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> None:
    """See the module."""
    word, *rest = arguments
    if word == "no_network":
        _replace(["unshare", "--net"], rest)
    elif word == "locale_c":
        os.environ["LC_ALL"] = "C"
        _replace([], rest)
    elif word == "local_data":
        from experiments.abuse import local_dataset  # importing it registers it

        del local_dataset
        main(rest)
    elif word.startswith("memory="):
        _limit(int(word.removeprefix("memory=")) << 20)
        main(rest)
    else:
        sys.argv = list(arguments)
        runpy.run_module(word, run_name="__main__", alter_sys=True)


def _replace(prefix: Sequence[str], rest: Sequence[str]) -> None:
    """Continues in a new interpreter, in this process."""
    command = [*prefix, sys.executable, "-m", "experiments.abuse.starter", *rest]
    os.execvp(command[0], command)


def _limit(more: int) -> None:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main(sys.argv[1:])
