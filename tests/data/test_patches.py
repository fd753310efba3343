"""Several patches of each image: for children that do not see the same one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import config as config_lib
from bignas_tf.data import inputs
from tests.data import samples

PATCHES = 3


@pytest.fixture(scope="module", params=["shifted", "cut", "distorted"])
def config(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> config_lib.DataConfig:
    """Digits from memory, digits from a stream, photographs: each varied in another way."""
    if request.param != "distorted":
        return samples.digits(crop="pad" if request.param == "shifted" else "inception")
    root = samples.write_folder(tmp_path_factory.mktemp("photographs"))
    return config_lib.DataConfig(
        source="folder", input_path=str(root), tfds_split="train", base_size=16,
        num_classes=samples.CLASSES, crop="none", flip=False, autoaugment=True,
        global_batch_size=12, is_training=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def several(config: config_lib.DataConfig) -> list[tuple[np.ndarray, np.ndarray]]:
    """Three batches of patches of each image."""
    return samples.batches(inputs.build_dataset(config, patches=PATCHES), 3)


def test_the_first_patch_is_the_one_there_would_be_alone(
    config: config_lib.DataConfig, several: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    alone = samples.batches(inputs.build_dataset(config), 2)
    for (pixels, labels), (expected, expected_labels) in zip(several[:2], alone, strict=True):
        batch, *shape = expected.shape
        assert pixels.shape == (batch, PATCHES, *shape)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels[:, 0], expected)
        np.testing.assert_array_equal(labels, expected_labels)


def test_the_patches_of_an_image_differ(several: list[tuple[np.ndarray, np.ndarray]]) -> None:
    pixels, _ = several[0]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        same = [np.array_equal(image[one], image[other]) for image in pixels]
        # Chance: a shift is one of 5 each way. Had only the mirroring been drawn, half of the
        # digits would agree; AutoAugment leaves a few photographs as they are.
        assert np.mean(same) < 0.25


def test_they_are_patches_of_the_same_image() -> None:
    """Of a mirrored digit, one of two views is the image itself."""
    plain = samples.digits(crop="none", flip=False)
    ((whole, _),) = samples.batches(inputs.build_dataset(plain), 1)
    mirrored = inputs.build_dataset(plain.replace(flip=True), patches=PATCHES)
    ((pixels, _),) = samples.batches(mirrored, 1)
    for image, views in zip(whole, pixels, strict=True):
        for view in views:
            assert np.array_equal(view, image) or np.array_equal(view, image[:, ::-1])


def test_a_resumed_stream_goes_on_exactly(
    config: config_lib.DataConfig, several: list[tuple[np.ndarray, np.ndarray]]
) -> None:
    resumed = inputs.build_dataset(config, start_step=2, patches=PATCHES)
    np.testing.assert_array_equal(samples.batches(resumed, 1)[0][0], several[2][0])


def test_replicas_share_the_batch_of_one() -> None:
    config = samples.digits()
    ((expected, _),) = samples.batches(inputs.build_dataset(config, patches=PATCHES), 1)
    context = tf.distribute.InputContext(1, 0, 2)
    parts = samples.batches(inputs.build_dataset(config, context, patches=PATCHES), 2)
    np.testing.assert_array_equal(np.concatenate([pixels for pixels, _ in parts]), expected)
