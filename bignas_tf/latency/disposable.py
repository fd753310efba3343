"""Calls in a process that is replaced from time to time.

TensorFlow never frees a graph once traced (2.20: 10 MB for each child of `bignas_small`, 110 MB of
`bignas_imagenet`), so that hundreds of conversions in one process would fill the memory.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from bignas_tf import errors
from bignas_tf.exports import processes

_CALLS = 25
# Of what a process that aborted has said; what follows one of the two is addresses.
_TAIL_BYTES, _WORDS = 4096, 20
_TRACES = ("*** Check failure stack trace", "Fatal Python error")
_MAIN = 'call what measures in a file, below `if __name__ == "__main__":`'


class Disposable:
    """Calls functions one by one; the process starts with the first call.

    It ends with the `with` block, or with this process, however that ends; what it is doing then
    is not waited for.

    Args:
      calls: after that many the process is replaced, which takes a few seconds.
    """

    def __init__(self, calls: int = _CALLS) -> None:
        self._calls = calls
        self._left = 0
        self._process: SpawnProcess | None = None

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function of a module; arguments and result are pickled.

        Raises:
          OutOfMemoryError: the process was killed, as the system does where memory runs out, or it
            could not have the memory that it asked for.
          MachineError: it could not start, or was ended by SIGTERM or SIGHUP.
          RunError: it died of something else.
          Exception: whatever the function raises.
        """
        began = bool(self._left)
        if not began:
            self._start()
        assert self._process is not None
        left, self._left = self._left - 1, 0  # none, unless it answers
        try:
            self._connection.send((function, arguments))
            if not began:
                began = self._connection.recv()
            raised, value = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise _death(
                function.__name__, self._process.exitcode, began, self._complaints.read()
            ) from None
        except BaseException:  # its answer must not be taken for that to the next call
            self._process.kill()
            raise
        self._left = left
        if raised:
            raise value
        return value

    def __enter__(self) -> Disposable:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process is not None:
            self._process.kill()
        self.close()

    def close(self) -> None:
        """Ends the process, if there is one."""
        if self._process is not None:
            self._connection.close()
            self._process.join()
            self._complaints.close()
            with contextlib.suppress(FileNotFoundError):  # it died before it could
                os.unlink(self._complaints.name)
            self._process = None

    def _start(self) -> None:
        self.close()
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise errors.UsageError(f"a process that this script started imports it again: {_MAIN}")
        try:
            self._spawn()
        except OSError as error:  # of memory, processes or open files there is too little
            raise errors.MachineError(f"no process can be started here: {error}") from error
        self._left = self._calls

    def _spawn(self) -> None:
        # Not forked: TensorFlow's threads do not survive it.
        spawning = multiprocessing.get_context("spawn")
        # That process removes it, so that it goes even if this one is killed.
        self._complaints = tempfile.NamedTemporaryFile(delete=False)  # noqa: SIM115 (`close` does)
        name = self._complaints.name
        try:
            self._connection, theirs = spawning.Pipe()
            process = spawning.Process(target=_serve, args=(theirs, name), daemon=True)
            process.start()
        except OSError:
            self._complaints.close()
            os.unlink(name)
            raise
        self._process = process
        theirs.close()


def _death(name: str, status: int | None, began: bool, complaints: bytes) -> errors.RunError:
    died = f"{name}: its process died with status {status}"
    if status == 1 and not began:  # of an exception before it could answer
        return errors.MachineError(f"{died}; in a script, {_MAIN}")
    if status in processes.ENDED:
        return errors.MachineError(f"{died}: something ended it")
    if status == -signal.SIGKILL:
        return errors.OutOfMemoryError(f"{died}, killed, most likely because memory ran out")
    if status == -signal.SIGABRT:
        said = complaints[-_TAIL_BYTES:].decode(errors="replace")
        kind = errors.OutOfMemoryError if errors.says_no_memory(said) else errors.RunError
        for trace in _TRACES:
            said = said.partition(trace)[0]
        return kind(f"{died}, aborted: {' '.join(said.split()[-_WORDS:])}")
    return errors.RunError(died)


def _serve(connection: Connection, complaints: str) -> None:
    """Answers calls until the other end is closed. The first function imports TensorFlow."""
    os.environ.update(processes.ON_CPU)
    with open(complaints, "wb") as file:
        os.unlink(complaints)
        # Errors are sent; the rest is chatter, four lines a conversion, that no setting stops, and
        # what the process says when it dies.
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process decides what it means
    began = False
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        if not began:
            began = True
            connection.send(began)
        try:
            connection.send((False, function(*arguments)))
        except Exception as error:  # whatever it is, the caller raises it again
            error.add_note(traceback.format_exc())
            connection.send((True, _picklable(error)))


def _picklable(error: Exception) -> Exception:
    """The error; where it cannot be sent, its words."""
    try:
        multiprocessing.reduction.ForkingPickler.dumps(error)
    except Exception:  # of any kind: its own class says how it is pickled
        return RuntimeError(f"{type(error).__name__}: {errors.one_line(error)}")
    return error
