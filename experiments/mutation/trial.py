"""Tests of a changed copy, in a process that is forked after TensorFlow was imported.

Nothing here imports this project: the process imports the changed copy.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import shutil
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

# Whatever takes long to import; importing it creates no tensor, and so no thread.
PRELOADED = ["tensorflow", "tensorflow_datasets", "orbit", "official.core.base_trainer", "sklearn"]
CAUGHT, HUNG, SURVIVED = "caught", "hung", "survived"
_PASSED, _NO_TEST, _KILLED = 0, 5, -signal.SIGKILL  # exit codes of pytest and of its process
_TOO_LATE = 99  # the process knew the code that is not changed


class Trial(NamedTuple):
    """How the tests of a mutant ended.

    Attributes:
      ended: "caught", "hung" (which a person would notice, too) or "survived".
      said: the line that names the test which failed, or the last one.
    """

    ended: str
    said: str


def run(copy: pathlib.Path, tests: Sequence[str], limit_s: float) -> Trial:
    """Runs tests in a copy of the repository until one fails.

    Args:
      copy: the repository's root.
      tests: pytest's names of them.
      limit_s: after which they count as hung.

    Raises:
      RuntimeError: a test does not exist, something killed the process, or the forkserver of this
        process has imported the project for others, so that no change would be seen.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    output = copy / "trial.log"
    process = context.Process(target=_child, args=(str(copy), list(tests), str(output)))
    process.start()
    process.join(limit_s)
    hung = process.is_alive()
    with contextlib.suppress(ProcessLookupError):  # also what the tests have left behind
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.join()
    shutil.rmtree(copy / "trial", ignore_errors=True)
    if hung:
        return Trial(HUNG, "")
    lines = output.read_text(errors="replace").splitlines() or [""]
    missing = any(line.startswith("ERROR: not found: ") for line in lines)
    if missing or process.exitcode in (_NO_TEST, _KILLED, _TOO_LATE):
        raise RuntimeError(f"the trial failed with exit code {process.exitcode}; see {output}")
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    said = (failed or lines[-1:])[0][:300]
    return Trial(SURVIVED if process.exitcode == _PASSED else CAUGHT, said)


def _child(copy: str, tests: Sequence[str], output: str) -> None:
    os.setsid()
    os.chdir(copy)
    log = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "bignas_tf" in sys.modules:
        os._exit(_TOO_LATE)
    for name in [name for name in sys.modules if name.split(".")[0] == "experiments"]:
        del sys.modules[name]  # of the tree that is not changed
    sys.path[:] = [copy, *(path for path in sys.path if path != "")]
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={copy}/trial"]
    code = pytest.main([*options, *tests])
    sys.stdout.flush()
    os._exit(int(code))  # threads that a test has left would wait for ever
