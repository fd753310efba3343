"""The supernet: the weights of the biggest child, run as any child."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from bignas_tf.layers import activation, elastic
from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.layers.classifier import ElasticClassifier
from bignas_tf.layers.convolution import ElasticConvolution
from bignas_tf.layers.pointwise import ElasticPointwise
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space import cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace


class Supernet(ElasticModel):
    """The paper's family: inverted residual blocks, as the style of a space has them.

    Args:
      space: what may be chosen.
      num_classes: outputs of the classifier.
      input_channels: channels of the images.
      rules: the other arguments of `ElasticModel`.
    """

    def __init__(
        self, space: SearchSpace, num_classes: int, input_channels: int = 3, **rules: Any
    ) -> None:
        super().__init__(space, num_classes, input_channels, name="supernet", **rules)
        widest = blocks_lib.widest(self.space)
        stem, head = widest.stem_width, widest.head_width
        stride = self.space.stem_stride
        symmetric = blocks_lib.pads_alike(self.space, stride)
        self.stem_conv = ElasticConvolution(
            self.input_channels, stem, 3, stride, symmetric, name="stem_conv"
        )
        style = self.space.style
        self.stem_norm = ElasticBatchNorm(stem, 0, epsilon=style.epsilon, name="stem_norm")
        offset = stem
        self.blocks = []
        for block in widest.blocks:
            self.blocks.append(ElasticMBConv(block, offset, self.zero_init_gamma))
            offset += self.blocks[-1].norm_width
        pooled = widest.head_conv_width
        self.head_conv = ElasticPointwise(widest.head_in_width, pooled, name="head_conv")
        self.head_norm = ElasticBatchNorm(pooled, offset, epsilon=style.epsilon, name="head_norm")
        self.statistics_width = offset + pooled
        if style.head == "mixed":
            self.head_mix = ElasticPointwise(pooled, head, name="head_mix")
        self.classifier = ElasticClassifier(head, self.num_classes, name="classifier")

    def cost_of(self, architecture: Architecture) -> cost.Cost:
        """What a child of this supernet costs, with its classes and image channels.

        Raises:
          UsageError: the architecture is outside the space.
        """
        return cost.count(self.space, architecture, self.num_classes, self.input_channels)

    def logits(
        self,
        images: tf.Tensor,
        table: blocks_lib.BlockTable,
        forward: elastic.Pass,
        dropout_seed: tf.Tensor | None,
    ) -> tf.Tensor:
        """See `ElasticModel.logits`."""
        x = self._stem(images, table, forward)
        for layer, block in zip(self.blocks, table.blocks, strict=True):
            if block.active is not False:
                x = layer(x, block, forward)
        x = self._head(x, table, forward)
        return self.classifier(self.drop(x, dropout_seed), table.head_width, forward)

    def _stem(
        self, images: tf.Tensor, table: blocks_lib.BlockTable, forward: elastic.Pass
    ) -> tf.Tensor:
        """Images to the first features [N, H, W, stem]."""
        style = self.space.style
        if style.rescaling is not None:
            scale, offset = style.rescaling
            images = images * scale + offset
        x = tf.cast(images, self.compute_dtype_of_layers)
        x = self.stem_conv(x, self.input_channels, table.stem_width, forward)
        act = activation.ACTIVATIONS[style.stem_activation]
        return act(self.stem_norm(x, table.stem_width, forward))

    def _head(self, x: tf.Tensor, table: blocks_lib.BlockTable, forward: elastic.Pass) -> tf.Tensor:
        """The last features to those that are classified, [N, head]."""
        act = activation.ACTIVATIONS[self.space.style.head_activation]
        pooled = table.head_conv_width
        x = self.head_conv(x, table.head_in_width, pooled, forward)
        x = tf.reduce_mean(act(self.head_norm(x, pooled, forward)), [1, 2])
        if self.space.style.head == "convolved":
            return x
        x = self.head_mix(x[:, None, None], pooled, table.head_width, forward)[:, 0, 0]
        if forward.masked:
            x *= elastic.mask(table.head_width, self.classifier.kernel.shape[0], x.dtype)
        return act(x)
