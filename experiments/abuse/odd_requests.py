"""Requests that nobody should send: damaged images, and pixels of any shape, type and value."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_DTYPES = ("uint8", "float32", "float64", "int64", "int32", "bool", "float16", "int8")
Feeds = Mapping[str, np.ndarray]


def odd_bytes(rng: np.random.Generator, good: bytes) -> bytes:
    """An image file that is damaged, cut, or none at all."""
    kind = rng.integers(5)
    if kind == 0:
        return bytes(rng.integers(0, 256, rng.integers(0, 400)).astype(np.uint8))
    if kind == 1:
        return good[: rng.integers(len(good))]
    if kind == 2:
        return good + bytes(rng.integers(0, 9))
    changed = bytearray(good)
    for place in rng.integers(0, len(good), rng.integers(1, 9)):
        changed[place] ^= int(rng.integers(1, 256))
    return bytes(changed) * int(rng.integers(1, 3))


def odd_array(rng: np.random.Generator) -> np.ndarray:
    """Pixels of any shape, type and value."""
    shape = rng.integers(0, 40, rng.integers(0, 6))
    if rng.random() < 0.3:
        shape = np.array([rng.integers(0, 4), *rng.integers(1, 60, 2), rng.choice([1, 3])])
    values = rng.normal(128, rng.choice([1, 100, 1e30]), np.minimum(shape, 40))
    if rng.random() < 0.2:
        values = np.full_like(values, rng.choice([np.nan, np.inf, -np.inf, -0.0]))
    with np.errstate(all="ignore"):
        return values.astype(rng.choice(_DTYPES))


def odd_feeds(rng: np.random.Generator, good: bytes) -> tuple[str, Feeds]:
    """A signature's key, and an array for its input."""
    if rng.random() < 0.5:
        images = [odd_bytes(rng, good) for _ in range(rng.integers(0, 4))]
        return "image_bytes", {"image_bytes": np.array([*images, good][-3:], object)}
    key, name = [
        ("serving_default", "images"), ("float_images", "images"), ("patches", "patches")
    ][rng.integers(3)]  # fmt: skip
    return key, {name: odd_array(rng)}
