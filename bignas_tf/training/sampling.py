"""Random children, the same on every replica and after resuming."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from bignas_tf.layers import stateless
from bignas_tf.search_space import space as space_lib
from bignas_tf.search_space.architecture import GENES_PER_LAYER
from bignas_tf.search_space.space import SearchSpace


def sample_resolution(space: SearchSpace, seed: tf.Tensor) -> tf.Tensor:
    """Draws a training resolution uniformly, an int32 scalar; see `sample_code` for the seed."""
    sides = tf.constant(space.train_resolutions, tf.int32)
    return sides[_index(stateless.uniform([], seed), len(space.train_resolutions))]


def sample_code(space: SearchSpace, seed: tf.Tensor, resolution: int | tf.Tensor) -> tf.Tensor:
    """Draws every choice of a child uniformly by one stateless operation.

    Args:
      space: what may be chosen.
      seed: integer [2], such as (global step, index of the child): every replica
        that knows the step draws the same child (paper, Section 4.2).
      resolution: the input side the child is paired with.

    Returns:
      int32 [space.code_length], in the canonical form of `SearchSpace.encode`.
    """
    counts = np.array([len(choices) for choices in space.genes])
    table = np.zeros([len(counts), counts.max()], np.int32)
    for row, choices in zip(table, space.genes, strict=True):
        row[: len(choices)] = choices
    picked = _index(stateless.uniform([len(counts)], seed), counts)
    return _canonical(space, tf.gather(table, picked, batch_dims=1), resolution)


def _index(uniform: tf.Tensor, count: int | np.ndarray) -> tf.Tensor:
    """Maps [0, 1) to int32 0 … count - 1; no product is rounded to `count` itself."""
    return tf.cast(uniform * tf.constant(count, tf.float32), tf.int32)


def _canonical(space: SearchSpace, code: tf.Tensor, resolution: int | tf.Tensor) -> tf.Tensor:
    """Repeats each stage's last active layer over its inactive ones."""
    pieces = [[resolution], code[1 : space_lib.FIRST_STAGE]]
    for start, stage in space.stage_starts():
        if stage.tied:
            pieces.append(code[start : start + stage.code_length])
            continue
        layers = tf.reshape(code[start + 1 : start + stage.code_length], [-1, GENES_PER_LAYER])
        source = tf.minimum(tf.range(stage.max_depth), code[start] - 1)
        pieces += [code[start : start + 1], tf.reshape(tf.gather(layers, source), [-1])]
    return tf.concat(pieces, 0)
