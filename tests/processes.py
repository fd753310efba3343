"""Tools in their own processes, which a test stops at lines they print."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pathlib
import signal
import socket
import threading
from collections.abc import Mapping, Sequence

from tests import forks

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
        self._process = forks.shared().start(arguments, variables, writing, self._errors)
        os.close(writing)
        # What hangs ends as a failure, also if it stands still.
        watchdog = threading.Timer(forks.LIMIT_S, self.send, [signal.SIGKILL])
        watchdog.start()
        self._stack.callback(watchdog.cancel)
        self._stack.callback(lambda: self._process.code)
        self._stack.callback(self.send, signal.SIGKILL)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    @property
    def running(self) -> bool:
        return self._process.running

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
        """Sends a signal, unless the process has ended."""
        # It may end between the question and the signal.
        with contextlib.suppress(ProcessLookupError):
            if self.running:
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
        return self._process.code, os.pread(self._errors, _MOST_ERRORS, 0).decode()


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
