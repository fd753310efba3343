"""Samples come from the whole of a list."""

from __future__ import annotations

import itertools

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import spacing


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 199, 200, 299, 12_345])
def test_samples_are_different_and_as_far_apart_as_can_be(length: int) -> None:
    chosen = spacing.evenly(length, 100)
    assert len(chosen) == min(length, 100)
    bounds = [-1, *chosen, length]
    gaps = {after - before for before, after in itertools.pairwise(bounds)}
    assert min(gaps) >= 1
    assert max(gaps) <= -(-length // 100) + 1
