"""The arithmetic of growth on figures made up for it, and the spaces that grow."""

from __future__ import annotations

import pytest

from experiments import growth_series
from tools.benchmarks import step


def test_time_against_work_starts_at_1_and_its_steepest_rise_may_lie_anywhere() -> None:
    samples = [[1, 1, 9], [2, 0, 1], [3, 3, 3]]  # medians 1, 1, 3
    series = growth_series.Series("factor", "step", [1, 2, 4], [10, 20, 40], "work", samples)
    assert series.against_work.tolist() == pytest.approx([1, 0.5, 0.75])
    assert series.steepest == pytest.approx(1.5)


def test_each_deeper_space_has_the_blocks_that_name_it() -> None:
    spaces = growth_series._deeper()
    assert list(spaces) == sorted(spaces)
    for blocks, space in spaces.items():
        assert sum(space.biggest().depths) == blocks
    with growth_series._in_spaces(spaces) as grown:
        work = [sum(step.multiply_adds(case)) for case in grown.values()]
    assert work == sorted(work)
