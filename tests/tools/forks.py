"""Runs tools in processes forked from one that has imported TensorFlow: a second, not ten.

Each tool still parses its own flags, prints to its own streams and exits with its own code.
Started by its path, this file is that process: it reads a JSON list of arguments a line, and
answers with a line, [exit code, stdout, stderr]. It must create no tensor, for TensorFlow's
threads do not survive a fork.
"""

from __future__ import annotations

import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
_LIMIT_S = 900  # on a loaded machine


class Forks:
    """Call `run`; leave by `close`."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-P", __file__],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `python -m` with these arguments, module first."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(arguments), file=self._server.stdin, flush=True)
        return subprocess.CompletedProcess(arguments, *json.loads(self._server.stdout.readline()))

    def close(self) -> None:
        self._server.communicate(timeout=60)


def _serve() -> None:
    from bignas_tf.exports import saved_model  # noqa: F401
    from bignas_tf.selection import runner  # noqa: F401
    from bignas_tf.training import checkpoints  # noqa: F401

    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            child = os.fork()
            if not child:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                _run(json.loads(line))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = [stream.seek(0) or stream.read() for stream in (out, err)]
        print(json.dumps([code, *texts]), flush=True)


def _run(arguments: list[str]) -> None:
    """Does what `python -m` does, and ends this process."""
    signal.alarm(_LIMIT_S)  # a hang ends as a failure
    code: object = 1
    try:
        sys.argv = arguments
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve()
