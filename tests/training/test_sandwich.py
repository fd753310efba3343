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
from bignas_tf.training import children as children_lib
from bignas_tf.training import losses, sandwich
from bignas_tf.training.configs import BigNASConfig
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


def _config(**groups: dict[str, Any]) -> BigNASConfig:
    """One random child and no regularisation, unless they are given."""
    config = BigNASConfig(seed=SEED)
    config.override({"regularisation": BARE, "sandwich": {"num_random": 1}})
    config.override(groups)
    return config


def _run(
    supernet: Supernet,
    config: BigNASConfig | None = None,
    shift: int = 0,
    step: int = STEP,
    patches: tf.Tensor | None = None,
    teacher: sandwich.Teacher | None = None,
) -> StepResult:
    patches = runs.patches() if patches is None else patches
    return sandwich.compute_gradients(
        supernet,
        patches=patches,
        labels=runs.labels(shift),
        step=tf.constant(step, tf.int64),
        config=config or _config(),
        teacher=teacher,
    )


def _losses(result: StepResult) -> dict[str, float]:
    return {role: float(loss) for role, loss in result.losses.items()}


def _flat(gradients: list[tf.Tensor]) -> np.ndarray:
    return np.concatenate([tf.convert_to_tensor(g).numpy().ravel() for g in gradients])


def _difference(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def test_only_the_biggest_sees_labels(supernet: Supernet) -> None:
    two = _config(sandwich={"num_random": 2})
    before, after = (_losses(_run(supernet, two, shift=shift)) for shift in (0, 1))
    changed = {role for role in before if before[role] != after[role]}
    assert list(before) == ["biggest", "smallest", "random1", "random2"]
    assert changed == {"biggest"}


def test_all_see_labels_without_distillation(supernet: Supernet) -> None:
    config = _config(distillation={"weight": 0.0})
    before, after = (_losses(_run(supernet, config, shift=shift)) for shift in (0, 1))
    assert all(before[role] != after[role] for role in before)


def test_labels_and_soft_labels_share_by_their_weight(supernet: Supernet) -> None:
    labels, both, soft = (
        _run(supernet, _config(distillation={"weight": weight})) for weight in (0.0, 0.3, 1.0)
    )
    for role in ("smallest", "random1"):
        expected = 0.7 * float(labels.losses[role]) + 0.3 * float(soft.losses[role])
        assert float(both.losses[role]) == pytest.approx(expected, rel=1e-6)
    expected = 0.7 * _flat(labels.gradients) + 0.3 * _flat(soft.gradients)
    assert _difference(_flat(both.gradients), expected) < TOLERANCE


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (2, 0.2), (8, 0.8), (9, 0.8)])
def test_the_weight_of_distillation_rises_without_a_jump(
    supernet: Supernet, step: int, weight: float
) -> None:
    two = {"num_random": 0}
    rising = _config(distillation={"weight": 0.8, "ramp_steps": 8}, sandwich=two)
    actual = _run(supernet, rising, step=step)
    fixed = _config(distillation={"weight": weight}, sandwich=two)
    expected = _run(supernet, fixed, step=step)
    assert _difference(_flat(actual.gradients), _flat(expected.gradients)) < TOLERANCE


def test_a_teacher_of_the_users_teaches_every_child(supernet: Supernet) -> None:
    answers = tf.constant(np.random.default_rng(3).normal(size=(runs.BATCH, 10)), tf.float32)
    seen: list[tf.Tensor] = []

    def teacher(patches: tf.Tensor) -> tf.Tensor:
        seen.append(patches)
        return answers

    before, after = (_losses(_run(supernet, shift=s, teacher=teacher)) for s in (0, 1))
    assert before == after
    expected = tf_keras.losses.CategoricalCrossentropy(from_logits=True)(
        tf.nn.softmax(answers), _run(supernet).logits
    )
    assert before["biggest"] == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_array_equal(seen[0], runs.patches())


