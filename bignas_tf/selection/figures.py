"""Figures of children, costs and accuracies: each is found once, and remembered."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.journal import Record
from bignas_tf.selection.objectives import Measurement, Objective

RANKING, REPORTING = "ranking_top1", "reporting_top1"
# Of what is measured. Multiply-adds, parameters and bytes are whole millionths of their units.
_DECIMALS = 6

Outcome = Measurement | errors.RunError
Scores = Callable[[Sequence[Architecture]], Iterable[tuple[Architecture, Outcome]]]


class Memory(Protocol):
    """Where figures are kept; a `journal.Journal` is one."""

    def get(self, what: str, architecture: Architecture) -> Record | None: ...

    def add(self, record: Record) -> None: ...


class Figures:
    """Finds costs and accuracies of children.

    Args:
      objectives: the costs, by their names.
      scores: by RANKING and REPORTING, what gives accuracies of children, each as it is done,
        or why one failed.
      memory: figures already there are not found again.
      on_found: is told of each figure that was not known, as it is found.
    """

    def __init__(
        self,
        objectives: Mapping[str, Objective],
        scores: Mapping[str, Scores],
        memory: Memory,
        on_found: Callable[[Record], None],
    ) -> None:
        self.objectives = objectives
        self.scores = scores
        self._memory = memory
        self._on_found = on_found

    def cost(self, name: str, architecture: Architecture, retry: bool = False) -> Record:
        """One cost of a child, or why it could not be had.

        Args:
          name: of the objective.
          architecture: the child.
          retry: whether to measure again what has failed before.
        """
        objective = self.objectives[name]
        if objective.counted:
            return _record(name, architecture, objective.measure(architecture))
        known = self._memory.get(name, architecture)
        if known is None or (retry and known.failure):
            known = _record(name, architecture, _outcome(objective, architecture))
            self._keep(known)
        return known

    def known_cost(self, name: str, architecture: Architecture) -> float:
        """One cost of a child that has to have it.

        Raises:
          RunError: it could not be had.
        """
        record = self.cost(name, architecture, retry=True)
        if record.value is None:
            raise errors.RunError(record.failure)
        return record.value

    def costs(self, architecture: Architecture) -> list[Record]:
        """All costs of a child."""
        return [self.cost(name, architecture) for name in self.objectives]

    def accuracies(self, what: str, architectures: Sequence[Architecture]) -> Iterator[Record]:
        """Accuracies of children, known ones first, each as it is done."""
        unknown = []
        for architecture in architectures:
            known = self._memory.get(what, architecture)
            # A child that was selected is tried again.
            if known is None or (what == REPORTING and known.failure):
                unknown.append(architecture)
            else:
                yield known
        for architecture, outcome in self.scores[what](unknown):
            record = _record(what, architecture, outcome)
            self._keep(record)
            yield record

    def reported(self, architectures: Sequence[Architecture]) -> dict[Architecture, float | None]:
        """Accuracies on the reporting split; None where one could not be had."""
        records = self.accuracies(REPORTING, architectures)
        return {record.architecture: record.value for record in records}

    def _keep(self, record: Record) -> None:
        self._memory.add(record)
        self._on_found(record)


def _outcome(objective: Objective, architecture: Architecture) -> Outcome:
    try:
        found = objective.measure(architecture)
    except errors.RunError as error:
        return error
    # Written so that NaN fails; what rounds to nothing is no cost either.
    if not 0 < round(found.value, _DECIMALS) < math.inf:
        return errors.RunError(
            f"{objective.title}: measured {found.value} {objective.unit}, which is no cost"
        )
    return found


def _record(what: str, architecture: Architecture, outcome: Outcome) -> Record:
    if isinstance(outcome, errors.RunError):
        return Record(what, architecture, None, failure=str(outcome))
    value, spread = outcome
    spread = None if spread is None else round(spread, _DECIMALS)
    # Accuracies stay as they are: a third of the images is no whole millionth.
    value = value if what in (RANKING, REPORTING) else round(value, _DECIMALS)
    return Record(what, architecture, value, spread)
