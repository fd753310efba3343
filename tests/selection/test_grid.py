"""The coarse grid."""

from __future__ import annotations

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.search_space import presets
from bignas_tf.selection import grid
from bignas_tf.training import parsing
from tests.search_space import spaces
from tests.selection import countable
from tests.selection.countable import SPACE


def test_the_grid_holds_every_combination_once() -> None:
    skeletons = list(grid.skeletons(SPACE, countable.settings()))
    # One stage, which counts as late: only "largest" and "largest_late" give a kernel of 5.
    assert len(skeletons) == 2 * 2 * 2 * 2
    assert len(set(skeletons)) == len(skeletons)
    assert SPACE.with_resolution(SPACE.smallest(), 8) in skeletons
    assert SPACE.with_resolution(SPACE.biggest(), 10) in skeletons
    for skeleton in skeletons:
        SPACE.validate(skeleton)


def test_the_grid_of_the_paper_has_160_skeletons() -> None:
    """Five resolutions, four depths, two widths and four kernel configurations (Section 4.4)."""
    selection = parsing.parse("bignas_imagenet", [], "").task.selection
    assert len(selection.resolutions) == 5
    skeletons = list(grid.skeletons(presets.get("bignas_imagenet"), selection))
    assert len(skeletons) == 5 * 4 * 2 * 4 == 160


def test_kernel_patterns_split_the_stages_in_two() -> None:
    settings = countable.settings(
        resolutions=(12,),
        depth_multipliers=(0.0,),
        width_multipliers=(0.0,),
        kernel_patterns=("largest_early", "largest_late"),
    )
    early, late = grid.skeletons(spaces.tiny(), settings)
    # Kernels: (3), (3, 5), (3, 5, 7); of three stages the first two are early.
    assert [stage[0] for stage in early.kernels] == [3, 5, 3]
    assert [stage[0] for stage in late.kernels] == [3, 3, 7]


def test_without_resolutions_all_of_the_space_are_tried() -> None:
    skeletons = grid.skeletons(SPACE, countable.settings(resolutions=()))
    assert {skeleton.resolution for skeleton in skeletons} == set(SPACE.eval_resolutions)


def test_a_resolution_outside_the_space_is_refused() -> None:
    with pytest.raises(errors.UsageError, match=r"resolutions is 9; choose .*\[8, 10\]"):
        list(grid.skeletons(SPACE, countable.settings(resolutions=(8, 9))))
