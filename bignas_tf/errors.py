"""The two kinds of failure a tool reports without a traceback."""

from __future__ import annotations


class UsageError(ValueError):
    """A mistake in what the user gave; tools exit with code 2.

    The message is one line: what was given, what is allowed, how to fix it.
    """


class RunError(RuntimeError):
    """A run that could not continue (NaN loss, failed verification); tools exit with code 1."""
