"""The sandwich rule: who runs where, who sees labels, and what the gradients sum to."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf.data import resize
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.training import losses, sandwich
from bignas_tf.training.configs import RegularisationConfig, SandwichConfig
from bignas_tf.training.sandwich import StepResult
from tests.training import runs

STEP, SEED = 5, 0
# Float32 sums in another order: relative to the largest gradient of a variable's own step.
TOLERANCE = 1e-5
BARE = {"weight_decay": 0.0, "dropout_rate": 0.0}


@pytest.fixture
def supernet(tmp_path: pathlib.Path) -> Supernet:
    supernet = runs.supernet_of(runs.parse(tmp_path))
    supernet.dropout_rate = 0.0
    return supernet


def _run(
    supernet: Supernet,
    config: SandwichConfig | None = None,
    shift: int = 0,
    step: int = STEP,
    patches: tf.Tensor | None = None,
    **regularisation: Any,
) -> StepResult:
    patches = runs.patches() if patches is None else patches
    return sandwich.compute_gradients(
        supernet, patches, runs.labels(shift), tf.constant(step, tf.int64),
        config or SandwichConfig(), RegularisationConfig(**BARE | regularisation), SEED,
    )  # fmt: skip


def _losses(result: StepResult) -> dict[str, float]:
    return {role: float(loss) for role, loss in result.losses.items()}


def _flat(gradients: list[tf.Tensor]) -> np.ndarray:
    return np.concatenate([tf.convert_to_tensor(g).numpy().ravel() for g in gradients])


def _difference(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def _pairs(tmp_path: pathlib.Path, config: SandwichConfig, **space: Any) -> list[tuple[str, int]]:
    children = sandwich.children(runs.space_of(tmp_path, **space), config, tf.constant(STEP), SEED)
    return [(child.role, child.resolution) for child in children]


def _codes(children: list[sandwich.Child]) -> list[list[int]]:
    """Codes of the random children, which come after the two extremes."""
    return [np.asarray(child.choice).tolist() for child in children[2:]]


def test_children_are_paired_with_resolutions(tmp_path: pathlib.Path) -> None:
    expected = [("biggest", 16), ("smallest", 8), ("random1", 12), ("random2", 14)]
    assert _pairs(tmp_path, SandwichConfig()) == expected


def test_more_random_children_take_turns(tmp_path: pathlib.Path) -> None:
    pairs = _pairs(tmp_path, SandwichConfig(num_random=3))
    assert pairs[2:] == [("random1", 12), ("random2", 14), ("random3", 12)]


def test_random_children_take_the_resolution_of_an_extreme_left_out(
    tmp_path: pathlib.Path,
) -> None:
    config = SandwichConfig(biggest=False, smallest=False, num_random=4, distillation=False)
    assert [resolution for _, resolution in _pairs(tmp_path, config)] == [12, 14, 8, 16]
    config = SandwichConfig(smallest=False, num_random=3)
    assert [resolution for _, resolution in _pairs(tmp_path, config)] == [16, 12, 14, 8]


def test_two_resolutions_leave_none_between(tmp_path: pathlib.Path) -> None:
    pairs = _pairs(tmp_path, SandwichConfig(num_random=3), train_resolutions=[8, 16])
    assert pairs[2:] == [("random1", 8), ("random2", 16), ("random3", 8)]


def test_the_extremes_are_static_and_random_children_follow_the_step(
    tmp_path: pathlib.Path,
) -> None:
    space, config = runs.space_of(tmp_path), SandwichConfig(num_random=8)
    first, same, other = (
        list(sandwich.children(space, config, tf.constant(step), SEED)) for step in (1, 1, 2)
    )
    assert [child.choice for child in first[:2]] == [space.biggest(), space.smallest()]
    codes = [_codes(run) for run in (first, same, other)]
    assert codes[0] == codes[1]
    assert codes[0] != codes[2]
    assert len({tuple(code) for code in codes[0]}) > 1


def test_the_seed_of_the_run_changes_the_random_children(tmp_path: pathlib.Path) -> None:
    space, config = runs.space_of(tmp_path), SandwichConfig(num_random=8)
    runs_of = [list(sandwich.children(space, config, tf.constant(1), seed)) for seed in (0, 1)]
    assert _codes(runs_of[0]) != _codes(runs_of[1])


def test_great_seeds_draw_children_of_their_own(tmp_path: pathlib.Path) -> None:
    space, config = runs.space_of(tmp_path), SandwichConfig(num_random=8)

    @tf.function
    def codes(step: tf.Tensor, seed: int) -> list[tf.Tensor]:
        children = list(sandwich.children(space, config, step, seed))
        return [child.choice for child in children[2:]]

    # A thousand times the last two are equal modulo 2^32.
    seeds = (7, 2**32 - 1, 2**31, 2**31 + 2**29)
    drawn = {tuple(np.ravel(codes(tf.constant(1), seed))) for seed in seeds}
    assert len(drawn) == len(seeds)


def test_only_the_biggest_sees_labels(supernet: Supernet) -> None:
    before, after = _losses(_run(supernet)), _losses(_run(supernet, shift=1))
    changed = {role for role in before if before[role] != after[role]}
    assert list(before) == ["biggest", "smallest", "random1", "random2"]
    assert changed == {"biggest"}


def test_all_see_labels_without_distillation(supernet: Supernet) -> None:
    config = SandwichConfig(distillation=False)
    before, after = (_losses(_run(supernet, config, shift=shift)) for shift in (0, 1))
    assert all(before[role] != after[role] for role in before)


@pytest.mark.parametrize(("step", "taught"), [(4, False), (5, True)])
def test_the_first_steps_show_labels_to_all(supernet: Supernet, step: int, taught: bool) -> None:
    config = SandwichConfig(label_steps=5)
    before, after = (_losses(_run(supernet, config, shift, step)) for shift in (0, 1))
    same = {role for role in before if before[role] == after[role]}
    assert same == ({"smallest", "random1", "random2"} if taught else set())
    expected = _run(supernet, SandwichConfig(distillation=taught), step=step)
    actual = _run(supernet, config, step=step)
    assert _difference(_flat(actual.gradients), _flat(expected.gradients)) < TOLERANCE


def test_gradients_of_students_are_independent_of_labels(supernet: Supernet) -> None:
    alone = SandwichConfig(smallest=False, num_random=0)
    students = [
        _flat(_run(supernet, shift=shift).gradients)
        - _flat(_run(supernet, alone, shift=shift).gradients)
        for shift in (0, 3)
    ]
    assert np.abs(students[0]).max() > 1e-3
    assert _difference(students[0], students[1]) < TOLERANCE


@pytest.mark.parametrize("distillation", [True, False])
def test_gradients_are_the_sum_of_each_child_s(supernet: Supernet, distillation: bool) -> None:
    """Against stock Keras losses, every child by itself."""
    config = SandwichConfig(distillation=distillation)
    children = list(sandwich.children(supernet.space, config, tf.constant(STEP), SEED))
    teacher = tf.nn.softmax(_logits(supernet, children[0].choice, 16))
    on_labels = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    on_teacher = tf_keras.losses.CategoricalCrossentropy(from_logits=True)
    expected: Any = 0.0
    for child in children:
        with tf.GradientTape() as tape:
            logits = _logits(supernet, child.choice, child.resolution)
            if distillation and child.role != "biggest":
                loss = on_teacher(teacher, logits)
            else:
                loss = on_labels(runs.labels(), logits)
        variables = supernet.trainable_variables
        expected += _flat(tape.gradient(loss, variables, unconnected_gradients="zero"))
    assert _difference(_flat(_run(supernet, config).gradients), expected) < TOLERANCE


def _logits(supernet: Supernet, choice: Architecture | tf.Tensor, resolution: int) -> tf.Tensor:
    return supernet(resize.resize_patches(runs.patches(), resolution), choice)


def test_the_first_child_gives_the_logits(supernet: Supernet) -> None:
    expected = _logits(supernet, supernet.space.biggest(), 16)
    np.testing.assert_allclose(_run(supernet).logits, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("children", "times"), [("biggest", 1), ("all", 4)])
def test_weight_decay_enters_once_for_each_regularised_child(
    supernet: Supernet, children: str, times: int
) -> None:
    plain = _run(supernet, children=children)
    decayed = _run(supernet, children=children, weight_decay=0.5)
    kernels = [v if v.shape.rank > 1 else tf.zeros_like(v) for v in supernet.trainable_variables]
    added = _flat(decayed.gradients) - _flat(plain.gradients)
    assert _difference(added, times * 0.5 * _flat(kernels)) < TOLERANCE
    # What is reported is what the child learns, without the weight decay.
    assert _losses(decayed) == _losses(plain)


@pytest.mark.parametrize(
    ("children", "expected"),
    [("biggest", {"biggest"}), ("all", {"biggest", "smallest", "random1", "random2"})],
)
def test_dropout_is_for_the_regularised_children(
    supernet: Supernet, children: str, expected: set[str]
) -> None:
    config = SandwichConfig(distillation=False)
    plain = _losses(_run(supernet, config, children=children))
    supernet.dropout_rate = 0.5
    first, again = (_losses(_run(supernet, config, children=children)) for _ in range(2))
    assert {role for role in plain if first[role] != plain[role]} == expected
    assert first == again


def test_dropout_differs_between_steps(supernet: Supernet) -> None:
    supernet.dropout_rate = 0.5
    alone = SandwichConfig(smallest=False, num_random=0)
    assert _losses(_run(supernet, alone, step=1)) != _losses(_run(supernet, alone, step=2))


@pytest.mark.parametrize(
    ("children", "expected"),
    [("biggest", {"biggest"}), ("all", {"biggest", "smallest", "random1", "random2"})],
)
def test_label_smoothing_is_for_the_regularised_children(
    supernet: Supernet, children: str, expected: set[str]
) -> None:
    config = SandwichConfig(distillation=False)
    plain, smoothed = (
        _losses(_run(supernet, config, children=children, label_smoothing=smoothing))
        for smoothing in (0.0, 0.2)
    )
    assert {role for role in plain if smoothed[role] != plain[role]} == expected


def test_each_child_may_see_a_patch_of_its_own(supernet: Supernet) -> None:
    """Against runs in which all see the same patch."""
    flipped = tf.reverse(runs.patches(), [0])
    views = [runs.patches(), flipped, runs.patches() // 2, flipped // 3]
    config = SandwichConfig(distillation=False, same_patch=False)
    found = _losses(_run(supernet, config, patches=tf.stack(views, 1)))
    shared = SandwichConfig(distillation=False)
    expected = [_losses(_run(supernet, shared, patches=view)) for view in views]
    for index, role in enumerate(["biggest", "smallest", "random1", "random2"]):
        assert found[role] == pytest.approx(expected[index][role], rel=1e-6)
        assert len({losses_of[role] for losses_of in expected}) == len(views)


def test_label_smoothing_reaches_the_biggest(supernet: Supernet) -> None:
    result = _run(supernet, label_smoothing=0.2)
    expected = losses.supervised(runs.labels(), result.logits, 0.2)
    assert _losses(result)["biggest"] == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "roles"),
    [
        ({"smallest": False}, ["biggest", "random1", "random2"]),
        ({"num_random": 0}, ["biggest", "smallest"]),
        ({"num_random": 3}, ["biggest", "smallest", "random1", "random2", "random3"]),
        ({"biggest": False, "distillation": False}, ["smallest", "random1", "random2"]),
    ],
)
def test_ablations_of_the_children(
    supernet: Supernet, changes: dict[str, Any], roles: list[str]
) -> None:
    result = _run(supernet, SandwichConfig(**changes))
    assert list(result.losses) == roles
    assert np.isfinite(_flat(result.gradients)).all()
    assert len(result.gradients) == len(supernet.trainable_variables)
