"""Tools in their own processes, which a test stops at lines they print.

They are forked from one process that has imported TensorFlow, which takes ten times as long as
all else that starts a tool. It must create no tensor: TensorFlow's threads do not survive a fork.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import multiprocessing.context
import multiprocessing.reduction
import os
import pathlib
import runpy
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
_LIMIT_S = 900
_MOST_ERRORS = 1 << 20


class Process:
    """One tool, started at once; leaving its `with` block kills it if it still runs.

    Args:
      arguments: the module and its command line.
      hosts: addresses of all workers of a run of several.
      index: of this worker among them; the first is the chief.
      environment: variables that the process has beside those of this one.
    """

    def __init__(
        self,
        *arguments: str,
        hosts: Sequence[str] = (),
        index: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        task = {"type": "worker", "index": index}
        cluster = {"cluster": {"worker": list(hosts)}, "task": task} if hosts else {}
        variables = {**os.environ, **(environment or {}), "TF_CONFIG": json.dumps(cluster)}
        self.lines: list[str] = []
        self._stack = contextlib.ExitStack()
        self._errors = os.memfd_create("stderr")
        self._stack.callback(os.close, self._errors)
        reading, writing = os.pipe()
        self._output = self._stack.enter_context(os.fdopen(reading, encoding="utf-8"))
        self._process = _forks().Process(
            target=_run, args=(arguments, variables, _Sent(writing), _Sent(self._errors))
        )
        self._process.start()
        os.close(writing)
        # What hangs ends as a failure.
        watchdog = threading.Timer(_LIMIT_S, self._process.kill)
        watchdog.start()
        self._stack.callback(watchdog.cancel)
        self._stack.callback(self._process.join)
        self._stack.callback(self._process.kill)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def until(self, start: str) -> None:
        """Waits for a line that starts so."""
        for line in self._output:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(start):
                return
        raise AssertionError(f"ended without a line {start!r}: {self.end()}")

    def printed(self, lines: int) -> bool:
        """Waits for this many more lines, and says whether there were so many before the end."""
        came = list(itertools.islice(self._output, lines))
        self.lines += [line.rstrip("\n") for line in came]
        return len(came) == lines

    def send(self, number: signal.Signals) -> None:
        assert self._process.pid is not None
        # The fork server reaps what has ended.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def stand_still(self) -> None:
        """Returns when the process is stopped, or has ended."""
        self.send(signal.SIGSTOP)
        status = pathlib.Path(f"/proc/{self._process.pid}/stat")
        # The state follows the name, which is in brackets.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            while status.read_text().rpartition(")")[2].split()[0] not in "TZ":
                os.sched_yield()

    def end(self) -> tuple[int, str]:
        """Waits for the end: exit code, and what was written to stderr."""
        self.lines += self._output.read().splitlines()
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode, os.pread(self._errors, _MOST_ERRORS, 0).decode()


class _Sent:
    """A file descriptor on its way to another process.

    Args:
      number: of the descriptor in this process.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[object, ...]:
        return _received, (multiprocessing.reduction.DupFd(self.number),)


def _received(descriptor: object) -> int:
    return descriptor.detach()  # type: ignore[attr-defined]


@functools.cache
def _forks() -> multiprocessing.context.ForkServerContext:
    """What starts processes; the one that they are forked from is started by the first."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["bignas_tf.exports.saved_model", "bignas_tf.selection.runner",
         "bignas_tf.training.trainer", __name__]
    )  # fmt: skip
    return context


def _run(arguments: Sequence[str], variables: Mapping[str, str], out: int, err: int) -> None:
    """Does what `python -m` does, in a new process."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None  # that of $TMPDIR is remembered from before the fork
    sys.argv = list(arguments)
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


# Below those that systems give to whoever asks for any; other test processes begin elsewhere.
_PORTS = itertools.count(20_000 + os.getpid() % 1_000 * 10)


def free_hosts(number: int) -> list[str]:
    """Addresses of this machine without a listener; each is given out once."""
    return [f"localhost:{next(filter(_is_free, _PORTS))}" for _ in range(number)]


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        try:
            tried.bind(("localhost", port))
        except OSError:
            return False
    return True
