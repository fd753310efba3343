"""Served images become the very patches that evaluation cut."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import decode, inputs, sources
from bignas_tf.exports.intake import Intake
from tests.data import samples

SIZE = 20


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("crop", ["inception", "pad", "none"])
def test_files_become_what_evaluation_saw(tmp_path: pathlib.Path, crop: str, channels: int) -> None:
    root = samples.write_folder(tmp_path / "root")
    config = samples.digits(
        source="folder",
        input_path=str(root),
        base_size=SIZE,
        channels=channels,
        num_classes=samples.CLASSES,
        crop=crop,
        is_training=False,
    )
    ((expected, _),) = samples.batches(inputs.build_dataset(config))
    paths = [pathlib.Path(key) for key in sources.open_source(config).keys]
    intake = Intake(SIZE, channels, decode.evaluation_centre(crop))
    patches = intake.from_bytes(tf.constant([path.read_bytes() for path in paths])).numpy()
    np.testing.assert_array_equal(patches, expected)
    for path, patch in zip(paths, patches, strict=True):
        if path.suffix == ".jpg":  # a window differs a little from the whole
            continue
        image = tf.io.decode_image(path.read_bytes(), channels, expand_animations=False)
        images = tf.stack([image, 255 - image])
        for answer in (intake.from_pixels(images), intake.from_floats(tf.cast(images, tf.float32))):
            np.testing.assert_array_equal(answer[0], patch)
