"""A strategy under which one core's step is traced as `TPUStrategy` would have it.

`TPUStrategy` cannot be made without a TPU. What a step sees of it is the number of
replicas, its own number and the all-reduce; XLA has all three on any platform.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops import gen_xla_ops
from tensorflow.python.distribute import one_device_strategy


class ReplicaStrategy(tf.distribute.Strategy):
    """Traces one of many replicas; for lowering only, nothing run under it is reduced.

    Args:
      replicas: cores that train together.
    """

    def __init__(self, replicas: int) -> None:
        super().__init__(_Extended(self, replicas))


class _Extended(one_device_strategy.OneDeviceExtended):
    """One device's variables, many devices' sums."""

    def __init__(self, strategy: ReplicaStrategy, replicas: int) -> None:
        super().__init__(strategy, "/cpu:0")
        self._replicas = replicas

    @property
    def _num_replicas_in_sync(self) -> int:
        return self._replicas

    def _call_for_each_replica(
        self, fn: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> object:
        with tf.distribute.ReplicaContext(self._container_strategy(), gen_xla_ops.xla_replica_id()):
            return fn(*args, **kwargs)

    def _reduce_to(
        self,
        reduce_op: tf.distribute.ReduceOp,
        value: tf.Tensor,
        destinations: object,
        options: object,
    ) -> tf.Tensor:
        del destinations, options
        assert reduce_op == tf.distribute.ReduceOp.SUM, "TPUs sum; a mean is the caller's division"
        groups = [list(range(self._replicas))]
        return gen_xla_ops.xla_all_reduce(value, groups, reduce_op="Add", mode="CrossReplica")
