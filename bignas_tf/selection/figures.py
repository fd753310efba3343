"""Figures of children (costs and accuracies), each found once and remembered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import measuring
from bignas_tf.selection.journal import REPORTING, MemoryJournal, Record
from bignas_tf.selection.objectives import Objective

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
        self._measurers = {
            name: measuring.Measurer(objective, memory.add, on_found)
            for name, objective in objectives.items()
            if not objective.counted
        }

    def cost(self, name: str, architecture: Architecture, retry: bool = False) -> Record:
        """Returns one cost of a child, or the reason why there is none.

        Args:
          name: of the objective.
          architecture: the child.
          retry: whether to measure again what has failed before.

        Raises:
          RunError: nothing can be measured any more; see `measuring.Measurer`.
        """
        objective = self.objectives[name]
        if objective.counted:
            return measuring.cost(name, architecture, objective.measure(architecture))
        measurer = self._measurers[name]
        known = self._memory.get(name, architecture) or measurer.failed(architecture)
        if known is not None and known.value is not None:
            measurer.known(architecture)
        if known is None or (retry and known.failure):
            known = measurer.measure(architecture)
        return known

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
                self._on_found(measuring.failure(what, architecture, outcome))
            elif isinstance(outcome, errors.RunError):
                self._keep(measuring.failure(what, architecture, outcome))
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
