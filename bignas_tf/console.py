"""Where lines of progress go: a function takes each one, by default one that prints it at once.

And what such lines have in common: how they warn, and how they tell a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

Show = Callable[[str], None]


def print_line(line: str) -> None:
    """Prints a line at once, also where the output is a pipe or a file."""
    print(line, flush=True)


def silent(line: str) -> None:
    """Discards a line."""


def warn(show: Show, warnings: Iterable[str]) -> None:
    """Shows each warning as one."""
    for each in warnings:
        show(warning(each))


def warning(text: str) -> str:
    """The line that warns of something."""
    return f"warning: {text}"


def duration(seconds: float) -> str:
    """Such as "12 s", "4.5 min", "3 h 05 min" or "24 days 3 h"."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{seconds / 60:.1f} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} days {hours % 24} h"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row of a table, with the columns one below another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def or_silent(show: Show | None) -> Show:
    """Returns `show`, or a function that discards lines if it is None."""
    return silent if show is None else show
