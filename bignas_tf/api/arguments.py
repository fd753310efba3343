"""Checks of arguments that a tool's flags check for its users; before any work is done."""

from __future__ import annotations

import numbers

from bignas_tf import errors


def check_numbers(**given: tuple[int, int] | tuple[int, int, int]) -> None:
    """Checks whole numbers, each with the least and, if there is one, the most that it may be.

    Raises:
      UsageError: names the argument, its value and what is allowed.
    """
    for name, (value, least, *most) in given.items():
        whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)  # NumPy's, too
        if not whole or value < least or value > max(most, default=value):
            allowed = " to ".join(map(str, (least, *most)))
            raise errors.UsageError(
                f"{name} is {errors.shown(value)}; it takes a whole number from {allowed}"
            )
