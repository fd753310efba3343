"""Samples at equal distances, for lists that may be sorted."""

from __future__ import annotations


def evenly(length: int, most: int) -> list[int]:
    """At most so many positions in a list of that length, from all of it."""
    count = min(length, most)
    return [number * length // count for number in range(count)]
