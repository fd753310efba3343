"""Runs tools in processes forked from one that has imported TensorFlow: a second, not ten.

Each tool still parses its own flags, prints to its own streams and exits with its own code.
Started by its path, this file is that process: it takes a JSON message of arguments and two
streams a connection, and answers with the exit code. It must create no tensor, for TensorFlow's
threads do not survive a fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
_LIMIT_S = 900  # on a loaded machine
_MOST_BYTES = 1 << 16  # of a message
# What a forked tool takes for Python, if the tools that it starts are to be forked, too.
_PYTHON = """#!{python} -S
import sys
sys.path.insert(0, {root!r})
from tests.tools import forks
options, module = sys.argv[1:3], sys.argv[3:]
assert options == ["-P", "-m"], options
sys.exit(forks.ask({address!r}, module, 1, 2))
"""


class Forks:
    """Call `run`; leave by `close`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="forks")
        folder = pathlib.Path(self._folder.name)
        self._address, self._python = str(folder / "socket"), folder / "python"
        script = _PYTHON.format(python=sys.executable, root=str(ROOT), address=self._address)
        self._python.write_text(script)
        self._python.chmod(0o700)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self._address)
            listener.listen()
            self._server = subprocess.Popen(
                [sys.executable, "-P", __file__, str(listener.fileno())],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
            )

    def run(self, *arguments: str, fork_children: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs `python -m` with these arguments, module first.

        Args:
          *arguments: what follows `-m`.
          fork_children: processes that it starts by `python -m` are forked, too.
        """
        python = str(self._python) if fork_children else ""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            code = ask(self._address, arguments, out.fileno(), err.fileno(), python)
            texts = [stream.seek(0) or stream.read() for stream in (out, err)]
        return subprocess.CompletedProcess(arguments, code, *texts)

    def close(self) -> None:
        self._server.communicate(timeout=60)
        self._folder.cleanup()


def ask(address: str, arguments: Sequence[str], out: int, err: int, python: str = "") -> int:
    """Has a tool run with these streams, to its end; returns its exit code."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(address)
        socket.send_fds(client, [json.dumps([*arguments, python]).encode()], [out, err])
        return int(client.recv(_MOST_BYTES))


def _serve(listener: socket.socket) -> None:
    """Answers until standard input is closed."""
    from bignas_tf.exports import saved_model  # noqa: F401
    from bignas_tf.selection import runner  # noqa: F401
    from bignas_tf.training import checkpoints  # noqa: F401

    signal.signal(signal.SIGCHLD, _reap)
    with selectors.DefaultSelector() as ready:
        for each in (listener, sys.stdin):
            ready.register(each, selectors.EVENT_READ)
        while sys.stdin not in [key.fileobj for key, _ in ready.select()]:
            with listener.accept()[0] as connection:
                if not os.fork():
                    try:
                        _answer(connection)
                    finally:
                        os._exit(0)


def _reap(*_: object) -> None:
    """Waits for those that have answered, so that their processor time is counted as this one's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(connection: socket.socket) -> None:
    """Runs the tool that is asked for in a process of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2)
    child = os.fork()
    if not child:
        for stream, number in zip(streams, (1, 2), strict=True):
            os.dup2(stream, number)
        *arguments, python = json.loads(message)
        _run(arguments, python)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.send(str(code).encode())


def _run(arguments: list[str], python: str) -> None:
    """Does what `python -m` does, and ends this process."""
    signal.alarm(_LIMIT_S)  # a hang ends as a failure
    sys.executable = python or sys.executable
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
    _serve(socket.socket(fileno=int(sys.argv[1])))
