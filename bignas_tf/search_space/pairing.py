"""Which training resolutions the random children of a step are paired with (Appendix B)."""

from __future__ import annotations


def paired(
    resolutions: tuple[int, ...], number: int, smallest: bool, biggest: bool
) -> tuple[int, ...]:
    """The input sides that random children take in turn, ascending.

    The extremes keep their own: the smallest child the lowest, the biggest the highest. Random
    children get those between, or some of them, evenly spread, where there are more resolutions
    than children. An extreme that is not trained leaves its resolution to them, and where two
    extremes leave nothing they share all.

    Args:
      resolutions: the training resolutions, ascending.
      number: random children of a step.
      smallest: whether the smallest child is trained.
      biggest: whether the biggest child is trained.
    """
    free = resolutions[int(smallest) : len(resolutions) - int(biggest)] or resolutions
    if number >= len(free):
        return free
    return tuple(free[(2 * index + 1) * len(free) // (2 * number)] for index in range(number))
