"""The supernet: the weights of the biggest child, run as any child."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from bignas_tf.layers import activation, elastic, stateless
from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.layers.classifier import ElasticClassifier
from bignas_tf.layers.pointwise import ElasticPointwise
from bignas_tf.layers.stem import ElasticStem
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space import cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace

EXECUTIONS = ("slice", "mask")


class Supernet(tf_keras.Model):
    """Shared weights of a search space; the child to run is an argument of the call.

    Args:
      space: what may be chosen.
      num_classes: outputs of the classifier.
      input_channels: channels of the images.
      execution: how a child given as a tensor runs: "slice" (CPU, GPU; never
        under XLA, which would compile for every child) or "mask" (static
        shapes, TPU). A child given as an `Architecture` is always sliced.
      dropout_rate: before the classifier, where a call brings a seed.
      zero_init_gamma: start the last batch norm of each residual at 0.
      norm_replicas: how many replicas share a batch's moments; see `elastic.Pass`.
    """

    def __init__(
        self,
        space: SearchSpace,
        num_classes: int,
        input_channels: int = 3,
        execution: str = "slice",
        dropout_rate: float = 0.0,
        zero_init_gamma: bool = True,
        norm_replicas: int = 0,
    ) -> None:
        # Its layers apply the compute policy; inputs must not be cast here.
        super().__init__(name="supernet", dtype="float32", autocast=False)
        if execution not in EXECUTIONS:
            raise ValueError(f"execution is {execution!r}; choose from {EXECUTIONS}")
        self.space = space
        self.num_classes = num_classes
        self.input_channels = input_channels
        self.execution = execution
        self.dropout_rate = dropout_rate
        self.norm_replicas = norm_replicas
        self.compute_dtype_of_layers = tf_keras.mixed_precision.global_policy().compute_dtype
        self._build_layers(zero_init_gamma)
        # Carried by every checkpoint, so that one of another space is refused.
        self.fingerprint = tf.Variable(
            space.fingerprint(), trainable=False, dtype=tf.int64, name="fingerprint"
        )

    def _build_layers(self, zero_gamma: bool) -> None:
        widest = blocks_lib.widest(self.space)
        stem, head = widest.stem_width, widest.head_width
        stride = self.space.stem_stride
        symmetric = blocks_lib.pads_alike(self.space, stride)
        self.stem_conv = ElasticStem(self.input_channels, stem, stride, symmetric, name="stem_conv")
        style = self.space.style
        self.stem_norm = ElasticBatchNorm(stem, 0, epsilon=style.epsilon, name="stem_norm")
        offset = stem
        self.blocks = []
        for block in widest.blocks:
            self.blocks.append(ElasticMBConv(block, offset, zero_gamma))
            offset += self.blocks[-1].norm_width
        pooled = widest.head_conv_width
        self.head_conv = ElasticPointwise(widest.head_in_width, pooled, name="head_conv")
        self.head_norm = ElasticBatchNorm(pooled, offset, epsilon=style.epsilon, name="head_norm")
        self.statistics_width = offset + pooled
        if style.head == "mixed":
            self.head_mix = ElasticPointwise(pooled, head, name="head_mix")
        self.classifier = ElasticClassifier(head, self.num_classes, name="classifier")

    def call(
        self,
        images: tf.Tensor,
        choice: Architecture | tf.Tensor,
        training: bool = False,
        statistics: tf.Tensor | None = None,
        dropout_seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Runs one child.

        Args:
          images: float [N, R, R, input_channels] in [-1, 1], at the child's resolution.
          choice: an `Architecture`, or its code as an int32 [code_length] tensor.
          training: whether dropout may act.
          statistics: float32 [2, statistics_width] calibrated means and
            variances; None to normalise with the batch's own moments.
          dropout_seed: integer [2], equal on all replicas; no dropout without it.

        Returns:
          float32 logits, [N, num_classes].
        """
        forward = self._pass(choice, statistics=statistics, norm_replicas=self.norm_replicas)
        return self._forward(images, choice, forward, dropout_seed if training else None)

    def cost_of(self, architecture: Architecture) -> cost.Cost:
        """What a child of this supernet costs, with its classes and image channels.

        Raises:
          UsageError: the architecture is outside the space.
        """
        return cost.count(self.space, architecture, self.num_classes, self.input_channels)

    def moments(self, images: tf.Tensor, choice: Architecture | tf.Tensor) -> tf.Tensor:
        """Means and variances that `images` give in each batch norm of a child.

        On several replicas they are of each one's own images.

        Returns:
          float32 [2, statistics_width]. Past a layer's width, and in blocks left out,
          are values that no pass of this child reads.
        """
        recorded: dict[int, tf.Tensor] = {}
        forward = self._pass(choice, recorded=recorded, norm_replicas=1)
        self._forward(images, choice, forward, None)
        return self._assemble(recorded)

    def _assemble(self, recorded: dict[int, tf.Tensor]) -> tf.Tensor:
        """Puts recorded moments side by side, zeros where a block was left out."""
        pieces, position = [], 0
        for offset, moments in sorted(recorded.items()):
            pieces += [tf.zeros([2, offset - position]), moments]
            position = offset + moments.shape[1]
        return tf.concat(pieces, 1)

    def _pass(self, choice: Architecture | tf.Tensor, **what: Any) -> elastic.Pass:
        compiled = self.execution == "mask"
        masked = compiled and not isinstance(choice, Architecture)
        return elastic.Pass(masked=masked, compiled=compiled, **what)

    def _table(self, choice: Architecture | tf.Tensor) -> blocks_lib.BlockTable:
        if isinstance(choice, Architecture):
            return blocks_lib.resolve_child(self.space, choice)
        return blocks_lib.resolve(self.space, choice)

    def _forward(
        self,
        images: tf.Tensor,
        choice: Architecture | tf.Tensor,
        forward: elastic.Pass,
        dropout_seed: tf.Tensor | None,
    ) -> tf.Tensor:
        table = self._table(choice)
        x = self._stem(images, table, forward)
        for layer, block in zip(self.blocks, table.blocks, strict=True):
            if block.active is not False:
                x = layer(x, block, forward)
        x = self._head(x, table, forward)
        if dropout_seed is not None and self.dropout_rate:
            x = self._drop(x, dropout_seed)
        return self.classifier(x, table.head_width, forward)

    def _stem(
        self, images: tf.Tensor, table: blocks_lib.BlockTable, forward: elastic.Pass
    ) -> tf.Tensor:
        """Images to the first features [N, H, W, stem]."""
        style = self.space.style
        if style.rescaling is not None:
            scale, offset = style.rescaling
            images = images * scale + offset
        x = tf.cast(images, self.compute_dtype_of_layers)
        x = self.stem_conv(x, table.stem_width, forward)
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

    def _drop(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Dropout of [N, C] features, a function of the place in the global batch.

        Drawn for all images and the widest head, then cut: any number of replicas, slices
        and masks drop the same.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0

        def uniform(shape: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
            everywhere = [replicas * shape[0], self.classifier.kernel.shape[0]]
            draws = tf.cast(stateless.uniform(everywhere, seed), dtype)
            return tf.slice(draws, [replica * shape[0], 0], shape)

        return tf.nn.experimental.general_dropout(x, self.dropout_rate, uniform)
