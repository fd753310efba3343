"""Checks of arguments that a tool's flags check for its users; before any work is done."""

from __future__ import annotations

import numbers

from bignas_tf import errors


def check_numbers(**given: tuple[int, int]) -> None:
    """Checks whole numbers, each with the least that it may be.

    Raises:
      UsageError: names the argument, its value and what is allowed.
    """
    for name, (value, least) in given.items():
        if not isinstance(value, numbers.Integral) or value < least:
            raise errors.UsageError(f"{name} is {value}; it takes a whole number from {least}")
