"""Small children with random weights, ready to be exported."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tf_keras

from bignas_tf.data import decode, resize
from bignas_tf.exports import saved_model
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space.architecture import Architecture
from tests.modeling import helpers
from tests.search_space import spaces

SPACE = spaces.tiny()
LABELS = ["cat", "a/b", "tab\t", "nul\0", "\u732b"]


def servable(
    architecture: Architecture, centre: decode.Centre = decode.WHOLE, **changes: Any
) -> saved_model.Servable:
    """A child on 3-channel patches of the space's base resolution; equal ones every time."""
    tf_keras.utils.set_random_seed(0)
    child = child_lib.build_child(SPACE, architecture, helpers.CLASSES)
    side, rng = SPACE.base_resolution, np.random.default_rng(0)
    patches = rng.integers(0, 256, (4, side, side, 3)).astype(np.uint8)
    images = resize.resize_patches(patches, architecture.resolution)
    logits = child(images, training=False).numpy()
    made = saved_model.Servable(child, {"macs": 1}, patches, logits, LABELS, centre)
    return dataclasses.replace(made, **changes)
