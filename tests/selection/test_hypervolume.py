"""Hypervolumes on points whose areas are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf.selection import hypervolume
from bignas_tf.selection.budgets import Budget
from tests.selection import made_up_searches


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([], 0.0),
        ([(1.0, 0.5)], 0.2),  # 0.1 above the reference over two doublings, from 1 to 4
        # The second is 0.1 above the first over the one doubling from 2 to 4.
        ([(2.0, 0.6), (1.0, 0.5)], 0.3),
        ([(2.0, 0.6), (1.0, 0.5), (3.0, 0.55)], 0.3),  # the third is beaten
        ([(1.0, 0.5), (8.0, 0.9), (1.0, 0.3)], 0.2),  # too dear, and below the reference
    ],
)
def test_hypervolume(points: list[tuple[float, float]], area: float) -> None:
    assert hypervolume.hypervolume(points, (4.0, 0.4)) == pytest.approx(area)


def test_a_gain_is_what_a_point_adds_to_the_hypervolume() -> None:
    rng = np.random.default_rng(0)
    points, front = (np.column_stack([rng.uniform(1, 10, n), rng.random(n)]) for n in (50, 6))
    pairs = list(map(tuple, front))
    before = hypervolume.hypervolume(pairs, (8.0, 0.0))
    added = [hypervolume.hypervolume([*pairs, tuple(p)], (8.0, 0.0)) - before for p in points]
    assert 0 < np.count_nonzero(added) < 50
    np.testing.assert_allclose(hypervolume.gains(points, pairs, 8.0), added, atol=1e-12)
    alone = hypervolume.gains(points, [], 8.0)
    np.testing.assert_allclose(
        alone, [hypervolume.hypervolume([tuple(p)], (8.0, 0.0)) for p in points]
    )


def test_the_curve_of_a_search_ends_at_the_hypervolume_of_its_front() -> None:
    result = made_up_searches.result(40)
    scored = [each for each in result.candidates if each.ranking]
    assert len(scored) < len(result.candidates)  # some failed
    assert hypervolume.highest_costs(result.budgets) == {"mflops": 0.1, "params_m": 0.005}
    for name, highest in (("mflops", 0.1), ("params_m", 0.005)):
        curve = result.hypervolumes()[name]
        assert len(curve) == len(result.candidates)
        assert curve == sorted(curve)
        points = [(each.costs[name], each.ranking.top1) for each in scored]
        assert curve[-1] == pytest.approx(hypervolume.hypervolume(points, (highest, 0.0)))


def test_the_reference_does_not_depend_on_what_was_found() -> None:
    result = made_up_searches.result(10)
    fewer = dataclasses.replace(result, candidates=result.candidates[:6])
    assert fewer.hypervolumes()["mflops"] == result.hypervolumes()["mflops"][:6]
    several = [Budget({"mflops": 4.0}), Budget({"mflops": 2.0, "params_m": 1.0})]
    assert hypervolume.highest_costs(several) == {"mflops": 4.0, "params_m": 1.0}
