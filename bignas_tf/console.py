"""Where lines of progress go: a function takes each one, by default one that prints it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Show = Callable[[str], None]


def print_line(line: str) -> None:
    """Prints a line at once, also where the output is a pipe or a file."""
    print(line, flush=True)


def silent(line: str) -> None:
    """Discards a line."""


def warn(show: Show, warnings: Iterable[str]) -> None:
    """Shows each warning as one."""
    for warning in warnings:
        show(f"warning: {warning}")


def or_silent(show: Show | None) -> Show:
    """Returns `show`, or a function that discards lines if it is None."""
    return silent if show is None else show
