"""Images that can be picked one by one, so that shuffling all of them costs nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from bignas_tf.data import shuffling


@dataclasses.dataclass(frozen=True, eq=False)
class Listed:
    """Encoded images, or the paths to them.

    Attributes:
      keys: [N] bytes or str: what `load` turns into an encoded image.
      labels: int64 [N].
      load: scalar string tensor -> scalar string tensor.
    """

    keys: np.ndarray
    labels: np.ndarray
    load: Callable[[tf.Tensor], tf.Tensor]

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.labels)

    def name(self, index: int) -> str:
        """How messages name an image."""
        key = self.keys[index]
        return str(key) if isinstance(key, str) else f"image {index}"

    def shared(self, other: object) -> int:
        """How many images both sources have, by their keys."""
        if not isinstance(other, Listed):
            return 0
        return len(set(self.keys.tolist()) & set(other.keys.tolist()))

    def part(self, start: int, stop: int) -> Listed:
        """The images start..stop-1."""
        part = slice(start, stop)
        return dataclasses.replace(self, keys=self.keys[part], labels=self.labels[part])

    def ordered(self) -> tf.data.Dataset:
        """Every image once, in order."""
        return tf.data.Dataset.from_tensor_slices((self.keys, self.labels)).map(self.decode)

    def epoch(self, epoch: tf.Tensor, seed: int, buffer: int) -> tf.data.Dataset:
        """Every image once, in that epoch's order. The buffer is not needed."""
        del buffer
        order = shuffling.permute(tf.range(self.count, dtype=tf.int64), self.count, seed, epoch)
        pairs = tf.gather(tf.constant(self.keys), order), tf.gather(self.labels, order)
        return tf.data.Dataset.from_tensor_slices(pairs)

    def decode(self, key: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The encoded image of an element of `epoch`."""
        return self.load(key), label
