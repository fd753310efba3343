"""What training, calibration and evaluation ask of a supernet, whatever its family."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras

from bignas_tf import errors
from bignas_tf.layers import elastic, stateless
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.cost import Cost
from bignas_tf.search_space.space import SearchSpace

EXECUTIONS = ("slice", "mask")


class ElasticModel(tf_keras.Model):
    """Shared weights of a search space; the child to run is an argument of the call.

    A family of networks is a subclass with elastic layers that `logits` calls, with a
    `statistics_width`, the channels of all its batch norms together, and a `classifier`, whose
    weights a run with other classes does not take over. A judgement, a search and
    `bignas evaluate` need `cost_of` besides. For a run (`task.model.network`) its constructor takes
    the arguments of this one but `name`.

    Args:
      space: what may be chosen.
      num_classes: outputs of the classifier.
      input_channels: channels of the images.
      execution: how a child given as a tensor runs: "slice" (CPU, GPU; never
        under XLA, which would compile for every child) or "mask" (static
        shapes, TPU). A child given as an `Architecture` is always sliced.
      dropout_rate: of `drop`, where a call brings a seed.
      zero_init_gamma: whether the last batch norm of each residual starts at 0, which is for
        the layers of a subclass to follow.
      norm_replicas: how many replicas share a batch's moments; see `elastic.Pass`.
      name: of the model.

    Raises:
      ValueError: the execution is neither.
    """

    statistics_width: int
    classifier: tf_keras.layers.Layer

    def __init__(
        self,
        space: SearchSpace,
        num_classes: int,
        input_channels: int = 3,
        execution: str = "slice",
        dropout_rate: float = 0.0,
        zero_init_gamma: bool = True,
        norm_replicas: int = 0,
        name: str | None = None,
    ) -> None:
        # Its layers apply the compute policy; inputs must not be cast here.
        super().__init__(name=name, dtype="float32", autocast=False)
        if execution not in EXECUTIONS:
            raise ValueError(f"execution is {execution!r}; choose from {EXECUTIONS}")
        self.space = space
        self.num_classes = num_classes
        self.input_channels = input_channels
        self.execution = execution
        self.dropout_rate = dropout_rate
        self.zero_init_gamma = zero_init_gamma
        self.norm_replicas = norm_replicas
        self.compute_dtype_of_layers = tf_keras.mixed_precision.global_policy().compute_dtype
        # Carried by every checkpoint, so that one of another space is refused.
        self.fingerprint = tf.Variable(
            space.fingerprint(), trainable=False, dtype=tf.int64, name="fingerprint"
        )

    def logits(
        self,
        images: tf.Tensor,
        table: blocks_lib.BlockTable,
        forward: elastic.Pass,
        dropout_seed: tf.Tensor | None,
    ) -> tf.Tensor:
        """Runs one child; a subclass says how.

        Args:
          images: float [N, R, R, input_channels] in [-1, 1].
          table: the child's widths, as integers or int32 tensors.
          forward: for every elastic layer.
          dropout_seed: for `drop`.

        Returns:
          float32 [N, num_classes].
        """
        raise NotImplementedError

    def drop(self, x: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Dropout before the classifier, a function of the place in the global batch.

        Drawn for all images and the widest head, then cut: any number of replicas, slices
        and masks drop the same.

        Args:
          x: features [N, C].
          seed: integer [2]; None for no dropout.
        """
        if seed is None or not self.dropout_rate:
            return x
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group if context else 0

        def uniform(shape: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
            everywhere = [replicas * shape[0], self.classifier.kernel.shape[0]]
            draws = tf.cast(stateless.uniform(everywhere, seed), dtype)
            return tf.slice(draws, [replica * shape[0], 0], shape)

        return tf.nn.experimental.general_dropout(x, self.dropout_rate, uniform)

    def cost_of(self, architecture: Architecture) -> Cost:
        """What one child costs, for one image; a subclass may say how it is counted.

        Raises:
          UsageError: the architecture is outside the space, or nobody has said how.
        """
        raise errors.UsageError(
            f"nothing says what a child of {type(self).__name__} costs; give the class a method "
            "`cost_of(architecture)` that returns a bignas.Cost"
        )

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
        return self.logits(images, self._table(choice), forward, dropout_seed if training else None)

    def moments(self, images: tf.Tensor, choice: Architecture | tf.Tensor) -> tf.Tensor:
        """Means and variances that `images` give in each batch norm of a child.

        On several replicas they are of each one's own images.

        Returns:
          float32 [2, statistics_width]. Past a layer's width, and in blocks left out,
          are values that no pass of this child reads.
        """
        recorded: dict[int, tf.Tensor] = {}
        forward = self._pass(choice, recorded=recorded, norm_replicas=1)
        self.logits(images, self._table(choice), forward, None)
        return self._assemble(recorded)

    def _assemble(self, recorded: dict[int, tf.Tensor]) -> tf.Tensor:
        """Puts recorded moments side by side, zeros where a block was left out.

        Raises:
          ValueError: two batch norms have the same places, or more than there are.
        """
        pieces, position = [], 0
        end = self.statistics_width, tf.zeros([2, 0])
        for offset, moments in [*sorted(recorded.items()), end]:
            if offset < position:
                raise ValueError(
                    f"a batch norm's channels end at {position}, beyond the offset {offset} of the "
                    f"next one, or beyond statistics_width, {self.statistics_width}"
                )
            if offset > position:
                pieces.append(tf.zeros([2, offset - position]))
            pieces.append(moments)
            position = offset + moments.shape[1]
        return tf.concat(pieces, 1)

    def _pass(self, choice: Architecture | tf.Tensor, **what: Any) -> elastic.Pass:
        compiled = self.execution == "mask"
        masked = compiled and not isinstance(choice, Architecture)
        return elastic.Pass(masked=masked, compiled=compiled, **what)

    def _table(self, choice: Architecture | tf.Tensor) -> blocks_lib.BlockTable:
        if isinstance(choice, Architecture):
            return blocks_lib.resolve_child(self.space, choice)
        return blocks_lib.resolve(self.space, tf.unstack(tf.cast(choice, tf.int32)))