def test_gradients_of_students_are_independent_of_labels(supernet: Supernet) -> None:
    alone = _config(sandwich={"smallest": False, "num_random": 0})
    students = [
        _flat(_run(supernet, shift=shift).gradients)
        - _flat(_run(supernet, alone, shift=shift).gradients)
        for shift in (0, 3)
    ]
    assert np.abs(students[0]).max() > 1e-3
    assert _difference(students[0], students[1]) < TOLERANCE


@pytest.mark.parametrize("resolutions", ["paired", "any"])
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_gradients_are_the_sum_of_each_child_s(
    supernet: Supernet, weight: float, resolutions: str
) -> None:
    """Against stock Keras losses, every child by itself."""
    config = _config(distillation={"weight": weight}, sandwich={"resolutions": resolutions})
    children = list(children_lib.children(supernet.space, config.sandwich, tf.constant(STEP), SEED))
    teacher = tf.nn.softmax(_logits(supernet, children[0].choice, 16))
    on_labels = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    on_teacher = tf_keras.losses.CategoricalCrossentropy(from_logits=True)
    expected: Any = 0.0
    for child in children:
        with tf.GradientTape() as tape:
            logits = _logits(supernet, child.choice, int(child.side))
            if weight and child.role != "biggest":
                loss = on_teacher(teacher, logits)
            else:
                loss = on_labels(runs.labels(), logits)
        variables = supernet.trainable_variables
        expected += _flat(tape.gradient(loss, variables, unconnected_gradients="zero"))
    assert _difference(_flat(_run(supernet, config).gradients), expected) < TOLERANCE


def _logits(supernet: Supernet, choice: Architecture | tf.Tensor, resolution: int) -> tf.Tensor:
    return supernet(resize.resize_patches(runs.patches(), resolution), choice)


def test_slices_and_masks_learn_the_same_at_any_resolution(tmp_path: pathlib.Path) -> None:
    """Masks take a branch of the program for each side, for XLA needs every shape."""
    config = _config(sandwich={"resolutions": "any"}, distillation={"weight": 0.5})
    results = []
    for execution in ("slice", "mask"):
        tf_keras.utils.set_random_seed(0)
        net = runs.supernet_of(runs.parse(tmp_path, f"task.model.execution={execution}"))
        net.dropout_rate = 0.0
        results.append(_run(net, config))
    sliced, masked = results
    assert _losses(sliced) == pytest.approx(_losses(masked), rel=1e-5)
    # As in tests/modeling: masked batch norms sum in another order, and some gradients are
    # small sums of large terms.
    assert _difference(_flat(masked.gradients), _flat(sliced.gradients)) < 2e-4


def test_the_first_child_gives_the_logits(supernet: Supernet) -> None:
    expected = _logits(supernet, supernet.space.biggest(), 16)
    np.testing.assert_allclose(_run(supernet).logits, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("children", "biases"), [("biggest", False), ("all", True)])
def test_weight_decay_enters_once_however_many_are_regularised(
    supernet: Supernet, children: str, biases: bool
) -> None:
    found = [v for v in supernet.trainable_variables if "bias" in v.name]
    assert found
    for bias in found:
        bias.assign(tf.ones_like(bias))  # they start at 0
    plain = _run(supernet, _config(regularisation={"children": children}))
    rules = {"children": children, "weight_decay": 0.5, "biases": biases}
    decayed = _run(supernet, _config(regularisation=rules))
    weights = [
        v if v.shape.rank > 1 or (biases and "bias" in v.name) else tf.zeros_like(v)
        for v in supernet.trainable_variables
    ]
    added = _flat(decayed.gradients) - _flat(plain.gradients)
    assert _difference(added, 0.5 * _flat(weights)) < TOLERANCE
    # What is reported is what the child learns, without the weight decay.
    assert _losses(decayed) == _losses(plain)


def test_nothing_decays_where_no_child_is_regularised(supernet: Supernet) -> None:
    rest = {"sandwich": {"biggest": False}, "distillation": {"weight": 0.0}}
    plain, decayed = (
        _run(supernet, _config(regularisation={"weight_decay": factor}, **rest))
        for factor in (0.0, 0.5)
    )
    np.testing.assert_array_equal(_flat(plain.gradients), _flat(decayed.gradients))


