"""Candidates ranked again by the files that ship: the best of each budget are converted first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from bignas_tf import errors, machine
from bignas_tf.accuracy import Accuracy
from bignas_tf.console import Show
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import measuring
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.converted import Converted
from bignas_tf.selection.journal import MemoryJournal, Record


@dataclasses.dataclass(frozen=True)
class Reranking:
    """Which candidates are converted, and to what.

    Attributes:
      form: of the files, such as "int8".
      best: how many of each budget's most accurate candidates.
    """

    form: str
    best: int

    def __str__(self) -> str:
        return f"{self.form}:{self.best}"

    @property
    def figure(self) -> str:
        """What the journal calls accuracies of files that these libraries convert and run."""
        converter, runtime = machine.versions()["tensorflow"], machine.version("ai-edge-litert")
        return f"ranking_{self.form}_by_tensorflow_{converter}_litert_{runtime}_top1"


def parse(text: str) -> Reranking:
    """Reads text such as "int8:8".

    Raises:
      UsageError: it is not of this form.
    """
    form, colon, best = str(text).partition(":")
    if not (form.isidentifier() and colon and best.isdecimal() and len(best) < 10 and int(best)):
        raise errors.UsageError(
            f"rerank is {errors.shown(text)}; it takes a format and how many of each budget's "
            "best candidates are converted to it, as in int8:8"
        )
    return Reranking(form, int(best))


# Converts a child and scores its file on the ranking split; raises `RunError` if it cannot.
Convert = Callable[[Architecture], Converted]


def rerank(
    candidates: Sequence[Candidate],
    budgets: Sequence[Budget],
    reranking: Reranking,
    convert: Convert,
    memory: MemoryJournal,
    show: Show,
) -> list[Candidate]:
    """Converts each budget's best candidates, and scores the files on the ranking split.

    Args:
      candidates: of a search.
      budgets: whose best are wanted.
      reranking: how many, and to what.
      convert: is not called for a child whose figure is known.
      memory: of figures.
      show: takes a line for each child.

    Returns:
      All candidates; those that were converted know the accuracy of their file, or why there is
      none.

    Raises:
      MachineError: what converts did not start, or was ended; nothing is known of the child.
    """
    found: dict[Architecture, Candidate] = {}
    chosen = list(_contenders(candidates, budgets, reranking))
    for number, child in enumerate(chosen, 1):
        record = _recorded(child.architecture, reranking, convert, memory)
        converted = _converted(child, record)
        found[child.architecture] = dataclasses.replace(
            child, converted=converted, unconverted=record.failure
        )
        outcome = f"failed: {record.failure}" if converted is None else str(converted)
        show(f"{reranking.form} {number}/{len(chosen)}: {outcome}")
    return [found.get(each.architecture, each.bare()) for each in candidates]


def _contenders(
    candidates: Sequence[Candidate], budgets: Sequence[Budget], reranking: Reranking
) -> Iterator[Candidate]:
    """The best of each budget, each once."""
    seen = set()
    for budget in budgets:
        for child in candidates_lib.best(candidates, budget, reranking.best):
            if child.architecture not in seen:
                seen.add(child.architecture)
                yield child


def _recorded(
    child: Architecture, reranking: Reranking, convert: Convert, memory: MemoryJournal
) -> Record:
    known = memory.get(reranking.figure, child)
    if known is None:
        try:
            made = convert(child)
            known = Record(reranking.figure, child, made.accuracy.top1, made.lost_error)
        except errors.MachineError:
            raise
        except errors.RunError as error:
            known = measuring.failure(reranking.figure, child, error)
            if isinstance(error, errors.OutOfMemoryError):  # not for ever: a later search tries it
                return known
        memory.add(known)
    return known


def _converted(child: Candidate, record: Record) -> Converted | None:
    assert child.ranking is not None  # `candidates.best` leaves out those that failed
    if record.value is None:
        return None
    accuracy = Accuracy(record.value, child.ranking.images)
    return Converted(accuracy, child.ranking.top1 - record.value, record.spread or 0.0)


def chosen(
    candidates: Sequence[Candidate], budget: Budget, prefer: str, reranking: Reranking
) -> list[Candidate]:
    """The candidate that a budget gets, by the accuracies of files; none if none is known.

    Args:
      candidates: all of them.
      budget: the limits.
      prefer: as for `candidates.chosen`.
      reranking: how many of the best are compared.
    """
    compared = {
        each.architecture: each
        for each in candidates_lib.best(candidates, budget, reranking.best)
        if each.converted is not None
    }
    by_file = [
        dataclasses.replace(each, ranking=each.converted.accuracy)
        for each in compared.values()
        if each.converted is not None
    ]
    best = candidates_lib.chosen(by_file, budget, prefer)
    return [compared[each.architecture] for each in best]
