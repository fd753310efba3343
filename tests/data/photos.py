"""Folders of small made-up photographs, written without TensorFlow."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import numpy as np
from PIL import Image


def write(
    root: pathlib.Path, images: Mapping[str, int], side: int = 24, coloured: bool = True
) -> pathlib.Path:
    """Writes `root/<folder>/<n>.png` for each folder, such as {"train/cat": 40}; returns root.

    The classes can be told apart: each has a direction in which its stripes run.
    """
    rng = np.random.default_rng(0)
    names = sorted({pathlib.PurePath(folder).name for folder in images})
    rows, columns = np.mgrid[:side, :side]
    for folder, count in images.items():
        angle = np.pi * names.index(pathlib.PurePath(folder).name) / len(names)
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            phase = rows * np.sin(angle) + columns * np.cos(angle) + rng.uniform(0, 6)
            grey = 128 + 90 * np.sin(phase) + rng.normal(0, 10, phase.shape)
            pixels = np.stack([grey, grey * rng.uniform(0.2, 0.8), 255 - grey], -1)
            pixels = np.clip(pixels if coloured else grey, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{number:03}.png")
    return root
