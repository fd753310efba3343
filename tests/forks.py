"""Runs modules in processes forked from one that has imported TensorFlow: a second, not ten.

Each still parses its own flags, prints to its own streams and exits with its own code. Started by
its path, this file is that process: it takes a JSON message and two streams a connection, and
answers with the number of the new process, then with its exit code. It must create no tensor, for
TensorFlow's threads do not survive a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import pathlib
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIMIT_S = 900  # on a loaded machine
_MOST_BYTES = 1 << 16  # of a message
# What a forked tool takes for Python, if the tools that it starts are to be forked, too.
_PYTHON = """#!{python} -S
import os, sys
sys.path.insert(0, {root!r})
from tests import forks
options, module = sys.argv[1:3], sys.argv[3:]
assert options == ["-P", "-m"], options
sys.exit(forks.Forked({address!r}, module, os.environ, 1, 2).code)
"""


class Forked:
    """A process, started at once.

    Args:
      address: of the process that it is forked from.
      arguments: the module and its command line.
      variables: its environment.
      out: file descriptor of its standard output.
      err: that of its standard error.
      python: what it takes for Python; "" for the real one.
    """

    def __init__(
        self,
        address: str,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        out: int,
        err: int,
        python: str = "",
    ) -> None:
        message = json.dumps([list(arguments), dict(variables), python]).encode()
        assert len(message) <= _MOST_BYTES
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.connect(address)
        socket.send_fds(self._connection, [message], [out, err])
        self.pid = int(self._connection.recv(_MOST_BYTES))

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        try:
            return not select.select([self._connection], [], [], 0)[0]
        except (ValueError, OSError):  # closed, perhaps just now: its code has been read
            return False

    @functools.cached_property
    def code(self) -> int:
        """Its exit code, or minus the number of the signal that ended it; waits for its end."""
        with self._connection:
            return int(self._connection.recv(_MOST_BYTES))


class Forks:
    """The process that others are forked from; call `run` or `start`, leave by `close`."""

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

    def start(
        self,
        arguments: Sequence[str],
        variables: Mapping[str, str],
        out: int,
        err: int,
        fork_children: bool = False,
    ) -> Forked:
        """Starts `python -m` with these arguments; see `Forked` and `run`."""
        python = str(self._python) if fork_children else ""
        return Forked(self._address, arguments, variables, out, err, python)

    def run(self, *arguments: str, fork_children: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs `python -m` with these arguments, module first, to its end.

        Args:
          *arguments: what follows `-m`.
          fork_children: processes that it starts by `python -m` are forked, too.
        """
        variables = os.environ | {"PYTHONPATH": str(ROOT)}
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = self.start(arguments, variables, out.fileno(), err.fileno(), fork_children)
            code = process.code
            for stream in (out, err):
                stream.seek(0)
            return subprocess.CompletedProcess(arguments, code, out.read(), err.read())

    def close(self) -> None:
        self._server.communicate(timeout=60)
        self._folder.cleanup()


@functools.cache
def shared() -> Forks:
    """The one of this process, which is closed with it."""
    forks = Forks()
    atexit.register(forks.close)
    return forks


def _serve(listener: socket.socket) -> None:
    """Answers until standard input is closed."""
    from bignas_tf.exports import saved_model  # noqa: F401
    from bignas_tf.selection import runner  # noqa: F401
    from bignas_tf.training import trainer  # noqa: F401

    signal.signal(signal.SIGCHLD, _reap)
    with selectors.DefaultSelector() as ready:
        for each in (listener, sys.stdin):
            ready.register(each, selectors.EVENT_READ)
        while sys.stdin not in [key.fileobj for key, _ in ready.select()]:
            with listener.accept()[0] as connection:
                if not os.fork():
                    try:
                        listener.close()
                        _answer(connection)
                    finally:
                        os._exit(0)


def _reap(*_: object) -> None:
    """Waits for those that have answered, so that their processor time is counted as this one's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _answer(connection: socket.socket) -> None:
    """Runs the module that is asked for in a process of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, streams, _, _ = socket.recv_fds(connection, _MOST_BYTES, 2)
    child = os.fork()
    if not child:
        try:
            connection.close()
            for number, stream in enumerate([os.open(os.devnull, os.O_RDONLY), *streams]):
                os.dup2(stream, number)
                os.close(stream)
            _run(*json.loads(message))
        finally:
            os._exit(1)  # not even the error could be told, as where memory ran out
    for stream in streams:
        os.close(stream)
    connection.send(str(child).encode())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.send(str(code).encode())


def _run(arguments: list[str], variables: Mapping[str, str], python: str) -> None:
    """Does what `python -m` does, and ends this process."""
    signal.alarm(LIMIT_S)  # a hang ends as a failure
    # A shell lets what it starts in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None  # that of $TMPDIR is remembered from before the fork
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
    atexit._run_exitfuncs()  # of libraries, such as one that removes matplotlib's folder
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
