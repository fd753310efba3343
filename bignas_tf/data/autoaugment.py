"""AutoAugment's V0 policy with every random choice fixed by a seed.

The operations, their levels and the policy are the Model Garden's; its own selection draws from
the global generator, so that a resumed run would see other images.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf
from official.vision.ops import augment

_LEVELS = 10.0
_FILL = [128, 128, 128]
_CUTOUT = 100  # V0 has no Cutout; the Model Garden's table asks for it
_TRANSLATE = 250 / 224  # the Model Garden's 250 pixels, as a share of the paper's patch
# Operations that go either way: the greatest amount (degrees, slope, share of the patch).
_SIGNED = {
    "Rotate": 30.0,
    "ShearX": 0.3,
    "ShearY": 0.3,
    "TranslateX": _TRANSLATE,
    "TranslateY": _TRANSLATE,
}

Step = tuple[str, float, float]  # operation, probability, level


def distort(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Applies one of the 25 sub-policies.

    Args:
      image: uint8 [S, S, 3].
      seed: int64 [2].

    Returns:
      uint8 [S, S, 3].
    """
    policies = augment.AutoAugment.policy_v0()
    longest = max(map(len, policies))
    draws = tf.random.stateless_uniform([1 + 2 * longest], seed)
    chosen = tf.cast(draws[0] * len(policies), tf.int32)
    chances, signs = draws[1 : 1 + longest], tf.sign(draws[1 + longest :] - 0.5)
    branches = [functools.partial(_apply, image, policy, chances, signs) for policy in policies]
    return tf.ensure_shape(tf.switch_case(chosen, branches), image.shape)


def _apply(image: tf.Tensor, policy: list[Step], chances: tf.Tensor, signs: tf.Tensor) -> tf.Tensor:
    for index, (name, probability, level) in enumerate(policy):
        change = _operation(name, level, signs[index], image)
        image = tf.cond(chances[index] < probability, change, lambda kept=image: kept)
    return image


def _operation(
    name: str, level: float, sign: tf.Tensor, image: tf.Tensor
) -> Callable[[], tf.Tensor]:
    function = augment.NAME_TO_FUNC[name]
    if name not in _SIGNED:
        return functools.partial(function, image, *augment.level_to_arg(_CUTOUT, 0)[name](level))
    amount = level / _LEVELS * _SIGNED[name]
    if name.startswith("Translate"):
        amount *= image.shape[0]
    return functools.partial(function, image, amount * sign, replace=_FILL)
