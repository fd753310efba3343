"""What all elastic layers share: how a pass is executed, slices and masks.

A layer holds the weights of the widest child. A call names the width in use,
as an int (a static child) or an int32 scalar tensor (any child, one trace):

- sliced: weights and activations are cut to that width;
- masked: shapes stay at the widest, and channels past the width are zero
  (paper, Section 4.2: the static graph that TPUs need).

Masks act on gamma and beta, the last to touch a channel, so that a masked
channel is zero and neither it nor what produced it receives a gradient.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

Width = Any  # int or int32 scalar tensor

# A factory, not an initialiser: a shared instance gives equal shapes equal values.
CONV_INIT = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"},
}


@dataclasses.dataclass(frozen=True)
class Pass:
    """How one forward pass runs.

    Attributes:
      masked: masks if true, slices if false.
      compiled: whether XLA compiles the pass for a TPU. Results are the same but for rounding.
      statistics: float32 [2, total channels of all batch norms], means and
        variances to normalise with; None for the batch's own moments.
      recorded: where each batch norm puts its moments, float32 [2, its widest
        channels], under its offset; None to record nothing.
      norm_replicas: neighbouring replicas whose images a batch's moments are of, a divisor
        of their number; 0 for all, and 1 for each alone: in calibration every batch
        counts alone, however many replicas there are.
    """

    masked: bool = False
    compiled: bool = False
    statistics: tf.Tensor | None = None
    recorded: dict[int, tf.Tensor] | None = None
    norm_replicas: int = 0


class ElasticLayer(tf_keras.layers.Layer):
    """A layer that is called with its input, widths or other sizes, and a `Pass`."""

    axes = 4  # of the input

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.input_spec = tf_keras.layers.InputSpec(ndim=self.axes)

    def __call__(self, x: tf.Tensor, *arguments: Any, **named: Any) -> tf.Tensor:
        """See `call`; NumPy's integers are taken as Python's, which are checked."""
        named = {name: as_size(value) for name, value in named.items()}
        return super().__call__(x, *map(as_size, arguments), **named)


def as_size(value: Any) -> Any:
    """An integer of NumPy's as Python's, and anything else as it is."""
    return int(value) if isinstance(value, np.integer) else value


def mask(width: Width, widest: int, dtype: tf.DType) -> tf.Tensor:
    """Ones for the first `width` of `widest` channels, then zeros.

    Args:
      width: channels in use, an int or an int32 scalar.
      widest: all channels.
      dtype: of the result.

    Returns:
      [widest].
    """
    return tf.sequence_mask(width, widest, dtype=dtype)


def leading(weight: tf.Tensor | tf.Variable, *widths: Width) -> tf.Tensor:
    """The first `widths` along the first axes of a weight.

    A weight in full is not sliced: the biggest child would pay for slices and their
    gradients, which change nothing.

    Raises:
      ValueError: a width is an int outside 1 to the weight's size on that axis.
    """
    weight = tf.convert_to_tensor(weight)
    for width, widest in zip(widths, weight.shape, strict=False):
        check_width(width, widest)
    if all(isinstance(width, int) for width in widths) and weight.shape[: len(widths)] == widths:
        return weight
    # weight[:width, ...] is the same, and takes three times as long to trace.
    return tf.strided_slice(weight, [0] * len(widths), widths, [1] * len(widths))


def check_width(width: Width, widest: int | None) -> None:
    """Refuses what a slice would silently cut; a tensor's value is not known yet.

    Raises:
      ValueError: `width` is an int outside 1 to `widest`.
    """
    if isinstance(width, int) and widest is not None and not 0 < width <= widest:
        raise ValueError(f"width is {width}; this layer takes 1 to {widest}")


def check_input(x: tf.Tensor, width: Width) -> None:
    """Refuses an input of other channels than a sliced pass is told of.

    Raises:
      ValueError: `width` is an int, and the last axis of `x` is known to be another.
    """
    if isinstance(width, int) and x.shape[-1] not in (None, width):
        raise ValueError(f"the child's width is {width}; the input has {x.shape[-1]} channels")


def symmetric_padding(kernel_size: Width) -> list[list[Width]]:
    """Zeros around [N, H, W, C] that centre an odd kernel on the first pixel of each row."""
    margin = kernel_size // 2
    return [[0, 0], [margin, margin], [margin, margin], [0, 0]]


def fit(x: tf.Tensor, width: Width, widest: int, forward: Pass) -> tf.Tensor:
    """Features cut, or padded with zeros, to another width: a skip without weights.

    Args:
      x: [N, H, W, channels].
      width: channels of the result that are in use.
      widest: channels of the result in a masked pass.
      forward: slices or masks.

    Returns:
      [N, H, W, width], or with masks [N, H, W, widest] with zeros past `width`.

    Raises:
      ValueError: `width` is an int outside 1 to `widest`.
    """
    width = as_size(width)
    check_width(width, widest)
    if not forward.masked:
        return fit_channels(x, width)
    return fit_channels(x, widest) * mask(width, widest, x.dtype)


def fit_channels(x: tf.Tensor, width: Width) -> tf.Tensor:
    """Slices or zero-pads the last axis of [N, H, W, C] to `width` channels."""
    present = x.shape[-1]
    if isinstance(width, int) and present is not None:
        if present >= width:
            return x if present == width else x[..., :width]
        return tf.pad(x, [[0, 0]] * 3 + [[0, width - present]])
    return _fit(x, 3, width)


def cut_batch(x: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """The first `images` of [N, H, W, C]; no copy is made of all."""
    return _cut(x, 0, images)


def pad_batch(x: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """[N, H, W, C] with that many images of zeros behind them; no copy is made for none."""
    return _pad(x, 0, missing)


def _fit(x: tf.Tensor, axis: int, size: Width) -> tf.Tensor:
    """Slices or zero-pads an axis of [N, H, W, C]; where it fits, no copy is made."""
    kept = tf.minimum(size, tf.shape(x)[axis])
    return _pad(_cut(x, axis, kept), axis, size - kept)


def _cut(x: tf.Tensor, axis: int, size: tf.Tensor) -> tf.Tensor:
    sizes = [-1] * 4
    sizes[axis] = size
    # tf.slice and not x[:n]: its gradient, too, copies nothing where nothing is cut.
    return _open(tf.slice(x, [0] * 4, sizes), x, axis)


def _pad(x: tf.Tensor, axis: int, missing: tf.Tensor) -> tf.Tensor:
    # A product, because a list that holds a tensor becomes six operations.
    end = np.zeros([4, 2], np.int32)
    end[axis, 1] = 1
    return _open(tf.pad(x, end * missing), x, axis)


def _open(result: tf.Tensor, x: tf.Tensor, axis: int) -> tf.Tensor:
    """Tells the trace that nothing but an axis has changed."""
    shape = x.shape.as_list()
    shape[axis] = None
    result.set_shape(shape)
    return result
