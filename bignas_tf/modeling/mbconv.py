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
    """Inverted residual with squeeze-and-excite; every block is residual (Section 3.1).

    The skip of a stage's first block is a 2x2 average pool, where it strides,
    and a 1x1 convolution with batch norm. Within a stage the identity is
    sliced, or padded with zeros, to the block's own width.

    Args:
      widest: the row of the block table of the biggest child.
      offset: where this block's batch norms start in `Pass.statistics`.
      zero_gamma: start the last batch norm's gamma at 0.
    """

    def __init__(self, widest: Block, offset: int, zero_gamma: bool) -> None:
        super().__init__(name=widest.name)
        self.widest = widest
        self.norm_width = 0
        mid, out = widest.mid_width, widest.out_width

        def norm(width: int, zero: bool = False, *, name: str) -> ElasticBatchNorm:
            start = offset + self.norm_width
            self.norm_width += width
            return ElasticBatchNorm(width, start, zero, name=name)

        if widest.expands:
            self.expand_conv = ElasticPointwise(widest.in_width, mid, name="expand_conv")
            self.expand_norm = norm(mid, name="expand_norm")
        self.depthwise_conv = ElasticDepthwise(
            mid, widest.kernel, widest.stride, widest.symmetric, name="depthwise_conv"
        )
        self.depthwise_norm = norm(mid, name="depthwise_norm")
        if widest.se_width:
            self.squeeze_excite = ElasticSqueezeExcite(mid, widest.se_width, name="squeeze_excite")
        self.project_conv = ElasticPointwise(mid, out, name="project_conv")
        self.project_norm = norm(out, zero_gamma, name="project_norm")
        if widest.projects:
            self.skip_conv = ElasticPointwise(widest.in_width, out, name="skip_conv")
            self.skip_norm = norm(out, name="skip_norm")

    def call(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        """Maps [N, H, W, in] to [N, H / stride, W / stride, out]."""
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
        residual = self._residual(elastic.fit_batch(x, tf.maximum(kept, 1)), block, forward)
        residual = elastic.fit_batch(elastic.fit_batch(residual, kept), batch)
        return self._skip(x, block, forward) + residual

    def _skip(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        if not block.projects:
            if forward.masked:
                return x * elastic.mask(block.out_width, self.widest.out_width, x.dtype)
            return elastic.fit_channels(x, block.out_width)
        if block.stride == 2:
            x = tf.nn.avg_pool2d(x, 2, 2, "SAME")
        x = self.skip_conv(x, block.in_width, block.out_width, forward)
        return self.skip_norm(x, block.out_width, forward)

    def _residual(self, x: tf.Tensor, block: Block, forward: elastic.Pass) -> tf.Tensor:
        if block.expands:
            x = self.expand_conv(x, block.in_width, block.mid_width, forward)
            x = activation.silu(self.expand_norm(x, block.mid_width, forward))
        x = self.depthwise_conv(x, block.kernel, block.mid_width, forward)
        x = activation.silu(self.depthwise_norm(x, block.mid_width, forward))
        if self.widest.se_width:
            x = self.squeeze_excite(x, block.mid_width, block.se_width, forward)
        x = self.project_conv(x, block.mid_width, block.out_width, forward)
        return self.project_norm(x, block.out_width, forward)
