"""The two supernets that are measured, and images for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras

from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.training import models
from bignas_tf.training.configs import BigNASConfig

from . import harness


@dataclasses.dataclass(frozen=True)
class Case:
    """A search space and what goes through it.

    Attributes:
      search_space: a preset, or a YAML file.
      batch_size: images of a step.
      channels: of the images.
      classes: outputs of the classifier.
      calibrated, scored: images of a candidate.
      num_random: random children of a step.
    """

    search_space: str
    batch_size: int
    channels: int
    classes: int
    calibrated: int
    scored: int
    num_random: int = 2

    def given(self, settings: harness.Settings) -> Case:
        """This case with what the user chose instead."""
        scored = settings.images or self.scored
        return dataclasses.replace(
            self,
            search_space=settings.search_space or self.search_space,
            batch_size=settings.batch_size or self.batch_size,
            scored=scored,
            calibrated=min(self.calibrated, scored),
        )

    def config(self, execution: str = "slice") -> BigNASConfig:
        """The default rules of training for this case."""
        config = BigNASConfig()
        config.model.search_space = self.search_space
        config.model.execution = execution
        config.sandwich.num_random = self.num_random
        config.train_data.num_classes = self.classes
        config.train_data.channels = self.channels
        return config

    def supernet(self, execution: str = "slice") -> Supernet:
        """Fresh weights, the same for each execution."""
        tf_keras.utils.set_random_seed(0)
        return models.build_supernet(self.config(execution), presets.get(self.search_space))

    def images(self, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Random uint8 patches [count, base, base, channels] and int32 labels [count]."""
        side, rng = presets.get(self.search_space).base_resolution, np.random.default_rng(0)
        patches = rng.integers(0, 256, [count, side, side, self.channels], np.uint8)
        return tf.constant(patches), tf.constant(rng.integers(0, self.classes, count, np.int32))


PAPER = Case("bignas_imagenet", 8, 3, 1000, calibrated=64, scored=256)
SMALL = Case("bignas_small", 64, 1, 10, calibrated=512, scored=2000)
