"""Python in its own process: what crashes there ends that process, not this one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import IO

from bignas_tf import errors

_TIMEOUT_S = 600
# A GPU or the chips of a TPU, if there are any, belong to the process that starts others.
ON_CPU = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "",
    "TPU_LOAD_LIBRARY": "0",
}
_ENVIRONMENT = {**ON_CPU, "TF_CPP_MIN_LOG_LEVEL": "3"}
DONE = "done\n"
ENDED = (-signal.SIGTERM, -signal.SIGHUP)  # as a whole group of processes may be
_ENDED = (*ENDED, -signal.SIGKILL)  # by the system, too, where memory runs out


def run(arguments: Sequence[str]) -> None:
    """Runs Python with these arguments, a file's path or '-m' and a module first.

    Raises:
      RunError: it failed; the message is the last line that it wrote.
    """
    with conversation(arguments) as process:
        process.finish()


@contextlib.contextmanager
def conversation(arguments: Sequence[str]) -> Iterator[Conversation]:
    """Starts Python with these arguments; it works beside this process, and ends with the context.

    See `run` for the arguments.
    """
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            # -P: neither this folder nor that of the file is a place to import from.
            [sys.executable, "-P", *arguments],
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            errors="replace",
            start_new_session=True,  # so that its own children end with it
        )
        try:
            yield Conversation(process, complaints)
        finally:
            _end(process)
            process.communicate()


def _end(process: subprocess.Popen[str]) -> None:
    """Kills it and what it has started, unless its end has been seen."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class Conversation:
    """A process that takes lines, and answers each with `DONE`.

    Args:
      process: whose streams are pipes of text.
      complaints: the file that its errors go to.
    """

    def __init__(self, process: subprocess.Popen[str], complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints

    def ask(self, line: str) -> None:
        """Sends a line, and waits until it has been dealt with.

        Raises:
          RunError: the process ended instead; the message is the last line that it wrote.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._limited():
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
            if DONE not in iter(self._process.stdout.readline, ""):
                self._process.wait()
                raise self._failure()

    def finish(self) -> None:
        """Waits until the process has ended by itself.

        Raises:
          RunError: it failed; the message is the last line that it wrote.
        """
        with self._limited():
            self._process.communicate()
        if self._process.returncode:
            raise self._failure()

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Ends the process, and so what waits for it, after `_TIMEOUT_S`."""
        late = threading.Event()

        def end() -> None:
            late.set()
            _end(self._process)

        timer = threading.Timer(_TIMEOUT_S, end)
        timer.start()
        try:
            yield
        except errors.RunError:
            if not late.is_set():
                raise
        finally:
            timer.cancel()
        if late.is_set():
            raise errors.RunError(f"it took over {_TIMEOUT_S} s")

    def _failure(self) -> errors.RunError:
        status = self._process.returncode
        if status in _ENDED:
            return errors.MachineError(f"its process was ended (status {status}); try again")
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return errors.RunError((lines or [f"exit status {status}"])[-1].removeprefix("error: "))
