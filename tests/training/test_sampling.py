"""Random children: canonical, uniform, and a function of the seed alone."""

from __future__ import annotations

import collections
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.search_space import presets
from bignas_tf.search_space import space as space_lib
from bignas_tf.search_space.architecture import WIDTH
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import sampling
from tests.training import runs

SEEDS = 100
DRAWS = 1500


@pytest.fixture(params=["test", "bignas_imagenet", "attentive_nas"])
def space(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> SearchSpace:
    return runs.space_of(tmp_path) if request.param == "test" else presets.get(request.param)


def _codes(space: SearchSpace, number: int, resolution: int | None = None) -> np.ndarray:
    """int32 [number, code_length], of seeds (0, 0), (1, 0), ..."""

    @tf.function
    def draw(steps: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda step: sampling.sample_code(
                space, tf.stack([step, 0]), resolution or space.base_resolution
            ),
            steps,
        )

    return draw(tf.range(number)).numpy()


def test_codes_are_canonical(space: SearchSpace) -> None:
    for code in _codes(space, SEEDS):
        # decode raises where a choice is not the space's.
        np.testing.assert_array_equal(space.encode(space.decode(code)), code)


def test_every_choice_is_drawn_evenly(tmp_path: pathlib.Path) -> None:
    space = runs.space_of(tmp_path)
    codes = _codes(space, DRAWS)
    starts = {start for start, _ in space.stage_starts()}
    first_layers = {start + gene for start in starts for gene in range(1, 4)}
    network = {space_lib.STEM_WIDTH, space_lib.HEAD_WIDTH}
    for position in network | starts | first_layers:
        choices = space.genes[position]
        counts = collections.Counter(codes[:, position].tolist())
        assert sorted(counts) == sorted(choices)
        expected = DRAWS / len(choices)
        # Five standard deviations of a binomial count.
        margin = 5 * np.sqrt(expected * (1 - 1 / len(choices)))
        assert all(abs(count - expected) <= margin for count in counts.values()), position


def test_layers_are_drawn_independently(tmp_path: pathlib.Path) -> None:
    space = runs.space_of(tmp_path)
    start = [start for start, _ in space.stage_starts()][1]
    codes = _codes(space, DRAWS)
    deep = codes[codes[:, start] == 2]
    pairs = collections.Counter(
        zip(deep[:, start + WIDTH + 1], deep[:, start + WIDTH + 4], strict=True)
    )
    expected = len(deep) / 4
    assert len(pairs) == 4
    assert all(abs(count - expected) <= 5 * np.sqrt(expected) for count in pairs.values())


def test_the_same_seed_draws_the_same_child(space: SearchSpace) -> None:
    resolution = space.base_resolution
    once = sampling.sample_code(space, tf.constant([7, 3]), resolution)
    with tf.device("CPU:1"):
        again = sampling.sample_code(space, tf.constant([7, 3]), resolution)
    np.testing.assert_array_equal(once.numpy(), again.numpy())
    np.testing.assert_array_equal(_codes(space, 8)[7], _codes(space, 9)[7])


def test_steps_and_children_differ() -> None:
    space = presets.get("bignas_imagenet")
    seeds = [(step, child) for step in range(5) for child in range(4)]
    codes = {tuple(sampling.sample_code(space, seed, 224).numpy()) for seed in seeds}
    assert len(codes) == len(seeds)


def test_the_resolution_is_the_one_asked_for(tmp_path: pathlib.Path) -> None:
    codes = _codes(runs.space_of(tmp_path), 20, resolution=12)
    assert set(codes[:, space_lib.RESOLUTION]) == {12}


def test_rounding_never_leads_beyond_the_last_choice() -> None:
    counts = np.arange(1, 2**16)
    highest = tf.fill([len(counts)], np.nextafter(np.float32(1), np.float32(0)))
    assert np.all(sampling._index(highest, counts).numpy() == counts - 1)
