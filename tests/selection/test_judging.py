"""What a judgement says of made-up scores, derived by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import findings, judging
from bignas_tf.selection.findings import Scores
from bignas_tf.training import children
from bignas_tf.training.configs import SandwichConfig
from tests.selection import digits

SPACE = digits.space()  # evaluated at 8, 9 and 10 px, trained at 8 and 10


def _scores(top1: Sequence[Sequence[float]], images: int = 100) -> Scores:
    """A row for the smallest child, then random ones, then the biggest; each costs 1 more."""
    values = np.array(top1)
    children = judging.sample_children(SPACE, len(values) - 2, 0)
    macs = np.add.outer(np.arange(len(values)), np.arange(1, 4))
    return Scores(children, SPACE.eval_resolutions, macs, values, images)


def _warnings(scores: Scores, majority: float = 0.1) -> list[str]:
    """Without those that follow from the configuration alone."""
    found = findings.warnings(scores, SPACE, ({8, 10}, {8, 10}), majority)
    return [warning for warning in found if "trained" not in warning]


def test_the_summary_is_what_it_says() -> None:
    top1 = [[0.5, 0.4, 0.3], [0.6, 0.5, 0.8], [0.7, 0.6, 0.6], [0.8, 0.7, 0.9]]
    summary = findings.summary(_scores(top1), largest_trained=9).to_json()
    # (0.6 + 0.7) / 2, (0.5 + 0.6) / 2, (0.8 + 0.6) / 2
    by_resolution = {"8": 0.65, "9": 0.55, "10": 0.7}
    assert summary.pop("random_mean_by_resolution") == pytest.approx(by_resolution)
    # Multiply-adds are 1 2 3 / 2 3 4 / 3 4 5 / 4 5 6. The best for at most 1, 2, ... 6:
    # 0.5, 0.6, 0.7, 0.8, 0.8, 0.9. Below that are, child by child,
    # 0 0.2 0.4 / 0 0.2 0 / 0 0.2 0.2 / 0 0.1 0: 0, 0.7 and 0.6 of four children each.
    distances = {"8": 0.0, "9": 0.175, "10": 0.15}
    assert summary.pop("front_distance_by_resolution") == pytest.approx(distances)
    assert summary == pytest.approx(
        {
            "random_mean": 0.6333333,  # 3.8 / 6
            "largest_trained": 9,
            "random_mean_to_largest_trained": 0.6,  # (0.65 + 0.55) / 2
            "worst_resolution": 9,
            "worst_mean": 0.55,
            "front_distance": 0.1083333,  # 1.3 / 12
            "standard_error": 0.0481894,  # sqrt(0.633333 * 0.366667 / 100)
        }
    )


def test_points_of_one_cost_see_each_other() -> None:
    costs, top1 = np.array([[1, 2], [3, 2]]), np.array([[0.5, 0.25], [0.625, 0.75]])
    # The front is 0.5 at 1 and 0.75 from 2 on.
    expected = [[0.0, 0.5], [0.125, 0.0]]
    np.testing.assert_array_equal(findings.front_distances(costs, top1), expected)


# 0.6 and 0.5 on 400 images: errors of 0.0245 and 0.025, of the difference 0.035. Twice that is
# less than 0.1, but more than 0.05; on 100 images all errors are twice as large.
@pytest.mark.parametrize(
    ("small", "big", "images", "warned"),
    [
        (0.6, 0.5, 400, True),
        (0.55, 0.5, 400, False),
        (0.6, 0.5, 100, False),
        (0.5, 0.6, 400, False),
    ],
)
def test_a_smallest_child_that_beats_the_biggest_is_told(
    small: float, big: float, images: int, warned: bool
) -> None:
    # Each counts at its own resolution, 8 and 10 px; elsewhere they are in the opposite order.
    top1 = [[small, 0.4, 0.4], [0.5, 0.5, 0.5], [0.7, 0.7, big]]
    told = (
        "the smallest child is more accurate than the biggest: 60.00% at 8 px against 50.00% at "
        "10 px"
    )
    assert _warnings(_scores(top1, images)) == ([told] if warned else [])


# On 400 images 0.8 has an error of 0.02, 0.7 one of 0.0229, 0.75 one of 0.0217: twice those of
# the differences are 0.061 and 0.059.
@pytest.mark.parametrize(
    ("means", "warned"),
    [
        ((0.8, 0.7, 0.8), True),
        ((0.8, 0.75, 0.8), False),
        ((0.8, 0.7, 0.72), False),
        ((0.72, 0.7, 0.8), False),
        ((0.7, 0.75, 0.8), False),
    ],
)
def test_a_resolution_below_both_neighbours_is_told(
    means: tuple[float, float, float], warned: bool
) -> None:
    spread = [[mean + change for mean in means] for change in (-0.1, 0.1)]
    told = (
        "random children are worse at 9 px (70.00% on average) than at 8 px (80.00%) and at "
        "10 px (80.00%)"
    )
    scores = _scores([[0.5] * 3, *spread, [0.5] * 3], 400)
    assert _warnings(scores) == ([told] if warned else [])


def test_children_at_chance_are_told() -> None:
    # A quarter of the images is of one class, on 300 images with an error of 0.025: up to 0.3.
    top1 = [[0.29, 0.31, 0.29], [0.31, 0.31, 0.31], [0.2, 0.25, 0.29], [0.4, 0.29, 0.4]]
    told = "is, within the error, no better than naming the most frequent class (25.00%)"
    assert _warnings(_scores(top1, 300), majority=0.25) == [
        f"child 'smallest' {told} at 8 and 10 px",
        f"child 'random 2' {told} at every resolution",
        f"child 'biggest' {told} at 9 px",
    ]


def test_of_unbalanced_images_the_most_frequent_class_is_chance() -> None:
    # 0.9 has an error of 0.015 on 400 images: 0.92 is not learnt, 0.94 is.
    top1 = [[0.92] * 3, [0.94] * 3, [0.94] * 3]
    (warning,) = _warnings(_scores(top1, 400), majority=0.9)
    assert warning.startswith(
        "child 'smallest' is, within the error, no better than naming the most frequent"
    )


@pytest.mark.parametrize(
    ("settings", "extremes"),
    [
        ({}, {20, 32}),
        ({"num_random": 1}, {20, 32}),
        ({"num_random": 0}, {20, 32}),
        ({"smallest": False}, {32}),
        ({"smallest": False, "biggest": False, "num_random": 4}, set()),
        ({"resolutions": "any"}, {20, 32}),
        ({"resolutions": "any", "num_random": 0}, {20, 32}),
    ],
)
def test_training_shows_each_child_its_resolutions(
    settings: dict[str, object], extremes: set[int]
) -> None:
    """Against the children of 40 steps, as training draws them."""
    space, sandwich = presets.bignas_small(), SandwichConfig(**settings)
    seen: set[int] = set()
    random: set[int] = set()
    for step in range(40):
        for child in children.children(space, sandwich, tf.constant(step), 0):
            seen.add(int(child.side))
            if children.kind(child.role) == children.RANDOM:
                random.add(int(child.side))
    assert children.trained_resolutions(space, sandwich) == (seen, random)
    assert seen == random | extremes


def test_where_extremes_leave_nothing_random_children_take_all() -> None:
    assert children.trained_resolutions(SPACE, SandwichConfig()) == ({8, 10}, {8, 10})


@pytest.mark.parametrize(
    ("resolutions", "told"),
    [
        (
            "paired",
            [
                "no child was trained at 22, 26 or 30 px",
                "no random child was trained at 20 or 32 px",
            ],
        ),
        ("any", []),
    ],
)
def test_resolutions_that_training_left_out_are_told(resolutions: str, told: list[str]) -> None:
    space, sandwich = presets.bignas_small(), SandwichConfig(resolutions=resolutions)
    drawn = judging.sample_children(space, 1, 0)
    flat = np.full([3, len(space.eval_resolutions)], 0.5)
    scores = Scores(drawn, space.eval_resolutions, flat, flat, 100)
    trained = children.trained_resolutions(space, sandwich)
    assert list(findings.warnings(scores, space, trained, 0.1)) == told


@pytest.mark.parametrize("space", [SPACE, presets.bignas_small()])
def test_the_seed_alone_decides_on_the_random_children(space: SearchSpace) -> None:
    drawn = judging.sample_children(space, 3, 7)
    assert list(drawn) == ["smallest", "random 1", "random 2", "random 3", "biggest"]
    assert (drawn["smallest"], drawn["biggest"]) == (space.smallest(), space.biggest())
    rng = np.random.default_rng(7)
    assert list(drawn.values())[1:-1] == [space.sample(rng) for _ in range(3)]
    more = judging.sample_children(space, 5, 7)
    assert [more[name] for name in drawn] == list(drawn.values())
    assert judging.sample_children(space, 3, 8) != drawn
