"""Measures a cost of one child after the other, and notices when that can no longer be done."""

from __future__ import annotations

import math
from collections.abc import Callable

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.journal import Record
from bignas_tf.selection.objectives import Measurement, Objective

# Digits of measured costs; counted ones are whole millionths of their units.
_DECIMALS = 6
_MOST_FAILED = 10  # children in a row, before it is asked whether anything can be measured


class Measurer:
    """Finds costs that are measured, or why a child has none.

    A device that is gone fails for every child, and so many failures in a row may be its own. They
    are kept only once a child has been measured after them, and belong to this search until then.

    Args:
      objective: what is measured.
      keep: takes what later searches need not find again.
      on_found: takes each record as it is found.
    """

    def __init__(
        self,
        objective: Objective,
        keep: Callable[[Record], None],
        on_found: Callable[[Record], None],
    ) -> None:
        self._objective = objective
        self._keep = keep
        self._on_found = on_found
        self._measured: Architecture | None = None  # the latest child that is known to have a cost
        self._failed: dict[Architecture, Record] = {}  # since then
        # Children that memory did not hold: this search measures them once, another tries again.
        self._unheld: dict[Architecture, Record] = {}

    def known(self, architecture: Architecture) -> None:
        """Tells of a child whose cost an earlier search has found."""
        self._measured = self._measured or architecture

    def failed(self, architecture: Architecture) -> Record | None:
        """Why a child could not be measured in this search, if that is not kept."""
        return self._unheld.get(architecture) or self._failed.get(architecture)

    def measure(self, architecture: Architecture) -> Record:
        """A child's cost, or the reason why there is none.

        Raises:
          MachineError: what measures did not start, or was ended; nothing is known of the child.
          RunError: many children in a row had none, and one that has been measured has none now.
        """
        self._failed.pop(architecture, None)
        try:
            found = _measured(self._objective, architecture)
        except errors.OutOfMemoryError as error:
            found = failure(self._objective.name, architecture, error)
            self._unheld[architecture] = found
        else:
            if found.failure is None:
                self._believe()
                self._keep(found)
                self._measured = architecture
            else:
                self._failed[architecture] = found
        self._on_found(found)
        if len(self._failed) >= _MOST_FAILED:
            self._ask_again(str(found.failure))
        return found

    def _believe(self) -> None:
        """Keeps the failures so far: something could be measured after them."""
        for record in self._failed.values():
            self._keep(record)
        self._failed.clear()

    def _ask_again(self, failed: str) -> None:
        """Measures a child again that has had a cost.

        Raises:
          RunError: it has none now, or there is none.
        """
        also = "none has been before"
        if self._measured is not None:
            try:
                works = _measured(self._objective, self._measured).failure is None
            except errors.OutOfMemoryError:
                return  # which does not tell: the next failure asks again
            if works:
                self._believe()
                return
            also = "one that could be measured before cannot be now"
        raise errors.RunError(
            f"{self._objective.title}: {len(self._failed)} children in a row could not be "
            f"measured, and {also}; the last failed with: {failed}. Once that is mended, the same "
            "search continues, and measures these children anew"
        )


def _measured(objective: Objective, architecture: Architecture) -> Record:
    try:
        measured = objective.measure(architecture)
    except (errors.OutOfMemoryError, errors.MachineError):
        raise
    except errors.RunError as error:
        return failure(objective.name, architecture, error)
    # Written so that NaN fails; a cost that rounds to 0 is refused, too.
    if not 0 < round(measured.value, _DECIMALS) < math.inf:
        problem = (
            f"{objective.title}: measured {measured.value} {objective.unit}, which is not a cost"
        )
        return failure(objective.name, architecture, errors.RunError(problem))
    return cost(objective.name, architecture, measured)


def cost(name: str, architecture: Architecture, measured: Measurement) -> Record:
    """The record of a cost, rounded as all are."""
    spread = None if measured.spread is None else round(measured.spread, _DECIMALS)
    return Record(name, architecture, round(measured.value, _DECIMALS), spread)


def failure(what: str, architecture: Architecture, error: errors.RunError) -> Record:
    """The record of a figure that could not be found."""
    return Record(what, architecture, None, failure=said(error))


def said(error: errors.RunError) -> str:
    """What an error says, as files take it: the name of a file in it may be no text."""
    return str(error).encode(errors="replace").decode()
