"""Builds the supernet that a configuration describes."""

from __future__ import annotations

import tensorflow as tf

from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training.configs import BigNASConfig


def build_supernet(config: BigNASConfig, space: SearchSpace) -> Supernet:
    """Builds the supernet a task's configuration describes, under the current strategy."""
    execution = config.model.execution
    if execution == "auto":
        on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
        execution = "mask" if on_tpu else "slice"
    return Supernet(
        space,
        config.train_data.num_classes,
        config.train_data.channels,
        execution=execution,
        dropout_rate=config.regularisation.dropout_rate,
        zero_init_gamma=config.model.zero_init_gamma,
        norm_replicas=config.model.norm_replicas,
    )
