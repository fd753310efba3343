"""Codes, sampling and counting of search spaces."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.search_space.style import Style
from tests.search_space import spaces

SPACES = [
    *(make() for make in presets.PRESETS.values()),
    spaces.tiny(),
    spaces.attentive(),
    spaces.mobile(),
]
each_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


@each_space
def test_200_codes_decode_to_what_was_encoded(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    drawn = {space.sample(rng) for _ in range(200)}
    assert len(drawn) > 150  # of at least 2,000 children
    for architecture in drawn:
        code = space.encode(architecture)
        assert code.dtype == np.int32
        assert code.shape == (space.code_length,)
        assert space.decode(code) == architecture


def test_the_layout_of_a_code() -> None:
    space = spaces.countable()
    code = space.encode(space.smallest())
    # Resolution, stem, head; depth; then (kernel, width, expand) of the one active layer and
    # once more for the layer that is left out.
    assert code.tolist() == [8, 4, 8, 1, 3, 4, 2, 3, 4, 2]


def test_values_past_the_depth_do_not_change_the_code() -> None:
    space = spaces.countable()
    noisy = [8, 4, 8, 1, 3, 4, 2, 5, 8, 2]
    assert space.encode(space.decode(noisy)).tolist() == [8, 4, 8, 1, 3, 4, 2, 3, 4, 2]


@each_space
def test_smallest_and_biggest(space: SearchSpace) -> None:
    small, big = space.smallest(), space.biggest()
    assert small.resolution == min(space.train_resolutions)
    assert big.resolution == max(space.train_resolutions)
    for index, stage in enumerate(space.stages):
        assert small.depths[index] == min(stage.depths)
        assert big.depths[index] == max(stage.depths)
        for name in ("kernels", "widths", "expands"):
            assert set(getattr(small, name)[index]) == {min(getattr(stage, name))}
            assert set(getattr(big, name)[index]) == {max(getattr(stage, name))}
    assert (small.stem_width, small.head_width) == (min(space.stem_widths), min(space.head_widths))
    assert (big.stem_width, big.head_width) == (max(space.stem_widths), max(space.head_widths))


def test_equal_seeds_draw_equal_children() -> None:
    space = presets.bignas_imagenet()
    first, second, other = (
        [space.sample(rng) for _ in range(5)] for rng in map(np.random.default_rng, (1, 1, 2))
    )
    assert first == second
    assert first != other


def test_every_choice_is_drawn() -> None:
    space = spaces.tiny()
    rng = np.random.default_rng(0)
    codes = np.array([space.encode(space.sample(rng)) for _ in range(300)])
    for position, choices in enumerate(space.genes):
        assert set(codes[:, position]) == set(choices)


@each_space
@pytest.mark.parametrize("rate", [0.0, 0.1, 1.0])
def test_mutants_stay_in_the_space(space: SearchSpace, rate: float) -> None:
    rng = np.random.default_rng(0)
    parent = space.sample(rng)
    mutants = [space.mutate(parent, rng, rate) for _ in range(20)]
    for mutant in mutants:
        space.validate(mutant)
    if rate == 0.0:
        assert set(mutants) == {parent}
    else:
        assert set(mutants) != {parent}


def test_rate_1_draws_every_choice_anew() -> None:
    space = spaces.tiny()
    rng = np.random.default_rng(0)
    parent = space.smallest()
    codes = np.array([space.encode(space.mutate(parent, rng, 1.0)) for _ in range(300)])
    for position, choices in enumerate(space.genes):
        assert set(codes[:, position]) == set(choices)


def test_counting_agrees_with_enumeration() -> None:
    space = spaces.countable()
    children = {space.decode(code) for code in itertools.product(*space.genes)}
    # 2 resolutions, 1 stem, 2 heads; 4 choices of a layer, of which there are 1 or 2.
    assert len(children) == 2 * 1 * 2 * (4 + 4**2)
    assert space.count_architectures() == len(children)


def test_tied_layers_are_counted_and_drawn_once() -> None:
    stage = Stage((4, 8), (1, 3), (3, 5), expands=(2,), tied=True)
    space = dataclasses.replace(spaces.countable(), stages=(stage,))
    children = {space.decode(code) for code in itertools.product(*space.genes)}
    # 2 resolutions, 1 stem, 2 heads; 2 depths, and 4 choices of all its layers.
    assert len(children) == space.count_architectures() == 2 * 1 * 2 * (2 * 4)
    deep = space.biggest()
    assert (deep.depths, deep.kernels, deep.widths) == ((3,), ((5, 5, 5),), ((8, 8, 8),))
    untied = dataclasses.replace(deep, kernels=((5, 3, 5),))
    with pytest.raises(errors.UsageError, match=r"kernels\[0\]' is \[5, 3, 5\]; .* tied stage"):
        space.encode(untied)


def test_attentive_nas_has_as_many_children_as_its_authors_code() -> None:
    assert presets.get("attentive_nas").count_architectures() == 440_301_256_704


def test_attentive_nas_costs_what_the_manual_says() -> None:
    space = presets.get("attentive_nas")
    extremes = (space.smallest(), space.biggest())
    macs = [cost.count(space, child, num_classes=1000).macs for child in extremes]
    assert [round(each / 1e6) for each in macs] == [203, 1939]


# What runs and checkpoints carry; bignas_imagenet's since before spaces had a style.
_FINGERPRINTS = {
    "bignas_imagenet": 2979347227140670033,
    "bignas_imagenet_symmetric": 4456465167243688990,
    "bignas_small": 3421914096073240216,
    "bignas_medium": 2650710994517637144,
    "bignas_large": 2025009371293991628,
}


@pytest.mark.parametrize("name", _FINGERPRINTS)
def test_checkpoints_of_a_preset_stay_readable(name: str) -> None:
    assert presets.get(name).fingerprint() == _FINGERPRINTS[name]


def test_the_papers_space_holds_more_than_10_to_the_12_children() -> None:
    assert presets.bignas_imagenet().count_architectures() > 10**12


def test_fingerprints_tell_spaces_apart_but_not_names() -> None:
    space = spaces.tiny()
    assert dataclasses.replace(space, name="other").fingerprint() == space.fingerprint()
    wider = dataclasses.replace(space, head_widths=(16, 32))
    stage = dataclasses.replace(space.stages[0], se_ratio=0.5)
    sparser = dataclasses.replace(space, stages=(stage, *space.stages[1:]))
    styled = dataclasses.replace(space, style=Style(epsilon=1e-5))
    prints = [s.fingerprint() for s in (space, wider, sparser, styled, *SPACES[:2])]
    assert len(set(prints)) == 6
    assert all(0 <= value < 2**62 for value in prints)


def test_with_resolution_changes_nothing_else() -> None:
    space = spaces.tiny()
    changed = space.with_resolution(space.smallest(), 14)
    assert changed == dataclasses.replace(space.smallest(), resolution=14)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"resolution": 13}, r"'resolution' is 13; choose from \[12, 14, 16\]"),
        ({"stem_width": 5}, "'stem_width' is 5"),
        ({"head_width": 17}, "'head_width' is 17"),
        ({"depths": (1, 1)}, "'depths' has 2 stages"),
        ({"depths": (1, 4, 2)}, r"'depths\[1\]' is 4"),
        ({"widths": ((4,), (6, 6), (8, 8))}, r"'widths\[1\]' has 2 layers"),
        ({"kernels": ((5,), (3,), (3, 3))}, r"'kernels\[0\]\[0\]' is 5"),
        ({"expands": ((1,), (6,), (2, 2))}, r"'expands\[1\]\[0\]' is 6"),
    ],
)
def test_what_lies_outside_is_named(changes: dict[str, Any], named: str) -> None:
    space = spaces.tiny()
    outside = dataclasses.replace(space.smallest(), **changes)
    for check in (space.validate, space.encode):
        with pytest.raises(errors.UsageError, match=named):
            check(outside)
