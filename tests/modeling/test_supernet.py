"""How a supernet starts, what it carries, and its types."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf.layers import elastic
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import blocks, presets
from tests.modeling import helpers
from tests.search_space import spaces


@pytest.fixture
def mixed_bfloat16() -> Iterator[None]:
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    tf_keras.mixed_precision.set_global_policy("float32")


def _gammas(supernet: Supernet) -> dict[str, np.ndarray]:
    norms = {"stem": supernet.stem_norm, "head": supernet.head_norm}
    for layer in supernet.blocks:
        for name in ("expand_norm", "depthwise_norm", "project_norm", "skip_norm"):
            if hasattr(layer, name):
                norms[f"{layer.name}/{name}"] = getattr(layer, name)
    return {name: norm.gamma.numpy() for name, norm in norms.items()}


@pytest.mark.parametrize("zero", [False, True])
def test_only_the_last_gamma_of_each_residual_starts_at_0(zero: bool) -> None:
    supernet = Supernet(spaces.tiny(), helpers.CLASSES, zero_init_gamma=zero)
    gammas = _gammas(supernet)
    last = {name for name in gammas if name.endswith("project_norm")}
    assert len(last) == len(supernet.blocks)
    for name, gamma in gammas.items():
        np.testing.assert_array_equal(
            gamma, np.full_like(gamma, 0.0 if name in last and zero else 1.0)
        )


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_with_gamma_0_a_later_block_is_the_identity(masked: bool) -> None:
    supernet = Supernet(spaces.tiny(), helpers.CLASSES)
    table = blocks.widest(supernet.space)
    later = [(layer, block) for layer, block in zip(supernet.blocks, table.blocks, strict=True)
             if block.skip == "fitted"]  # fmt: skip
    assert len(later) == 1 + 2 + 2
    for layer, block in later:
        x = tf.random.stateless_normal([2, 5, 5, block.in_width], [3, 4])
        np.testing.assert_array_equal(layer(x, block, elastic.Pass(masked=masked)), x)


def test_the_fingerprint_is_carried_and_not_trained() -> None:
    supernet = Supernet(spaces.tiny(), helpers.CLASSES)
    assert supernet.fingerprint.numpy() == spaces.tiny().fingerprint()
    assert any(weight is supernet.fingerprint for weight in supernet.non_trainable_weights)
    assert not any(weight is supernet.fingerprint for weight in supernet.trainable_weights)


def test_a_checkpoint_restores_weights_and_fingerprint(tmp_path: pathlib.Path) -> None:
    saved, restored = (helpers.supernet_of(spaces.tiny(), seed=seed) for seed in (0, 1))
    path = tf.train.Checkpoint(model=saved).write(str(tmp_path / "checkpoint"))
    restored.fingerprint.assign(0)
    tf.train.Checkpoint(model=restored).read(path).assert_consumed()
    assert restored.fingerprint.numpy() == spaces.tiny().fingerprint()
    for one, other in zip(saved.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_weights_exist_before_the_first_call() -> None:
    supernet = helpers.supernet_of(spaces.tiny())
    before = len(supernet.weights)
    supernet(helpers.images_for(12), spaces.tiny().smallest())
    assert len(supernet.weights) == before


def test_an_unknown_execution_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'slices'.*slice.*mask"):
        Supernet(spaces.tiny(), helpers.CLASSES, execution="slices")


def test_dropout_needs_training_and_a_seed() -> None:
    space = spaces.tiny()
    supernet = helpers.supernet_of(space)
    supernet.dropout_rate = 0.5
    images, child = helpers.images_for(12), space.smallest()

    def logits(**forward: object) -> np.ndarray:
        return supernet(images, child, **forward).numpy()

    plain = logits()
    np.testing.assert_array_equal(plain, logits(training=True))
    np.testing.assert_array_equal(plain, logits(dropout_seed=tf.constant([1, 2])))
    dropped = logits(training=True, dropout_seed=tf.constant([1, 2]))
    assert not np.allclose(dropped, plain)
    np.testing.assert_array_equal(dropped, logits(training=True, dropout_seed=tf.constant([1, 2])))
    assert not np.allclose(dropped, logits(training=True, dropout_seed=tf.constant([1, 3])))


def test_slices_and_masks_drop_the_same() -> None:
    space = spaces.tiny()
    sliced, masked = (helpers.supernet_of(space, execution) for execution in ("slice", "mask"))
    code = helpers.code_of(space, space.with_resolution(space.smallest(), 12))

    def logits(supernet: Supernet) -> np.ndarray:
        supernet.dropout_rate = 0.5
        return supernet(
            helpers.images_for(12), code, training=True, dropout_seed=tf.constant([1, 2])
        ).numpy()

    # Float32 sums of other lengths; a single feature dropped by one alone moves a logit by 0.01.
    np.testing.assert_allclose(logits(sliced), logits(masked), atol=1e-4)


@pytest.mark.parametrize("execution", ["slice", "mask"])
def test_with_masks_static_children_are_compiled_too(execution: str) -> None:
    space = spaces.tiny()
    supernet = Supernet(space, helpers.CLASSES, execution=execution)
    forward = supernet._pass(space.biggest())
    assert (forward.masked, forward.compiled) == (False, execution == "mask")


@pytest.mark.parametrize("channels", [1, 2])
def test_images_may_have_other_channels(channels: int) -> None:
    space = presets.bignas_small()
    supernet = Supernet(space, helpers.CLASSES, input_channels=channels)
    images = helpers.images_for(20)[..., :channels]
    assert supernet(images, space.smallest()).shape == (helpers.BATCH, helpers.CLASSES)


@pytest.mark.parametrize("execution", ["slice", "mask"])
@pytest.mark.usefixtures("mixed_bfloat16")
def test_mixed_bfloat16_computes_in_bfloat16_and_answers_in_float32(execution: str) -> None:
    space = spaces.tiny()
    supernet = helpers.supernet_of(space, execution)
    assert {weight.dtype for weight in supernet.trainable_weights} == {tf.float32}
    tf_keras.mixed_precision.set_global_policy("float32")
    exact = helpers.supernet_of(space)
    child = space.smallest()
    images, code = helpers.images_for(12), helpers.code_of(space, child)
    logits, expected = supernet(images, code), exact(images, child)
    assert logits.dtype == tf.float32
    difference = helpers.relative_difference([logits.numpy()], [expected.numpy()])
    # Above 0: something did run in bfloat16. Each of some fifty operations rounds by 0.4% at
    # most, in either direction, which adds up to 0.4% times the root of fifty.
    assert 0.0 < difference < 3e-2
    # The logits were not rounded on their way to the loss: most have digits that bfloat16 lacks.
    rounded = tf.cast(tf.cast(logits, tf.bfloat16), tf.float32)
    assert np.mean(logits.numpy() != rounded.numpy()) > 0.9
