"""The two graphs that run any child: each replica its own child, all the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import space as space_lib
from bignas_tf.search_space.architecture import Architecture

PerReplica = Any  # a tensor on each replica of the supernet's strategy


class ChildGraphs:
    """Moments of children, and their scores on given statistics.

    Args:
      supernet: the shared weights, which are never changed.
      side: the static resolution of all children, for XLA; each size of batch is traced
        then. None leaves both open: two traces serve every child.
    """

    def __init__(self, supernet: Supernet, side: int | None) -> None:
        self._supernet = supernet
        self._space = supernet.space
        self._side = side
        self._strategy = supernet.distribute_strategy
        base = self._space.base_resolution
        patches = tf.TensorSpec([None, base, base, supernet.input_channels], tf.uint8)
        labels = tf.TensorSpec([None], tf.int32)
        code = tf.type_spec_from_value(self.codes([self._space.smallest()]))
        nothing = np.zeros([1, 2, supernet.statistics_width], np.float32)
        statistics = tf.type_spec_from_value(self.spread(nothing))
        self._moments = self._everywhere(self._moments_of_one, patches, code)
        self._scores = self._everywhere(self._score_one, patches, labels, code, statistics)

    @property
    def traces(self) -> int:
        """How often a graph was traced."""
        pair = self._moments, self._scores
        return sum(graph.experimental_get_tracing_count() for graph in pair)

    def codes(self, children: Sequence[Architecture]) -> PerReplica:
        """Each replica's code; see `spread`."""
        return self.spread(np.stack([self._space.encode(child) for child in children]))

    def spread(self, rows: np.ndarray) -> PerReplica:
        """Gives each replica its row; the last row is repeated if there are too few."""
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(rows[min(context.replica_id_in_sync_group, len(rows) - 1)])
        )

    def moments(self, patches: tf.Tensor, codes: PerReplica) -> np.ndarray:
        """Means and variances of the replicas' children, float32 [replicas, 2, channels]."""
        return self._first(self._moments(patches, codes))

    def right(
        self, patches: tf.Tensor, labels: tf.Tensor, codes: PerReplica, statistics: PerReplica
    ) -> np.ndarray:
        """How many images each child has right, float32 [replicas]; NaN with a logit."""
        return self._first(self._scores(patches, labels, codes, statistics)[0])

    def logits(
        self, patches: tf.Tensor, labels: tf.Tensor, codes: PerReplica, statistics: PerReplica
    ) -> np.ndarray:
        """The first child's logits, float32 [N, classes]."""
        return self._first(self._scores(patches, labels, codes, statistics)[1])

    def _everywhere(
        self, run: Callable[..., PerReplica], *signature: tf.TensorSpec
    ) -> tf.types.experimental.PolymorphicFunction:
        """A graph in which every replica runs `run`."""
        convert = tf.autograph.experimental.do_not_convert
        run = convert(run)
        return tf.function(
            convert(lambda *given: self._strategy.run(run, given)),
            input_signature=signature if self._side is None else None,
        )

    def _moments_of_one(self, patches: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
        return _gathered(self._supernet.moments(self._images(patches, code), code))

    def _score_one(
        self, patches: tf.Tensor, labels: tf.Tensor, code: tf.Tensor, statistics: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        logits = self._supernet(self._images(patches, code), code, statistics=statistics)
        right = tf.reduce_sum(tf.cast(tf.argmax(logits, -1, tf.int32) == labels, tf.float32))
        finite = tf.reduce_all(tf.math.is_finite(logits))
        return _gathered(tf.where(finite, right, np.nan)), logits

    def _images(self, patches: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
        if self._side is not None:
            return resize.resize_patches(patches, self._side)
        size = code[space_lib.RESOLUTION]
        return resize.resize_to_one_of(patches, size, self._space.eval_resolutions)

    def _first(self, value: PerReplica) -> np.ndarray:
        return self._strategy.experimental_local_results(value)[0].numpy()


def _gathered(value: tf.Tensor) -> tf.Tensor:
    """Every replica's value along a new first axis, on every replica."""
    return tf.distribute.get_replica_context().all_gather(value[tf.newaxis], axis=0)
