"""Figures of children (costs and accuracies), each found once and remembered."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.journal import REPORTING, MemoryJournal, Record
from bignas_tf.selection.objectives import Measurement, Objective

# Digits of measured costs; counted ones are whole millionths of their units.
_DECIMALS = 6

Scored = tuple[Architecture, Accuracy | errors.RunError]


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Finds accuracies on a split.

    Attributes:
      images: of the split.
      score: gives children with their accuracies, each as it is done, or why one failed.
    """

    images: int
    score: Callable[[Sequence[Architecture]], Iterable[Scored]]


class Figures:
    """Finds costs and accuracies of children.

    Args:
      objectives: the costs, by their names.
      scorers: of the splits, by RANKING and REPORTING.
      memory: figures already there are not found again.
      on_found: is called with each figure that was not known, as it is found.
    """

    def __init__(
        self,
        objectives: Mapping[str, Objective],
        scorers: Mapping[str, Scorer],
        memory: MemoryJournal,
        on_found: Callable[[Record], None],
    ) -> None:
        self.objectives = objectives
        self.scorers = scorers
        self._memory = memory
        self._on_found = on_found
        # Children that memory did not hold: this search measures them once, another tries again.
        self._unheld: dict[tuple[str, Architecture], Record] = {}

    def cost(self, name: str, architecture: Architecture, retry: bool = False) -> Record:
        """Returns one cost of a child, or the reason why there is none.

        A lack of memory is remembered by this search alone; a later one measures again.

        Args:
          name: of the objective.
          architecture: the child.
          retry: whether to measure again what has failed before.
        """
        objective = self.objectives[name]
        if objective.counted:
            return _cost(name, architecture, objective.measure(architecture))
        known = self._memory.get(name, architecture) or self._unheld.get((name, architecture))
        if known is None or (retry and known.failure):
            known = self._measure(objective, architecture)
        return known

    def _measure(self, objective: Objective, architecture: Architecture) -> Record:
        try:
            found = _measured(objective, architecture)
        except errors.OutOfMemoryError as error:
            found = _failure(objective.name, architecture, error)
            self._unheld[objective.name, architecture] = found
            self._on_found(found)
        else:
            self._keep(found)
        return found

    def known_cost(self, name: str, architecture: Architecture) -> float:
        """Returns one cost of a child, which must be known.

        Raises:
          RunError: it cannot be measured.
        """
        record = self.cost(name, architecture, retry=True)
        if record.value is None:
            raise errors.RunError(record.failure)
        return record.value

    def costs(self, architecture: Architecture) -> list[Record]:
        """All costs of a child."""
        return [self.cost(name, architecture) for name in self.objectives]

    def accuracies(self, what: str, architectures: Sequence[Architecture]) -> Iterator[Scored]:
        """Yields accuracies of children or their failures, known ones first, then as they finish.

        A child for which memory ran out is not remembered, and one that was selected is worth
        another attempt: a later search tries both again.

        Args:
          what: RANKING or REPORTING.
          architectures: the children.
        """
        scorer, unknown = self.scorers[what], []
        for architecture in architectures:
            known = self._memory.get(what, architecture)
            if known is None or (known.failure and what == REPORTING):
                unknown.append(architecture)
            elif known.value is None:
                yield architecture, errors.RunError(known.failure)
            else:
                yield architecture, Accuracy(known.value, scorer.images)
        for architecture, outcome in scorer.score(unknown):
            if isinstance(outcome, errors.OutOfMemoryError):
                self._on_found(_failure(what, architecture, outcome))
            elif isinstance(outcome, errors.RunError):
                self._keep(_failure(what, architecture, outcome))
            else:
                self._keep(Record(what, architecture, outcome.top1))
            yield architecture, outcome

    def reported(
        self, architectures: Sequence[Architecture]
    ) -> dict[Architecture, Accuracy | None]:
        """Accuracies on the reporting split; None for children that failed."""
        return {
            child: outcome if isinstance(outcome, Accuracy) else None
            for child, outcome in self.accuracies(REPORTING, architectures)
        }

    def _keep(self, record: Record) -> None:
        self._memory.add(record)
        self._on_found(record)


def _measured(objective: Objective, architecture: Architecture) -> Record:
    try:
        measured = objective.measure(architecture)
    except errors.OutOfMemoryError:
        raise
    except errors.RunError as error:
        return _failure(objective.name, architecture, error)
    # Written so that NaN fails; a cost that rounds to 0 is refused, too.
    if not 0 < round(measured.value, _DECIMALS) < math.inf:
        problem = (
            f"{objective.title}: measured {measured.value} {objective.unit}, which is not a cost"
        )
        return _failure(objective.name, architecture, errors.RunError(problem))
    return _cost(objective.name, architecture, measured)


def _cost(name: str, architecture: Architecture, measured: Measurement) -> Record:
    spread = None if measured.spread is None else round(measured.spread, _DECIMALS)
    return Record(name, architecture, round(measured.value, _DECIMALS), spread)


def _failure(what: str, architecture: Architecture, error: errors.RunError) -> Record:
    return Record(what, architecture, None, failure=str(error))
