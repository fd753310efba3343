"""Spaces whose supernets have the same weights are told from those whose supernets do not."""

from __future__ import annotations

import dataclasses

import pytest

from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import blocks
from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.space import SearchSpace
from tests.search_space import spaces


def _space(skips: str, widths: tuple[int, ...]) -> SearchSpace:
    stage = Stage(widths, depths=(1, 2), kernels=(3,), expands=(2,), stride=2)
    tiny = spaces.tiny()
    return dataclasses.replace(
        tiny, stages=(stage,), style=dataclasses.replace(tiny.style, skips=skips)
    )


@pytest.mark.parametrize(
    ("skips", "alike"), [("projected", True), ("equal", True), ("matched", False)]
)
def test_a_stage_of_one_width_grows_where_several_need_no_other_weights(
    skips: str, alike: bool
) -> None:
    one, several = _space(skips, (12,)), _space(skips, (8, 12))
    shapes = [[weight.shape for weight in Supernet(space, 10).weights] for space in (one, several)]
    assert (shapes[0] == shapes[1]) == alike
    assert (blocks.differences(one, several) == []) == alike
