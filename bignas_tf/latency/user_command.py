"""How long a user's own command says that a child takes. Needs no TensorFlow."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

from bignas_tf import errors

_LIMIT_S = 600.0
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOST_READ = 65536  # bytes; nobody knows how much a command writes
_MOST_PRINTED = 400  # characters of a command's output that an error repeats
# Shells, whose input ends with the process that holds it, even by a kill. A signal at the death of
# a parent (prctl) would miss what the command has started. One waits until the other knows it.
_START = 'read watched && exec "$@" < /dev/null'
_WATCH = 'read group && { read ended || kill -s KILL -- "-$group"; }'


def milliseconds(words: Sequence[str], folder: str, limit_s: float = _LIMIT_S) -> float:
    """Runs a user's command on a folder; the last line that it prints is its milliseconds.

    Args:
      words: of the command; the folder becomes its last argument.
      folder: as `children.write` leaves it.
      limit_s: seconds after which the command, and what it started, is ended.

    Raises:
      RunError: it cannot be started, fails, takes too long, or prints no positive number.
    """
    shown = f"{shlex.join(words)} FOLDER"  # whose name is another each time
    # Files, not pipes: what the command leaves running, such as a device's server, may hold these.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as complaints:
        problem = _run([*words, folder], limit_s, output, complaints)
        printed, said = map(_content, (output, complaints))
    if problem:
        raise errors.RunError(f"{shown}: {problem}; {_printed(printed + said)}")
    return _last_line(shown, printed, said)


def _run(command: Sequence[str], limit_s: float, output: IO[bytes], complaints: IO[bytes]) -> str:
    """Runs a command; returns why it has no result, "" if it may have one."""
    process = subprocess.Popen(
        ["sh", "-c", _START, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=complaints,
        start_new_session=True,
    )
    try:
        with process, _watched(process.pid), _ended(process):
            process.communicate(b"watched\n", timeout=limit_s)
    except subprocess.TimeoutExpired:
        return f"took over {limit_s:g} s"
    return f"exit status {process.returncode}" if process.returncode else ""


def _content(file: IO[bytes]) -> str:
    """The end of what a command has written, in lines as a terminal shows them."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _MOST_READ))
    return file.read().decode("utf-8", "replace").replace("\r", "\n")


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends a process and all that it started, if an exception passes."""
    try:
        yield
    except BaseException:
        # It has its own session, so that its process group holds just what it started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise


@contextlib.contextmanager
def _watched(group: int) -> Iterator[None]:
    """Has a process group ended if this process is killed inside."""
    # In a session of its own: whoever kills the group of this process leaves the watcher alive.
    with subprocess.Popen(
        ["sh", "-c", _WATCH],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as watcher:
        assert watcher.stdin is not None
        watcher.stdin.write(b"%d\n" % group)
        try:
            yield
        finally:
            with contextlib.suppress(BrokenPipeError):  # somebody else has ended the watcher
                watcher.stdin.write(b"ended\n")


def _last_line(shown: str, output: str, complaints: str) -> float:
    lines = output.split("\n")
    text = next((line.strip() for line in reversed(lines) if line.strip()), "")
    # Python's own numbers may have underscores and digits of other scripts.
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    # Written so that NaN fails.
    if not 0 < value < math.inf:
        raise errors.RunError(
            f"{shown}: its last line must be milliseconds, a number above 0; "
            f"{_printed(output + complaints)}"
        )
    return value


def _printed(text: str) -> str:
    """The end of what a command printed, in one line."""
    line = " ".join(text.split())
    return f"it printed {line[-_MOST_PRINTED:]!r}" if line else "it printed nothing"