@pytest.mark.parametrize(
    ("children", "expected"),
    [("biggest", {"biggest"}), ("all", {"biggest", "smallest", "random1"})],
)
def test_dropout_is_for_the_regularised_children(
    supernet: Supernet, children: str, expected: set[str]
) -> None:
    config = _config(distillation={"weight": 0.0}, regularisation={"children": children})
    plain = _losses(_run(supernet, config))
    supernet.dropout_rate = 0.5
    first, again = (_losses(_run(supernet, config)) for _ in range(2))
    assert {role for role in plain if first[role] != plain[role]} == expected
    assert first == again


def test_dropout_differs_between_steps(supernet: Supernet) -> None:
    supernet.dropout_rate = 0.5
    alone = _config(sandwich={"smallest": False, "num_random": 0})
    assert _losses(_run(supernet, alone, step=1)) != _losses(_run(supernet, alone, step=2))


@pytest.mark.parametrize(
    ("weight", "expected"), [(1.0, {"biggest"}), (0.0, {"biggest", "smallest", "random1"})]
)
def test_label_smoothing_is_for_all_that_see_labels(
    supernet: Supernet, weight: float, expected: set[str]
) -> None:
    def smoothed_by(smoothing: float) -> dict[str, float]:
        rules = {"label_smoothing": smoothing}
        config = _config(distillation={"weight": weight}, regularisation=rules)
        return _losses(_run(supernet, config))

    plain, smoothed = smoothed_by(0.0), smoothed_by(0.2)
    assert {role for role in plain if smoothed[role] != plain[role]} == expected


def test_each_child_may_see_a_patch_of_its_own(supernet: Supernet) -> None:
    """Against runs in which all see the same patch."""
    flipped = tf.reverse(runs.patches(), [0])
    views = [runs.patches(), flipped, runs.patches() // 2]
    config = _config(distillation={"weight": 0.0}, sandwich={"same_patch": False})
    found = _losses(_run(supernet, config, patches=tf.stack(views, 1)))
    shared = _config(distillation={"weight": 0.0})
    expected = [_losses(_run(supernet, shared, patches=view)) for view in views]
    for index, role in enumerate(["biggest", "smallest", "random1"]):
        assert found[role] == pytest.approx(expected[index][role], rel=1e-6)
        assert len({losses_of[role] for losses_of in expected}) == len(views)


def test_label_smoothing_reaches_the_biggest(supernet: Supernet) -> None:
    result = _run(supernet, _config(regularisation={"label_smoothing": 0.2}))
    expected = losses.supervised(runs.labels(), result.logits, 0.2)
    assert _losses(result)["biggest"] == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "roles"),
    [
        ({"smallest": False}, ["biggest", "random1"]),
        ({"num_random": 0}, ["biggest", "smallest"]),
        ({"biggest": False}, ["smallest", "random1"]),
        ({"alone": "smallest"}, ["alone"]),
    ],
)
def test_ablations_of_the_children(
    supernet: Supernet, changes: dict[str, Any], roles: list[str]
) -> None:
    weight = 1.0 if changes.get("biggest", True) else 0.0
    result = _run(supernet, _config(sandwich=changes, distillation={"weight": weight}))
    assert list(result.losses) == roles
    assert np.isfinite(_flat(result.gradients)).all()
    assert len(result.gradients) == len(supernet.trainable_variables)


def test_a_child_alone_learns_from_labels_and_is_regularised(supernet: Supernet) -> None:
    config = _config(sandwich={"alone": "smallest"}, regularisation={"weight_decay": 0.5})
    result = _run(supernet, config)
    logits = _logits(supernet, supernet.space.smallest(), 8)
    expected = losses.supervised(runs.labels(), logits)
    assert _losses(result)["alone"] == pytest.approx(float(expected), rel=1e-6)
    supernet.dropout_rate = 0.5
    assert _losses(_run(supernet, config)) != _losses(result)
