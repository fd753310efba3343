"""Python in its own process: what crashes there ends that process, not this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from bignas_tf import errors

_TIMEOUT_S = 600
# A GPU or the chips of a TPU, if there are any, belong to the process that starts others.
ON_CPU = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "",
    "TPU_LOAD_LIBRARY": "0",
}
_ENVIRONMENT = {**ON_CPU, "TF_CPP_MIN_LOG_LEVEL": "3"}


def run(arguments: Sequence[str]) -> None:
    """Runs Python with these arguments, a file's path or '-m' and a module first.

    Raises:
      RunError: it failed; the message is the last line that it wrote.
    """
    try:
        done = subprocess.run(
            # -P: neither this folder nor that of the file is a place to import from.
            [sys.executable, "-P", *arguments],
            env=os.environ | _ENVIRONMENT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise errors.RunError(f"it took over {_TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise errors.RunError(lines[-1].removeprefix("error: "))
