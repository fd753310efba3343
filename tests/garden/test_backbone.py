"""A child as the Model Garden sees it: levels, normalisation, regularisation, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.vision.configs import common
from official.vision.modeling.backbones import factory
from official.vision.ops import preprocess_ops

from bignas_tf import errors
from bignas_tf.data import resize
from bignas_tf.exports import trainable
from bignas_tf.garden import backbone, experiments
from bignas_tf.garden.config import Backbone
from tests.exports import stored

SIDE = 16


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> stored.Stored:
    return stored.child_in(tmp_path_factory.mktemp("grey") / "1", channels=1)


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> stored.Stored:
    return stored.child_in(tmp_path_factory.mktemp("colour") / "1")


def _build(
    made: stored.Stored, channels: int = 3, l2: float = 0.0, **fields: Any
) -> backbone.ChildBackbone:
    """Through the Garden's own factory."""
    config = Backbone()
    config.bignas_child.override({"export_dir": str(made.folder), **fields})
    return factory.build_backbone(
        input_specs=tf_keras.layers.InputSpec(shape=[None, SIDE, SIDE, channels]),
        backbone_config=config,
        norm_activation_config=common.NormActivation(norm_momentum=0.75, use_sync_bn=True),
        l2_regularizer=tf_keras.regularizers.L2(l2) if l2 else None,
    )


@pytest.fixture(scope="module")
def built(colour: stored.Stored) -> backbone.ChildBackbone:
    return _build(colour)


@pytest.fixture(scope="module")
def expected(colour: stored.Stored) -> np.ndarray:
    """What the child itself makes of `_pixels`."""
    features = trainable.backbone(colour.folder, SIDE, SIDE)
    return features(resize.resize_patches(_pixels(), SIDE))["2"].numpy()


def _pixels(channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, [2, SIDE, SIDE, channels]).astype(np.uint8)


def test_images_of_the_garden_s_pipelines_become_what_the_child_was_trained_on(
    built: backbone.ChildBackbone, expected: np.ndarray
) -> None:
    actual = built(preprocess_ops.normalize_image(_pixels()))  # as its parsers and exports do
    assert list(actual) == list(built.output_specs) == ["2"]
    assert built.output_specs["2"] == [None, SIDE // 4, SIDE // 4, 8]
    np.testing.assert_allclose(actual["2"], expected, rtol=1e-4)


def test_another_normalisation_and_a_regulariser_are_settings(
    colour: stored.Stored, expected: np.ndarray
) -> None:
    other = _build(colour, l2=0.5, mean=[10.0, 20.0, 30.0], stddev=[2.0, 3.0, 4.0])
    given = (tf.cast(_pixels(), tf.float32) - [10.0, 20.0, 30.0]) / [2.0, 3.0, 4.0]
    np.testing.assert_allclose(other(given)["2"], expected, rtol=1e-4)
    layers = other.get_layer("features").layers
    kernels = [each.kernel for each in layers if hasattr(each, "kernel")]
    squares = sum(float(tf.reduce_sum(kernel**2)) for kernel in kernels)
    np.testing.assert_allclose(sum(map(float, other.losses)), 0.5 * squares, rtol=1e-5)


def test_a_child_of_grey_images_turns_colour_grey(grey: stored.Stored) -> None:
    pixels = np.repeat(_pixels(1), 3, axis=-1)
    expected = trainable.backbone(grey.folder, SIDE, SIDE)(
        resize.resize_patches(pixels[..., :1], SIDE)
    )
    actual = _build(grey)(preprocess_ops.normalize_image(pixels))
    # TensorFlow's weights of red, green and blue add up to 0.9999.
    np.testing.assert_allclose(actual["2"], expected["2"], rtol=1e-3)


def test_channels_that_do_not_fit_are_refused(colour: stored.Stored, grey: stored.Stored) -> None:
    with pytest.raises(errors.UsageError, match="reads 3 channels and the images have 1"):
        _build(colour, channels=1, mean=[0.0], stddev=[1.0])
    with pytest.raises(errors.UsageError, match="have 1, with a mean of 3 and a stddev of 1"):
        _build(grey, channels=1, stddev=[1.0])


@pytest.mark.parametrize("stddev", [[0.0, 1.0, 1.0], [float("nan")] * 3, [-1.0] * 3])
def test_a_normalisation_that_divides_by_nothing_is_refused(
    colour: stored.Stored, stddev: list[float]
) -> None:
    with pytest.raises(errors.UsageError, match="every stddev above 0"):
        _build(colour, stddev=stddev)


def test_a_backbone_needs_an_export() -> None:
    with pytest.raises(errors.UsageError, match=r"set task\.model\.backbone\.bignas_child\.export"):
        factory.build_backbone(
            tf_keras.layers.InputSpec(shape=[None, SIDE, SIDE, 3]),
            Backbone(),
            common.NormActivation(),
        )


def test_batch_norms_are_as_the_garden_says_but_for_their_epsilon(
    colour: stored.Stored, built: backbone.ChildBackbone
) -> None:
    layers = built.get_layer("features").layers
    norms = [each for each in layers if isinstance(each, tf_keras.layers.BatchNormalization)]
    assert {(each.momentum, each.synchronized, each.epsilon) for each in norms} == {
        (0.75, True, colour.space.style.epsilon)
    }
    assert not built.losses


def test_random_weights_are_a_setting(colour: stored.Stored) -> None:
    stem = _build(colour, pretrained=False).get_layer("features").get_layer("stem_conv")
    assert not np.array_equal(stem.get_weights()[0], colour.child.get_layer("stem_conv").kernel)


def test_frozen_it_computes_with_its_own_statistics(colour: stored.Stored) -> None:
    built, images = _build(colour), preprocess_ops.normalize_image(_pixels())
    assert not np.allclose(built(images, training=True)["2"], built(images, training=False)["2"])
    built.trainable = False  # what the Garden's `freeze_backbone` does
    before = built.get_weights()
    np.testing.assert_array_equal(
        built(images, training=True)["2"], built(images, training=False)["2"]
    )
    for left, right in zip(before, built.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_experiments_of_the_garden_take_a_child(colour: stored.Stored) -> None:
    for name in (experiments.RETINANET, experiments.SEGMENTATION, "maskrcnn_resnetfpn_coco"):
        config = experiments.on_child(name)
        config.override({"task": {"model": {"backbone": {"bignas_child": {"export_dir": "x/1"}}}}})
        plain = config.as_dict()["task"]["model"]["backbone"]
        assert plain["type"] == "bignas_child"
        assert plain["bignas_child"]["export_dir"] == "x/1"
        again = experiments.on_child(name)
        again.override(config.as_dict())
        assert again.as_dict() == config.as_dict()


@pytest.mark.parametrize("name", ["retinanet_child", "bert/pretraining"])
def test_what_has_no_backbone_is_refused(name: str) -> None:
    with pytest.raises(errors.UsageError, match=r"unknown experiment|has no backbone"):
        experiments.on_child(name)
