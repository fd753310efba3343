"""Batch norm statistics of children, from training images (paper, Section 3.1)."""

from __future__ import annotations

import numpy as np


class PooledMoments:
    """Pools moments of equal batches into those of all their images.

    Variances include the variance between the batches' means, so that the result
    does not depend on how images were grouped. Sums are float64 and belong to one
    instance: nothing carries over to the next children.
    """

    def __init__(self) -> None:
        self._batches = 0
        self._mean: np.ndarray | float = 0.0
        self._square: np.ndarray | float = 0.0

    def add(self, moments: np.ndarray) -> None:
        """Adds a batch's means and variances, float32 [..., 2, channels]."""
        mean, variance = np.moveaxis(np.asarray(moments, np.float64), -2, 0)
        self._batches += 1
        self._mean = self._mean + mean
        self._square = self._square + variance + mean**2

    def result(self) -> np.ndarray:
        """Means and variances of all images, float32 [..., 2, channels].

        Raises:
          ValueError: no batch was added.
        """
        if not self._batches:
            raise ValueError("no batch to calibrate on")
        mean = self._mean / self._batches
        variance = np.maximum(self._square / self._batches - mean**2, 0.0)
        return np.stack([mean, variance], -2).astype(np.float32)
