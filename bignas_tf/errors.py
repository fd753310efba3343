"""The two kinds of failure a tool reports without a traceback."""

from __future__ import annotations


class UsageError(ValueError):
    """A mistake in what the user gave; tools exit with code 2.

    The message is one line: what was given, what is allowed, how to fix it.
    """


class RunError(RuntimeError):
    """A run that could not continue (NaN loss, failed verification); tools exit with code 1."""


class OutOfMemoryError(RunError):
    """A run for which this machine had too little memory; another time, or elsewhere, it may do."""


def one_line(error: BaseException | str, most: int = 300) -> str:
    """An error of another library in one line, as our messages quote it.

    Args:
      error: the exception, or its text.
      most: characters; a longer text ends in " ...".

    Returns:
      The text with its line breaks as spaces; the name of the exception's type if it has none.
    """
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= most else f"{line[: most - 4]} ..."
