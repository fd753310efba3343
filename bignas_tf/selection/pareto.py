"""The Pareto front of what is cheap and good. Only NumPy."""

from __future__ import annotations

import numpy as np


def front(costs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The points that no other beats: none is both as cheap and as good.

    Args:
      costs: of each point, [n].
      values: how good each is, [n].

    Returns:
      Their places, int64, in ascending cost; of equal points the first counts.
    """
    order = np.lexsort((-values, costs))
    highest = np.maximum.accumulate(values[order])
    return order[np.diff(highest, prepend=-np.inf) > 0]
