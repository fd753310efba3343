"""A search by several processes, of which only the chief measures and writes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from bignas_tf import errors, workers
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.journal import Journal, MemoryJournal
from bignas_tf.selection.objectives import Measurement, Objective


@contextlib.contextmanager
def journal(
    strategy: tf.distribute.Strategy, path: str, origin: dict[str, Any]
) -> Iterator[MemoryJournal]:
    """Opens the journal; workers but the chief get a copy of it in memory.

    Raises:
      UsageError: see `Journal`; raised on every worker.
    """
    from_chief = workers.sharing(strategy)
    with workers.held_by_chief(strategy, lambda: Journal(path, origin)) as opened:
        lines = from_chief("\n".join(opened.lines()) if opened else "")
        yield opened or MemoryJournal(lines.splitlines())


# A user's own are the kind that they are derived from.
_KINDS = {
    each.__name__: each for each in (errors.OutOfMemoryError, errors.MachineError, errors.RunError)
}


def objective(strategy: tf.distribute.Strategy, own: Objective) -> Objective:
    """The same objective, measured by the chief for all workers; they call it together."""
    if own.counted or not workers.many(strategy):
        return own
    from_chief, chief = workers.sharing(strategy), workers.is_chief(strategy)

    def measure(architecture: Architecture) -> Measurement:
        return _outcome(from_chief(_attempt(own.measure, architecture) if chief else ""))

    return dataclasses.replace(own, measure=measure)


def _attempt(measure: Callable[[Architecture], Measurement], architecture: Architecture) -> str:
    try:
        return json.dumps(measure(architecture)._asdict())
    except errors.RunError as error:
        kind = next(name for name, each in _KINDS.items() if isinstance(error, each))
        return json.dumps({"failure": str(error), "kind": kind})


def _outcome(attempt: str) -> Measurement:
    """What `_attempt` has written; a failure is raised in every process alike."""
    found = json.loads(attempt)
    if "failure" in found:
        raise _KINDS[found["kind"]](found["failure"])
    return Measurement(**found)
