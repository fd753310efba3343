"""Which children a step trains, and at which resolutions."""

from __future__ import annotations

import collections
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import children as children_lib
from bignas_tf.training.children import Child
from bignas_tf.training.configs import SandwichConfig
from tests.training import runs

SEED = 0


def _drawn(space: SearchSpace, config: SandwichConfig, step: int, seed: int = SEED) -> list[Child]:
    return list(children_lib.children(space, config, tf.constant(step), seed))


def _pairs(tmp_path: pathlib.Path, config: SandwichConfig, **space: Any) -> list[tuple[str, Any]]:
    drawn = _drawn(runs.space_of(tmp_path, **space), config, step=5)
    return [(child.role, child.resolution) for child in drawn]


def _codes(drawn: list[Child]) -> list[list[int]]:
    """Codes of the random children, which come after the two extremes."""
    return [np.asarray(child.choice).tolist() for child in drawn[2:]]


def test_children_are_paired_with_resolutions(tmp_path: pathlib.Path) -> None:
    expected = [("biggest", 16), ("smallest", 8), ("random1", 12), ("random2", 14)]
    assert _pairs(tmp_path, SandwichConfig()) == expected


def test_more_random_children_take_turns(tmp_path: pathlib.Path) -> None:
    pairs = _pairs(tmp_path, SandwichConfig(num_random=3))
    assert pairs[2:] == [("random1", 12), ("random2", 14), ("random3", 12)]


@pytest.mark.parametrize(
    ("number", "expected"), [(1, [12]), (2, [11, 13]), (3, [10, 12, 14]), (4, [10, 11, 13, 14])]
)
def test_fewer_random_children_are_spread_over_the_resolutions(
    tmp_path: pathlib.Path, number: int, expected: list[int]
) -> None:
    sides = [8, 10, 11, 12, 13, 14, 16]
    space = {"train_resolutions": sides, "eval_resolutions": sides}
    pairs = _pairs(tmp_path, SandwichConfig(num_random=number), **space)
    assert [resolution for _, resolution in pairs[2:]] == expected


def test_without_extremes_the_lowest_and_the_highest_resolution_are_trained(
    tmp_path: pathlib.Path,
) -> None:
    sides = [8, 10, 11, 12, 13, 14, 16]
    config = SandwichConfig(biggest=False, smallest=False, num_random=4)
    pairs = _pairs(tmp_path, config, train_resolutions=sides, eval_resolutions=sides)
    assert [resolution for _, resolution in pairs] == [8, 11, 13, 16]


def test_random_children_take_the_resolution_of_an_extreme_left_out(
    tmp_path: pathlib.Path,
) -> None:
    config = SandwichConfig(biggest=False, smallest=False, num_random=4)
    assert [resolution for _, resolution in _pairs(tmp_path, config)] == [8, 12, 14, 16]
    config = SandwichConfig(smallest=False, num_random=3)
    assert [resolution for _, resolution in _pairs(tmp_path, config)] == [16, 8, 12, 14]


def test_two_resolutions_leave_none_between(tmp_path: pathlib.Path) -> None:
    pairs = _pairs(tmp_path, SandwichConfig(num_random=3), train_resolutions=[8, 16])
    assert pairs[2:] == [("random1", 8), ("random2", 16), ("random3", 8)]


def test_random_children_meet_every_training_resolution_equally_often(
    tmp_path: pathlib.Path,
) -> None:
    space, config = runs.space_of(tmp_path), SandwichConfig(num_random=2, resolutions="any")
    drawn = _drawn(space, config, 0)
    assert [each.resolution for each in drawn] == [16, 8, None, None]
    assert [each.role for each in drawn] == ["biggest", "smallest", "random1", "random2"]

    @tf.function
    def randoms(step: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        drawn = list(children_lib.children(space, config, step, SEED))
        return [(child.choice, child.side) for child in drawn[2:]]

    counts: collections.Counter[int] = collections.Counter()
    for step in range(200):
        for code, side in randoms(tf.constant(step)):
            counts[int(side)] += 1
            space.decode(code.numpy())  # canonical codes, or it raises
    # 400 draws of four sides: 100 each, with a standard deviation of 8.7.
    assert set(counts) == set(space.train_resolutions)
    assert all(abs(count - 100) < 35 for count in counts.values())


def test_resolutions_do_not_follow_from_the_other_choices(tmp_path: pathlib.Path) -> None:
    """The architecture a step draws is the same whether its resolution is drawn or paired."""
    space = runs.space_of(tmp_path)
    paired, free = (
        _codes(_drawn(space, SandwichConfig(num_random=8, resolutions=kind), 1))
        for kind in ("paired", "any")
    )
    assert [code[1:] for code in paired] == [code[1:] for code in free]
    assert [code[0] for code in paired] != [code[0] for code in free]


def test_the_extremes_are_static_and_random_children_follow_the_step(
    tmp_path: pathlib.Path,
) -> None:
    space, config = runs.space_of(tmp_path), SandwichConfig(num_random=8)
    first, same, other = (_drawn(space, config, step) for step in (1, 1, 2))
    assert [child.choice for child in first[:2]] == [space.biggest(), space.smallest()]
    codes = [_codes(run) for run in (first, same, other)]
    assert codes[0] == codes[1]
    assert codes[0] != codes[2]
    assert len({tuple(code) for code in codes[0]}) > 1


@pytest.mark.parametrize("resolutions", ["paired", "any"])
def test_the_seed_of_the_run_changes_the_random_children(
    tmp_path: pathlib.Path, resolutions: str
) -> None:
    space, config = runs.space_of(tmp_path), SandwichConfig(num_random=8, resolutions=resolutions)
    assert _codes(_drawn(space, config, 1, seed=0)) != _codes(_drawn(space, config, 1, seed=1))


def test_great_seeds_draw_children_of_their_own(tmp_path: pathlib.Path) -> None:
    space, config = runs.space_of(tmp_path), SandwichConfig(num_random=3)

    @tf.function
    def codes(step: tf.Tensor, seed: int) -> list[tf.Tensor]:
        drawn = list(children_lib.children(space, config, step, seed))
        return [child.choice for child in drawn[2:]]

    # A thousand times the last two are equal modulo 2^32.
    seeds = (7, 2**32 - 1, 2**31, 2**31 + 2**29)
    drawn = {tuple(np.ravel(codes(tf.constant(1), seed))) for seed in seeds}
    assert len(drawn) == len(seeds)


def test_a_child_can_be_alone(tmp_path: pathlib.Path) -> None:
    space = runs.space_of(tmp_path)
    (child,) = _drawn(space, SandwichConfig(alone="smallest"), step=3)
    assert (child.role, child.choice, child.side) == ("alone", space.smallest(), 8)
    assert SandwichConfig(alone="smallest").num_children == 1
    with pytest.raises(errors.UsageError, match=r"nobody\.json"):
        _drawn(space, SandwichConfig(alone="nobody.json"), step=3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["biggest", "smallest", "random"]),
        ({"smallest": False}, ["biggest", "random"]),
        ({"num_random": 0}, ["biggest", "smallest"]),
        ({"alone": "biggest"}, ["alone"]),
    ],
)
def test_roles_are_those_of_the_children(
    tmp_path: pathlib.Path, changes: dict[str, Any], expected: list[str]
) -> None:
    config = SandwichConfig(**changes)
    assert children_lib.roles(config) == expected
    drawn = _drawn(runs.space_of(tmp_path), config, step=0)
    assert list(dict.fromkeys(children_lib.kind(child.role) for child in drawn)) == expected
