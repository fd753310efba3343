"""Damaged files for every reader: each is read, or refused in words, and left as it was."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import hypothesis

from bignas_tf import errors
from experiments.abuse_parts.readers import Reader

SLOWEST_S = 20  # for any damaged file of a few kilobytes
LONGEST = 2000  # characters of a message
_WORDS = (errors.UsageError, errors.RunError)


class _TooLong(BaseException):
    """Of no library's concern, so that none catches it."""


@dataclasses.dataclass
class Outcome:
    """What became of the damaged forms of one file.

    Attributes:
      file: that was damaged.
      taken: how many forms were read.
      refused: how many were refused with a message.
      slowest_s: seconds of the slowest.
      failures: what else happened, by its kind; the first form of each is kept.
    """

    file: str
    taken: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    # Not a Counter, of which `asdict` would count the pairs.
    failures: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How many forms there were."""
        return self.taken + self.refused + sum(self.failures.values())

    def to_json(self) -> dict[str, Any]:
        """As a plain value."""
        return {**dataclasses.asdict(self), "cases": self.cases}


def check(
    reader: Reader,
    folder: pathlib.Path,
    cases: int,
    seed: int,
    failed: Callable[[str, bytes], None] = lambda kind, form: None,
) -> Outcome:
    """Gives a reader damaged forms of its file, one after another.

    Args:
      reader: of the file.
      folder: of all valid files, all valid again when this returns.
      cases: how many forms.
      seed: of the forms.
      failed: is told of a form that was neither read nor refused.
    """
    path, outcome = folder / reader.file, Outcome(reader.file)
    valid = path.read_bytes()
    reader.read(folder)  # or nothing that follows means anything

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(reader.damaged(valid))
    def every(form: bytes) -> None:
        path.write_bytes(form)
        began, taken = time.monotonic(), outcome.taken
        problem = _problem(reader, folder, outcome)
        outcome.slowest_s = max(outcome.slowest_s, round(time.monotonic() - began, 2))
        may_write = reader.appends and outcome.taken > taken
        if not problem and not may_write and path.read_bytes() != form:
            problem = "the file was changed"
        if problem:
            failed(problem, form)
            outcome.failures[problem] = outcome.failures.get(problem, 0) + 1

    try:
        every()
    finally:
        path.write_bytes(valid)
    return outcome


def _problem(reader: Reader, folder: pathlib.Path, outcome: Outcome) -> str:
    """What must not happen, in a line; counts what may."""
    try:
        with _limited():
            reader.read(folder)
    except _WORDS as error:
        if len(str(error)) > LONGEST:
            return f"a message of over {LONGEST} characters: {str(error)[:80]}"
        outcome.refused += 1
    except _TooLong:
        return f"not done after {SLOWEST_S} s"
    except BaseException as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {pathlib.Path(at.filename).name}:{at.name}"
    else:
        outcome.taken += 1
    return ""


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(number: int, frame: object) -> NoReturn:
        del number, frame
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SLOWEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def peak_mb() -> float:
    """The most memory that this process has held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
