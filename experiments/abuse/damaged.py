"""Damaged files for every reader: each is read or clearly refused, and left as it was."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import hypothesis
from hypothesis.internal.conjecture import providers

from bignas_tf import errors
from experiments.abuse import readers
from experiments.abuse.readers import Reader
from experiments.journal import Journal

SLOWEST_S = 20  # for any damaged file of a few kilobytes
LONGEST = 2000  # characters of a message
# Hypothesis would also draw constants from the modules that happen to be imported, so that a seed
# would give other forms. It has no setting for that.
assert hasattr(providers, "_get_local_constants")
providers._get_local_constants = providers.Constants

_WORDS = (errors.UsageError, errors.RunError)


class _TooLong(BaseException):
    """Not a class of any library, so that none catches it."""


@dataclasses.dataclass
class Outcome:
    """The outcomes of the damaged forms of one file.

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

    def line(self) -> str:
        """For people."""
        return (
            f"{self.file}: {self.cases} forms, {self.taken} read, {self.refused} refused, "
            f"{sum(self.failures.values())} failed, the slowest {self.slowest_s:.1f} s"
        )

    def to_json(self) -> dict[str, Any]:
        """As a plain value."""
        return {**dataclasses.asdict(self), "cases": self.cases}


def check_all(
    chosen: Sequence[Reader],
    model_dir: pathlib.Path,
    cases: int,
    seed: int,
    journal: Journal,
    work_dir: pathlib.Path,
) -> list[dict[str, Any]]:
    """Checks readers, but those whose outcome is in the journal.

    Args:
      chosen: the readers.
      model_dir: of a quickstart's run, which gives the valid files.
      cases: damaged forms of each file.
      seed: of the damage.
      journal: keeps each outcome.
      work_dir: keeps the first form of each failure.

    Returns:
      The outcomes as plain values, each with the memory that this process has held at most.
    """

    def damage(reader: Reader) -> dict[str, Any]:
        outcome = check(reader, folder, cases, seed, _Kept(work_dir, reader.file))
        print(outcome.line(), flush=True)
        return outcome.to_json() | {"peak_mb": round(peak_mb())}

    outcomes = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        readers.copy_run(folder, model_dir)
        readers.make_others(folder)
        for reader in chosen:
            key = {"part": "input", "file": reader.file, "cases": cases, "seed": seed}
            outcomes.append(journal.once(key, damage, reader).result)
    return outcomes


class _Kept:
    """Keeps the first form of each failure of a file, and says where."""

    def __init__(self, folder: pathlib.Path, file: str) -> None:
        self._folder, self._file = folder, file
        self._kinds: dict[str, pathlib.Path] = {}

    def __call__(self, kind: str, form: bytes) -> None:
        if kind in self._kinds:
            return
        name = f"{self._file.replace('/', '_')}.{len(self._kinds)}"
        self._kinds[kind] = path = self._folder / name
        path.write_bytes(form)
        print(f"{self._file}: {kind}: {path}", flush=True)


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
      failed: is called with a form that was neither read nor refused.
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
