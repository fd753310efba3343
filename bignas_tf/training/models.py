"""Builds the supernet that a configuration describes."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import tensorflow as tf

from bignas_tf import errors
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training.configs import BigNASConfig


def build_supernet(config: BigNASConfig, space: SearchSpace) -> ElasticModel:
    """Builds the supernet a task's configuration describes, under the current strategy.

    Raises:
      UsageError: see `network`; or the network does not take these arguments.
    """
    execution = config.model.execution
    if execution == "auto":
        on_tpu = isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy)
        execution = "mask" if on_tpu else "slice"
    build, given = network(config.model.network), f"task.model.network={config.model.network}"
    arguments: dict[str, Any] = {
        "space": space,
        "num_classes": config.train_data.num_classes,
        "input_channels": config.train_data.channels,
        "execution": execution,
        "dropout_rate": config.regularisation.dropout_rate,
        "zero_init_gamma": config.model.zero_init_gamma,
        "norm_replicas": config.model.norm_replicas,
    }
    try:
        inspect.signature(build).bind(**arguments)
    except TypeError as error:
        raise errors.UsageError(
            f"{given}: its constructor takes other arguments than ElasticModel: {error}"
        ) from error
    supernet = build(**arguments)
    for name, value in arguments.items():
        if getattr(supernet, name) != value:
            raise errors.UsageError(
                f"{given}: its {name} is {errors.shown(getattr(supernet, name))} and should be "
                f"{errors.shown(value)}; its constructor has to hand all of its arguments on"
            )
    if not hasattr(supernet, "statistics_width"):
        raise errors.UsageError(f"{given}: its constructor has to set `statistics_width`")
    return supernet


def network(name: str) -> type[ElasticModel]:
    """The class of a supernet: the project's own, or one that a user has written.

    Args:
      name: "" for the project's own, or a dotted name, such as "my_networks.ResidualNetwork".

    Raises:
      UsageError: it cannot be imported, or is no subclass of `ElasticModel`.
    """
    if not name:
        return Supernet
    where = f"task.model.network is {errors.shown(name)}"
    try:
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise errors.UsageError(
            f"{where}, which cannot be imported: {errors.one_line(error)}; name a class as in "
            "'module.Class', of a module that is installed or on PYTHONPATH"
        ) from error
    own = isinstance(found, type) and issubclass(found, ElasticModel)
    if not own or found.logits is ElasticModel.logits:
        raise errors.UsageError(f"{where}, which is no subclass of ElasticModel with `logits`")
    return found
