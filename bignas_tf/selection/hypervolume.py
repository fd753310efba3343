"""How much of accuracy against cost the found children dominate: one number for a whole front."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from bignas_tf.selection import pareto
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate

Point = tuple[float, float]  # cost, accuracy
_DECIMALS = 9  # logarithms of different machines differ behind them


def hypervolume(points: Iterable[Point], reference: Point) -> float:
    """The area that points dominate: accuracy above the reference's, against log2 of the cost.

    Args:
      points: cost and accuracy of each child; those no better than the reference in both count
        for nothing.
      reference: the highest cost and the lowest accuracy.

    Returns:
      Accuracy times doublings of the cost. A child that is more accurate by 0.01 over a range of
      costs in which the highest is four times the lowest adds 0.02.
    """
    highest_cost, accuracy = reference
    area = 0.0
    for cost, reached in sorted(points):
        if 0 < cost < highest_cost and reached > accuracy:
            area += (reached - accuracy) * (math.log2(highest_cost) - math.log2(cost))
            accuracy = reached
    return area


def gains(points: np.ndarray, front: Iterable[Point], highest_cost: float) -> np.ndarray:
    """What each of many points alone would add to the hypervolume of others.

    Args:
      points: cost and accuracy of each, float64 [n, 2].
      front: cost and accuracy of the others; some may be beaten.
      highest_cost: of the reference, whose accuracy is 0.

    Returns:
      float64 [n]; 0 for those that are beaten or too dear.
    """
    counted = [point for point in front if point[0] < highest_cost and point[1] > 0]
    costs, reached = np.array([(0.0, 0.0), *counted]).T
    steps = pareto.front(costs, reached)
    starts, heights = costs[steps], reached[steps]
    ends = np.append(starts[1:], highest_cost)
    begins = np.clip(points[:, :1], starts, ends)  # where a point is inside each step
    return (np.maximum(points[:, 1:] - heights, 0.0) * np.log2(ends / begins)).sum(1)


def highest_costs(budgets: Iterable[Budget]) -> dict[str, float]:
    """The highest limit on each objective that budgets limit."""
    limits = sorted(itertools.chain.from_iterable(each.limits.items() for each in budgets))
    return dict(limits)


def by_evaluation(
    candidates: Sequence[Candidate], objective: str, highest_cost: float
) -> list[float]:
    """The hypervolume after each evaluation of a search.

    The reference is the same for every strategy: an accuracy of 0, at the highest cost.

    Args:
      candidates: in the order in which the search tried them.
      objective: the name of the cost.
      highest_cost: of the reference.
    """
    front: list[Point] = []
    area, areas = 0.0, []
    for each in candidates:
        if each.ranking is not None:
            cost, top1 = each.costs[objective], each.ranking.top1
            if not any(other <= cost and reached >= top1 for other, reached in front):
                front.append((cost, top1))
                area = round(hypervolume(front, (highest_cost, 0.0)), _DECIMALS)
        areas.append(area)
    return areas
