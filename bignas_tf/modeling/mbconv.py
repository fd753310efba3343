"""Elastic inverted residual block."""

from __future__ import annotations

import tensorflow as tf
import tf_keras

from bignas_tf.layers import activation, elastic
from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.layers.depthwise import ElasticDepthwise
from bignas_tf.layers.pointwise import ElasticPointwise
from bignas_tf.layers.squeeze_excite import ElasticSqueezeExcite
from bignas_tf.search_space.blocks import Block


class ElasticMBConv(tf_keras.layers.Layer):
    """Inverted residual with squeeze-and-excite, and the skip that its style says.

    In the paper every block is residual (Section 3.1): the skip of a stage's first block is a
    2x2 average pool, where it strides, and a 1x1 convolution with batch norm; within a stage
    the identity is sliced, or padded with zeros, to the block's own width.

    Args:
      widest: the row of the block table of the biggest child.
      offset: where this block's batch norms start in `Pass.statistics`.
      zero_gamma: start the last batch norm's gamma at 0.
    """

    def __init__(self, widest: Block, offset: int, zero_gamma: bool) -> None:
        super().__init__(name=widest.name)
        self.widest = widest
        self.activation = activation.ACTIVATIONS[widest.activation]
        self.norm_width = 0
        mid, out = widest.mid_width, widest.out_width

        def norm(width: int, zero: bool = False, *, name: str) -> ElasticBatchNorm:
            start = offset + self.norm_width
            self.norm_width += width
            return ElasticBatchNorm(width, start, zero, widest.style.epsilon, name=name)

        if widest.expands:
            self.expand_conv = ElasticPointwise(widest.in_width, mid, name="expand_conv")
            self.expand_norm = norm(mid, name="expand_norm")
        self.depthwise_conv = ElasticDepthwise(
            mid,
            widest.kernel,
            widest.stride,
            widest.symmetric,
            widest.transformed,
            name="depthwise_conv",
        )
        self.depthwise_norm = norm(mid, name="depthwise_norm")
        if widest.se_width:
            gates = widest.style.squeeze_excite
            self.squeeze_excite = ElasticSqueezeExcite(
                mid, widest.se_width, gates.activation, gates.gate, name="squeeze_excite"
            )
        self.project_conv = ElasticPointwise(mid, out, name="project_conv")
        # Without its residual a block that may have no skip would be nothing but zeros.
        has_skip = widest.skip not in ("equal", "none")
        self.project_norm = norm(out, zero_gamma and has_skip, name="project_norm")
        if widest.skip in ("projected", "matched"):
            self.skip_conv = ElasticPointwise(widest.in_width, out, name="skip_conv")
        if widest.skip == "projected":
            self.skip_norm = norm(out, name="skip_norm")

    def call(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        """Maps [N, H, W, in] to [N, H / stride, W / stride, out]."""
        if block.skip == "none":
            return self._residual(x, block, forward)
        if not block.optional or block.active is True:
            return self._skip(x, block, forward) + self._residual(x, block, forward)
        if forward.masked:
            active = tf.cast(block.active, x.dtype)
            return self._skip(x, block, forward) + active * self._residual(x, block, forward)
        return self._sliced_optional(x, block, forward)

    def _sliced_optional(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        """Computes an inactive block on one image and keeps nothing of it.

        Control flow would do, but `tf.cond` cannot hold a synchronised batch
        norm; one image rather than none, because oneDNN's convolution returns
        a wrong shape for an empty batch.
        """
        batch = tf.shape(x)[0]
        kept = batch * tf.cast(block.active, tf.int32)
        residual = self._residual(elastic.cut_batch(x, tf.maximum(kept, 1)), block, forward)
        residual = elastic.pad_batch(elastic.cut_batch(residual, kept), batch - kept)
        return self._skip(x, block, forward) + residual

    def _skip(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        if block.skip == "fitted":
            return self._fitted(x, block, forward)
        if block.skip == "equal":
            same = block.in_width == block.out_width
            return self._fitted(x, block, forward) * tf.cast(same, x.dtype)
        if block.skip == "matched":
            return self._matched(_halved(x) if block.stride == 2 else x, block, forward)
        if block.stride == 2:
            x = tf.nn.avg_pool2d(x, 2, 2, "SAME")
        x = self.skip_conv(x, block.in_width, block.out_width, forward)
        return self.skip_norm(x, block.out_width, forward)

    def _fitted(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        return elastic.fit(x, block.out_width, self.widest.out_width, forward)

    def _matched(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        """The input where it has the width of the output, else through a convolution."""
        same = block.in_width == block.out_width
        if same is True:
            return x
        convolved = self.skip_conv(x, block.in_width, block.out_width, forward)
        if forward.masked:
            convolved *= elastic.mask(block.out_width, self.widest.out_width, x.dtype)
        if same is False:
            return convolved
        return tf.where(same, self._fitted(x, block, forward), convolved)

    def _residual(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        if block.expands:
            x = self.expand_conv(x, block.in_width, block.mid_width, forward)
            x = self.activation(self.expand_norm(x, block.mid_width, forward))
        x = self.depthwise_conv(x, block.kernel, block.mid_width, forward)
        x = self.activation(self.depthwise_norm(x, block.mid_width, forward))
        if self.widest.se_width:
            x = self.squeeze_excite(x, block.mid_width, block.se_width, forward)
        x = self.project_conv(x, block.mid_width, block.out_width, forward)
        return self.project_norm(x, block.out_width, forward)


def _halved(x: tf.Tensor) -> tf.Tensor:
    """The means of 2x2 pixels; an odd side has zeros around it, which count, as in PyTorch."""
    odd = (x.shape[1] if x.shape[1] is not None else tf.shape(x)[1]) % 2
    if not isinstance(odd, int) or odd:
        x = tf.pad(x, [[0, 0], [odd, odd], [odd, odd], [0, 0]])
    return tf.nn.avg_pool2d(x, 2, 2, "VALID")
