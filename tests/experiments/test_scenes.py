"""Scenes are the same every time, and the Model Garden's decoders read what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from official.vision.dataloaders import segmentation_input, tf_example_decoder

from experiments import scenes


@pytest.fixture(scope="module")
def scene() -> scenes.Scene:
    return _scene(seed=2)


def _scene(seed: int) -> scenes.Scene:
    garments = np.zeros([3, 28, 28], np.uint8)
    garments[:, 4:24, 10:20] = np.array([100, 150, 200])[:, np.newaxis, np.newaxis]
    return scenes.draw(garments, np.arange(3), 64, np.random.default_rng(seed))


def test_a_seed_is_a_scene(scene: scenes.Scene) -> None:
    np.testing.assert_array_equal(_scene(seed=2).image, scene.image)
    assert not np.array_equal(_scene(seed=3).image, scene.image)


def test_detectors_read_boxes_classes_and_masks(scene: scenes.Scene) -> None:
    decoder = tf_example_decoder.TfExampleDecoder(include_mask=True)
    decoded = decoder.decode(tf.constant(scenes.example(scene, 7)))
    np.testing.assert_array_equal(decoded["image"], scene.image)
    assert decoded["source_id"] == b"7"
    assert len(scene.things) > 1
    for thing, label, box, mask in zip(
        scene.things,
        decoded["groundtruth_classes"],
        decoded["groundtruth_boxes"].numpy() * 64,
        decoded["groundtruth_instance_masks"].numpy(),
        strict=True,
    ):
        assert label == thing.label
        rows, columns = np.nonzero(mask)
        enclosing = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        np.testing.assert_allclose(box, enclosing)
        np.testing.assert_array_equal(mask * thing.label, scene.classes * mask)


def test_segmenters_read_a_class_for_each_pixel(scene: scenes.Scene) -> None:
    parser = segmentation_input.Parser([64, 64], aug_rand_hflip=False)
    decoded = segmentation_input.Decoder().decode(tf.constant(scenes.example(scene, 0)))
    _, labels = parser.parse_fn(is_training=False)(decoded)
    np.testing.assert_array_equal(labels["masks"][..., 0], scene.classes)
    assert set(np.unique(scene.classes)) == {0, *(thing.label for thing in scene.things)}
