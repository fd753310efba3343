"""A space of 80 children with an accuracy whose best are known by trying them all."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space import cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import strategies
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.figures import Figures, Scored, Scorer
from bignas_tf.selection.journal import RANKING, REPORTING, MemoryJournal, Record
from bignas_tf.selection.objectives import Measurement, Objective
from bignas_tf.selection.pool import Pool
from tests.search_space import spaces

SPACE = spaces.countable()
IMAGES = 1000  # of either split


@functools.cache
def macs(architecture: Architecture) -> int:
    return cost.count(SPACE, architecture, 10, 1).macs


def accuracy(architecture: Architecture) -> float:
    """Bigger is better, but kernels of 3 in all layers and a narrow head better still."""
    kernels = [kernel for stage in architecture.kernels for kernel in stage]
    bonus = 0.1 * (set(kernels) == {3}) + 0.05 * (architecture.head_width == 8)
    return macs(architecture) / 1e6 + bonus


def milliseconds(architecture: Architecture) -> float:
    """A time that falls with the kernels, so that it goes its own way."""
    return macs(architecture) / 1e5 - sum(map(sum, architecture.kernels)) / 100


@functools.cache
def everything() -> tuple[Architecture, ...]:
    codes = itertools.product(*SPACE.genes)
    return tuple(dict.fromkeys(SPACE.decode(code) for code in codes))


def budgets() -> list[Budget]:
    """The cheapest child, a tenth, a half and nine tenths of the way, and the dearest."""
    ascending = sorted(map(macs, everything()))
    parts = (0.0, 0.1, 0.5, 0.9, 1.0)
    return [Budget({"mflops": ascending[round(p * (len(ascending) - 1))] / 1e6}) for p in parts]


def settings(**changes: object) -> SelectionConfig:
    """Enough rounds to find the best."""
    values = {
        "resolutions": (8, 10),
        "depth_multipliers": (0.0, 1.0),
        "width_multipliers": (0.0, 1.0),
        "rounds": 12,
        "mutants": 8,
        "mutation_rate": 0.3,
    }
    return SelectionConfig(**values | changes)  # type: ignore[arg-type]


class Memory(MemoryJournal):
    """Is given each figure once, and says of which children it has one."""

    def add(self, record: Record) -> None:
        assert self.get(record.what, record.architecture) is None
        super().add(record)

    def of(self, what: str) -> list[Architecture]:
        return [architecture for each, architecture in self._records if each == what]


class Silent:
    """Watches a search without a word."""

    def __init__(self) -> None:
        self.total = 0
        self.finishes: list[Candidate] = []
        self.notes: list[str] = []

    def planned(self, evaluations: int) -> None:
        self.total = evaluations

    def finished(self, candidate: Candidate, pool: Pool) -> None:
        self.finishes.append(candidate)

    def noted(self, line: str) -> None:
        self.notes.append(line)


def objectives(
    measure: Callable[[Architecture], float] = milliseconds,
) -> dict[str, Objective]:
    """Multiply-adds, counted, and a time that counts as measured."""
    return {
        "mflops": Objective("mflops", "multiply-adds", "M", lambda a: Measurement(macs(a) / 1e6)),
        "ms": Objective("ms", "time", "ms", lambda a: Measurement(measure(a), 0.5), counted=False),
    }


def figures(
    memory: MemoryJournal,
    score: Callable[[Architecture], float] = accuracy,
    measure: Callable[[Architecture], float] = milliseconds,
) -> Figures:
    """Figures by the functions above; `RunError` from `score` or `measure` is a failure."""

    def scores(architectures: Sequence[Architecture]) -> Iterator[Scored]:
        for architecture in architectures:
            try:
                yield architecture, Accuracy(score(architecture), IMAGES)
            except errors.RunError as error:
                yield architecture, error

    by_split = dict.fromkeys((RANKING, REPORTING), Scorer(IMAGES, scores))
    return Figures(objectives(measure), by_split, memory, lambda record: None)


def search(
    name: str,
    within: list[Budget] | None = None,
    memory: MemoryJournal | None = None,
    watcher: Silent | None = None,
    score: Callable[[Architecture], float] = accuracy,
    measure: Callable[[Architecture], float] = milliseconds,
    **changes: object,
) -> list[Candidate]:
    """Candidates of a whole search, by default within all budgets and on this accuracy."""
    if name != "coarse_to_fine":
        changes = {"evaluations": 70, "population": 10} | changes
    given = settings(strategy=name, **changes)
    found = figures(memory or Memory(), score, measure)
    pool = Pool(
        SPACE,
        budgets() if within is None else within,
        found,
        watcher or Silent(),
        given.evaluations,
    )
    strategies.named(given)(pool, given)
    pool.end()
    return pool.candidates
