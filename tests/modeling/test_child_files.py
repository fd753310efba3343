"""A child is a Keras model like any other: it is saved, loaded and cloned as they are."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf.modeling import slicing
from bignas_tf.search_space import blocks
from tests.modeling import helpers
from tests.search_space import spaces

pytestmark = pytest.mark.slow

# Of `tiny`: one, of whose skips one cuts channels and another adds them.
CHILDREN = 1
Copy = Callable[[tf_keras.Model, pathlib.Path], Callable[[tf.Tensor], tf.Tensor]]


@functools.cache
def _children() -> list[tf_keras.Model]:
    net = helpers.supernet_of(spaces.tiny())
    statistics = slicing.uncalibrated(net)
    return [
        slicing.sliced_child(net, architecture, statistics)
        for architecture in helpers.children_of(net.space, CHILDREN)
    ]


def _keras_file(child: tf_keras.Model, folder: pathlib.Path) -> tf_keras.Model:
    child.save(folder / "child.keras")
    return tf_keras.models.load_model(folder / "child.keras")


def _hdf5_file(child: tf_keras.Model, folder: pathlib.Path) -> tf_keras.Model:
    with pytest.warns(UserWarning, match="HDF5"):  # Keras calls it a legacy format
        child.save(folder / "child.h5")
    return tf_keras.models.load_model(folder / "child.h5", compile=False)


def _clone(child: tf_keras.Model, folder: pathlib.Path) -> tf_keras.Model:
    clone = tf_keras.models.clone_model(child)
    clone.set_weights(child.get_weights())
    return clone


def _config_and_weights(child: tf_keras.Model, folder: pathlib.Path) -> tf_keras.Model:
    copy = tf_keras.Model.from_config(child.get_config())
    child.save_weights(folder / "child.weights.h5")
    copy.load_weights(folder / "child.weights.h5")
    return copy


def _saved_model_in_keras_3(
    child: tf_keras.Model, folder: pathlib.Path
) -> Callable[[tf.Tensor], tf.Tensor]:
    child.export(folder / "child")
    return keras.layers.TFSMLayer(folder / "child", call_endpoint="serve")


@pytest.mark.parametrize(
    "copy", [_keras_file, _hdf5_file, _clone, _config_and_weights, _saved_model_in_keras_3]
)
def test_a_copy_gives_the_same_logits(copy: Copy, tmp_path: pathlib.Path) -> None:
    for number, child in enumerate(_children()):
        folder = tmp_path / str(number)
        folder.mkdir()
        images = helpers.images_for(child.input_shape[1])
        expected = child(images, training=False).numpy()
        actual = copy(child, folder)(images).numpy()
        # The same operations in another graph: sums may be added in another order.
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_the_children_cut_and_add_channels() -> None:
    """What Keras could not save; without such children the test above would say little."""
    space = spaces.tiny()
    skips = [
        block.out_width - block.in_width
        for architecture in helpers.children_of(space, CHILDREN)
        for block in blocks.resolve_child(space, architecture).blocks
        if block.active and block.skip == "fitted"
    ]
    assert min(skips) < 0 < max(skips)
