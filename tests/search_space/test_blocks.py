"""One rule derives the channel counts, whatever the code is made of."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bignas_tf.search_space import blocks
from bignas_tf.search_space.space import SearchSpace
from tests.search_space import spaces


def test_a_table_by_hand() -> None:
    space = spaces.countable()
    # Resolution 10, stem 4, head 16; two layers of (kernel, width, expand).
    table = blocks.resolve_child(space, space.decode([10, 4, 16, 2, 5, 8, 2, 3, 4, 2]))
    assert (table.resolution, table.stem_width, table.head_in_width, table.head_width) == (
        10, 4, 4, 16,
    )  # fmt: skip
    first, second = table.blocks
    assert first == blocks.Block(
        stage=0, layer=0, stride=1, symmetric=False, expands=True, skip="projected", optional=False,
        active=True, kernel=5, in_width=4, mid_width=8, out_width=8, se_width=1,
    )  # fmt: skip
    assert second == blocks.Block(
        stage=0, layer=1, stride=1, symmetric=False, expands=True, skip="fitted", optional=True,
        active=True, kernel=3, in_width=8, mid_width=16, out_width=4, se_width=2,
    )  # fmt: skip
    assert (first.name, second.name) == ("stage1_block1", "stage1_block2")


def test_a_block_left_out_passes_its_width_on() -> None:
    space = spaces.countable()
    table = blocks.resolve_child(space, space.decode([8, 4, 8, 1, 3, 8, 2, 3, 4, 2]))
    assert [block.active for block in table.blocks] == [True, False]
    assert table.head_in_width == 8


every_style = pytest.mark.parametrize(
    "space", [spaces.tiny(), spaces.attentive(), spaces.mobile()], ids=lambda space: space.name
)


@every_style
def test_many_codes_at_once_give_each_its_table(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    children = [space.sample(rng) for _ in range(20)]
    many = blocks.resolve(space, np.array([space.encode(child) for child in children]).T)
    for index, child in enumerate(children):
        one = blocks.resolve_child(space, child)
        assert many.head_in_width[index] == one.head_in_width
        for column, block in zip(many.blocks, one.blocks, strict=True):
            for field in dataclasses.fields(blocks.Block):
                value = getattr(column, field.name)
                value = value[index] if isinstance(value, np.ndarray) else value
                assert value == getattr(block, field.name)


@every_style
def test_the_widest_table_bounds_every_child(space: SearchSpace) -> None:
    widest = blocks.widest(space)
    rng = np.random.default_rng(0)
    for _ in range(50):
        table = blocks.resolve_child(space, space.sample(rng))
        for block, bound in zip(table.blocks, widest.blocks, strict=True):
            for name in ("kernel", "in_width", "mid_width", "out_width", "se_width"):
                assert getattr(block, name) <= getattr(bound, name)
