"""Arithmetic of channels for integers, NumPy arrays and TensorFlow tensors alike."""

from __future__ import annotations

from typing import Any

Count = Any  # int, NumPy array or TensorFlow tensor


def rounded(count: Count, divisor: int) -> Count:
    """The nearest multiple of `divisor`, but at least nine tenths of `count`.

    So MobileNet rounds channels (`make_divisible` in tensorflow/models, slim). Halves go up, and
    no count above 0 becomes 0.
    """
    if divisor == 1:
        return count
    nearest = (count + divisor // 2) // divisor * divisor
    least = -(-9 * count // (10 * divisor)) * divisor
    # The larger of the two, by operations that tensors have too.
    return (nearest + least + abs(nearest - least)) // 2
