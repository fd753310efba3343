"""AutoAugment's V0 policy with every random choice fixed by a seed.

The operations, their levels and the policy are EfficientNet's. The Model Garden has them too, but
fills the edges in another way (see `distortions`), and draws from the global generator, so that a
resumed run would see other images.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from official.vision.ops import augment

from bignas_tf.data import distortions

_LEVELS = 10.0
# EfficientNet's 250 pixels, as a share of the paper's patch. The policy's level of 9 moves the
# whole image out of sight: 3.2% of all patches are grey.
_TRANSLATE = 250 / 224
# Operations that go either way: the greatest amount (degrees, slope, share of the patch).
_SIGNED = {"Rotate": 30.0, "ShearX": 0.3, "ShearY": 0.3, "TranslateY": _TRANSLATE}
_OPERATIONS: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "AutoContrast": lambda image, _: augment.autocontrast(image),
    "Color": distortions.color,
    "Equalize": lambda image, _: distortions.equalize(image),
    "Invert": lambda image, _: augment.invert(image),
    "Posterize": lambda image, bits: augment.posterize(image, tf.cast(bits, tf.uint8)),
    "Rotate": distortions.rotate,
    "ShearX": distortions.shear_x,
    "ShearY": distortions.shear_y,
    "Solarize": distortions.solarize,
    "SolarizeAdd": distortions.solarize_add,
    "TranslateY": distortions.translate_y,
}
_NAMES = list(_OPERATIONS)


def distort(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Applies one of the 25 sub-policies.

    Args:
      image: uint8 [S, S, 3].
      seed: int64 [2].

    Returns:
      uint8 [S, S, 3].
    """
    operations, probabilities, amounts = _tables(image.shape[0])
    policies, steps = operations.shape
    draws = tf.random.stateless_uniform([1 + 2 * steps], seed)
    chosen = tf.cast(draws[0] * policies, tf.int32)
    happens = draws[1 : 1 + steps] < tf.gather(probabilities, chosen)
    nothing = len(_NAMES)
    operation = tf.where(happens, tf.gather(operations, chosen), nothing)
    amount = tf.gather(amounts, chosen)
    signed = amount * tf.sign(draws[1 + steps :] - 0.5)
    for step in range(steps):
        # One switch a step: a branch for each sub-policy would make the graph five times as big,
        # and branches that are not taken cost time as well.
        branches = [
            functools.partial(change, image, (signed if name in _SIGNED else amount)[step])
            for name, change in _OPERATIONS.items()
        ]
        branches.append(functools.partial(tf.identity, image))
        changed = tf.switch_case(operation[step], branches)
        image = tf.ensure_shape(changed, image.shape)
    return image


@functools.cache
def _tables(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The policy for patches of that size: operation, probability and amount [25, 2]."""
    policies = augment.AutoAugment.policy_v0()
    operations = [[_NAMES.index(name) for name, _, _ in policy] for policy in policies]
    probabilities = [[probability for _, probability, _ in policy] for policy in policies]
    amounts = [[_amount(name, level, size) for name, _, level in policy] for policy in policies]
    return (
        np.array(operations, np.int32),
        np.array(probabilities, np.float32),
        np.array(amounts, np.float32),
    )


def _amount(name: str, level: float, size: int) -> float:
    if name in _SIGNED:
        return level / _LEVELS * _SIGNED[name] * (size if name == "TranslateY" else 1)
    arguments = augment.level_to_arg(0, 0)[name](level)
    # The Model Garden, too, keeps a threshold of 256 in a byte, as 0: everything is inverted.
    return arguments[0] % 256 if arguments else 0.0
