"""What a runtime or a converter raises, as the failure of the child or part it was given."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from bignas_tf import errors, full_disk

P = ParamSpec("P")
T = TypeVar("T")


def of_child(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Calls what runs or converts a child, or a part of one; what it raises is its failure.

    A full disk is not: it would fail the next child, too, and is raised as it is.

    Args:
      function: of a runtime or a converter, here or in another process.
      *arguments: for it.
      **named: for it.

    Raises:
      UsageError: as the function raises it.
      OutOfMemoryError: memory ran out, which says little about the child.
      MachineError: the system refused a file or a process, which says nothing about it.
      RunError: any other error.
    """
    try:
        return function(*arguments, **named)
    except (errors.UsageError, errors.RunError):
        raise
    except Exception as error:
        if full_disk.reason(error):
            raise
        reason = f"{type(error).__name__}: {errors.one_line(error)}"
        if isinstance(error, OSError) and not errors.is_out_of_memory(error):
            raise errors.MachineError(reason) from error
        raise errors.failure(error, reason) from error
