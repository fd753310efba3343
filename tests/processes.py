"""Tools in processes of their own, which a test stops at lines they print."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType

ROOT = pathlib.Path(__file__).resolve().parents[1]
_LIMIT_S = 900
_MOST_ERRORS = 1 << 20


class Process:
    """One tool, started at once; leaving its `with` block kills it if it still runs.

    Args:
      arguments: the module and its command line.
      hosts: addresses of all workers of a run of several.
      index: of this worker among them; the first is the chief.
    """

    def __init__(self, *arguments: str, hosts: Sequence[str] = (), index: int = 0) -> None:
        task = {"type": "worker", "index": index}
        cluster = {"cluster": {"worker": list(hosts)}, "task": task} if hosts else {}
        self.lines: list[str] = []
        self._stack = contextlib.ExitStack()
        self._errors = os.memfd_create("stderr")
        self._stack.callback(os.close, self._errors)
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT, env=os.environ | {"TF_CONFIG": json.dumps(cluster)}, text=True,
            stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._process = self._stack.enter_context(process)
        # What hangs ends as a failure.
        watchdog = threading.Timer(_LIMIT_S, process.kill)
        watchdog.start()
        self._stack.callback(watchdog.cancel)
        self._stack.callback(process.kill)

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def until(self, start: str) -> None:
        """Waits for a line that starts so."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith(start):
                return
        raise AssertionError(f"ended without a line {start!r}: {self.end()}")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stand_still(self) -> None:
        """Returns when the process is stopped, or has ended."""
        self.send(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def end(self) -> tuple[int, str]:
        """Waits for the end: exit code, and what was written to stderr."""
        assert self._process.stdout is not None
        self.lines += self._process.stdout.read().splitlines()
        code = self._process.wait()
        return code, os.pread(self._errors, _MOST_ERRORS, 0).decode()


def free_hosts(number: int) -> list[str]:
    """Addresses of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [f"localhost:{each.getsockname()[1]}" for each in sockets]
