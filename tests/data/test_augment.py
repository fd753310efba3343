"""Augmentations do what their draws say and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from official.vision.ops import augment as garden
from sklearn import datasets

from bignas_tf.data import augment, autoaugment, distortions, shuffling
from tests.data import samples


def _shift(patches: np.ndarray, draw: list[float], pad: int, flip: bool) -> np.ndarray:
    draws = tf.constant([draw] * len(patches))
    return augment.shift_and_mirror(tf.constant(patches), draws, pad, flip).numpy()


@pytest.mark.parametrize("mirror", [False, True])
def test_shift_and_mirror_equals_numpy(mirror: bool) -> None:
    patches = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    # pad 2: five offsets; 0.9 * 5 is offset 4, 0.3 * 5 is offset 1.
    found = _shift(patches, [0.9, 0.3, 0.1 if mirror else 0.9], pad=2, flip=True)
    padded = np.pad(patches, [(0, 0), (2, 2), (2, 2), (0, 0)])
    expected = padded[:, 4:12, 1:9]
    np.testing.assert_array_equal(found, expected[:, :, ::-1] if mirror else expected)


def test_no_flip_and_no_pad_change_nothing() -> None:
    patches = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    np.testing.assert_array_equal(_shift(patches, [0.2, 0.8, 0.0], 0, False), patches)


def test_autoaugment_depends_on_its_seed_alone() -> None:
    image = tf.constant(samples.pictures(1)[0][:24, :24])
    distort = tf.function(autoaugment.distort)
    seeds = [tf.constant([7, number], tf.int64) for number in range(40)]
    first = [distort(image, seed).numpy() for seed in seeds]
    again = [distort(image, seed).numpy() for seed in reversed(seeds)][::-1]
    np.testing.assert_array_equal(first, again)
    assert first[0].shape == (24, 24, 3)
    assert len({each.tobytes() for each in first}) > 20


_GREY = [128, 128, 128]


def _filled_with_zeros(images: tf.Tensor, transforms: tf.Tensor, **_: object) -> tf.Tensor:
    """TensorFlow 1's `contrib.image.transform`, whose zeros `garden.unwrap` replaces by grey."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        fill_mode="CONSTANT",
        interpolation="NEAREST",
    )


@pytest.mark.parametrize(
    ("operation", "found", "amounts"),
    [
        ("Equalize", lambda image, _: distortions.equalize(image), [None]),
        ("Solarize", distortions.solarize, [51, 204]),
        ("SolarizeAdd", distortions.solarize_add, [33, 77]),
        ("Color", distortions.color, [0.1, 0.82, 1.72]),
        ("Rotate", distortions.rotate, [-27.0, 0.0, 15.0]),
        ("ShearX", distortions.shear_x, [-0.27, 0.12]),
        ("ShearY", distortions.shear_y, [-0.21, 0.24]),
        ("TranslateY", distortions.translate_y, [-64.29, 20.0, 0.5, -0.5, 64.29]),
    ],
)
def test_distortions_are_efficientnets(
    operation: str,
    found: Callable[..., tf.Tensor],
    amounts: list[float | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The Model Garden's, with EfficientNet's filling in place of reflection."""
    monkeypatch.setattr(garden, "_apply_transform_to_images", _filled_with_zeros)
    photo = datasets.load_sample_images().images[0][100:164, 200:264]
    flat = np.full_like(photo, 7)
    for image in (photo, photo // 4 + 20, flat):
        for amount in amounts:
            arguments = [] if amount is None else [amount]
            arguments += [_GREY] if operation in garden.REPLACE_FUNCS else []
            expected = garden.NAME_TO_FUNC[operation](tf.constant(image), *arguments).numpy()
            patch = found(tf.constant(image), tf.constant(amount or 0.0)).numpy()
            # Of 4096 places one may lie half-way between two pixels, and go to the other.
            assert np.mean((patch != expected).any(axis=-1)) <= 1 / 4096


@pytest.mark.parametrize("pixels", [225.0, -225.0])
def test_the_policys_translation_leaves_nothing_but_grey(pixels: float) -> None:
    image = tf.zeros([224, 224, 3], tf.uint8)
    assert np.unique(distortions.translate_y(image, tf.constant(pixels))) == [128]


def test_every_operation_of_the_policy_is_drawn() -> None:
    image = tf.constant(datasets.load_sample_images().images[0][100:124, 200:224])
    distort = tf.function(autoaugment.distort)
    patches = [distort(image, tf.constant([1, each], tf.int64)).numpy() for each in range(400)]
    # Of 400 patches a sub-policy changes 16 on average; what it makes is seldom met elsewhere.
    for policy in garden.AutoAugment.policy_v0():
        name, probability, level = policy[0]
        if probability < 0.6 or name in ("Rotate", "ShearX", "ShearY", "TranslateY"):
            continue
        arguments = garden.level_to_arg(0, 0)[name](level)
        alone = garden.NAME_TO_FUNC[name](image, *arguments).numpy()
        assert any(np.array_equal(alone, patch) for patch in patches), policy


@pytest.mark.parametrize("count", [1, 2, 7, 1000, 65_536, 65_537, 65_538, 262_145])
def test_permute_is_a_permutation_of_its_own_each_epoch(count: int) -> None:
    index = tf.range(count, dtype=tf.int64)
    orders = [shuffling.permute(index, count, 3, tf.constant(epoch)).numpy() for epoch in (0, 1)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
    if count == 1000:
        assert np.mean(orders[0] == orders[1]) < 0.02
        # Neighbours end up apart: their mean distance in a random order is a third of its length.
        assert np.mean(np.abs(np.diff(orders[0]))) == pytest.approx(count / 3, rel=0.1)


def test_no_epoch_or_seed_repeats_after_256() -> None:
    index = tf.range(1000, dtype=tf.int64)
    first = shuffling.permute(index, 1000, 3, tf.constant(0))
    for seed, epoch in [(3, 256), (3, 512), (259, 0), (3 + (1 << 24), 0), (-4, 0)]:
        order = shuffling.permute(index, 1000, seed, tf.constant(epoch))
        assert np.mean(order.numpy() == first.numpy()) < 0.02
