"""A user's own teacher: a SavedModel in place of the biggest child (ours)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bignas_tf import errors, saved_models
from bignas_tf.data.config import DataConfig

SIGNATURE, LOGITS = "patches", "logits"


def load(folder: str, data: DataConfig) -> Callable[[tf.Tensor], tf.Tensor]:
    """Loads a teacher; any version that `tools.export` wrote is one.

    Its signature 'patches' takes uint8 [N, base_size, base_size, channels] with pixels from 0 to
    255 and gives float32 'logits' [N, classes].

    Args:
      folder: of the SavedModel.
      data: the run's training data, whose patches and classes the teacher must know.

    Raises:
      UsageError: it is not a SavedModel, lacks the signature, or takes other patches or
        classes.
    """
    where = f"task.distillation.teacher {folder!r}"
    model = saved_models.load(folder, where)
    if SIGNATURE not in model.signatures:
        raise errors.UsageError(
            f"{where} has the signatures {sorted(model.signatures)}; {SIGNATURE!r} is needed"
        )
    signature = model.signatures[SIGNATURE]
    _check(where, signature, data)

    def teacher(patches: tf.Tensor) -> tf.Tensor:
        # `model` is captured: graphs hold their variables weakly.
        assert model is not None
        return tf.cast(signature(**{SIGNATURE: patches})[LOGITS], tf.float32)

    return teacher


def _check(where: str, signature: Any, data: DataConfig) -> None:
    side = data.base_size
    given = signature.structured_input_signature[1]
    spec, expected = given.get(SIGNATURE), [None, side, side, data.channels]
    fits = spec is not None and spec.dtype == tf.uint8 and spec.shape.is_compatible_with(expected)
    fits = fits and (spec.shape.rank is None or spec.shape[0] is None)  # a batch of any size
    if list(given) != [SIGNATURE] or not fits:
        raise errors.UsageError(
            f"{where} takes {given}; its {SIGNATURE!r} must take any number of uint8 patches of "
            f"{expected[1:]}"
        )
    answer = signature.structured_outputs.get(LOGITS)
    if answer is None or not answer.shape.is_compatible_with([None, data.num_classes]):
        raise errors.UsageError(
            f"{where} answers with {signature.structured_outputs}; {LOGITS!r} of "
            f"{data.num_classes} classes are needed"
        )
