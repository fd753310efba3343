"""RMSProp as TensorFlow 1 has it, or as Keras has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras
from official.modeling.optimization.configs import optimizer_config


@dataclasses.dataclass
class RMSPropConfig(optimizer_config.RMSPropConfig):
    """The Model Garden's, and the start of `RMSprop`."""

    initial_mean_square: float = 0.0


class RMSprop(tf_keras.optimizers.legacy.RMSprop):
    """RMSProp whose running mean of squared gradients starts where it is told.

    Args:
      initial_mean_square: 0 is Keras' start, with which the first steps are about 1 / sqrt(1 - rho)
        times as long as later ones. 1 is that of `tf.train.RMSPropOptimizer` in TensorFlow 1, which
        EfficientNet trains with: the first steps are short.
      **kwargs: those of Keras.
    """

    def __init__(self, initial_mean_square: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._initial_mean_square = initial_mean_square

    def _create_slots(self, var_list: Sequence[tf.Variable]) -> None:
        start = tf_keras.initializers.Constant(self._initial_mean_square)
        for variable in var_list:
            self.add_slot(variable, "rms", start)  # Keras keeps a slot that is there
        super()._create_slots(var_list)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"initial_mean_square": self._initial_mean_square}
