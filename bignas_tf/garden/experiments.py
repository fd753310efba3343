"""Experiments of the Model Garden whose backbone is a child.

Each is the Garden's own with one more kind of backbone, so that its every setting, and the Garden's
own driver, work as the Garden documents them.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams
from official.vision import registry_imports  # noqa: F401  the Garden's models, tasks and experiments
from official.vision.configs import retinanet as configs

from bignas_tf import errors
from bignas_tf.garden import backbone, tasks  # noqa: F401  the first registers its builder
from bignas_tf.garden.config import Backbone

RETINANET, SEGMENTATION = "retinanet_bignas", "semantic_segmentation_bignas"


@exp_factory.register_config_factory(RETINANET)
def retinanet() -> cfg.ExperimentConfig:
    """The Garden's RetinaNet on a child."""
    return on_child("retinanet")


@exp_factory.register_config_factory(SEGMENTATION)
def semantic_segmentation() -> cfg.ExperimentConfig:
    """The Garden's semantic segmentation (DeepLab, FPN and others) on a child."""
    return on_child("semantic_segmentation")


def on_child(name: str) -> cfg.ExperimentConfig:
    """An experiment of the Garden whose backbone may be, and at first is, a child.

    Raises:
      UsageError: no such experiment, or one without a backbone.
    """
    try:
        experiment = exp_factory.get_exp_config(name)
    except LookupError:
        raise errors.UsageError(
            f"unknown experiment {errors.shown(name)}; those on a child are {RETINANET} and "
            f"{SEGMENTATION}, and any of the Model Garden's with a backbone can be named"
        ) from None
    model = getattr(experiment.task, "model", None)
    if model is None or not hasattr(model, "backbone"):
        raise errors.UsageError(f"the model of {name!r} has no backbone that could be a child")
    if not isinstance(model.backbone, Backbone):
        model.backbone = Backbone()
        if hasattr(experiment.task, "init_checkpoint"):
            experiment.task.init_checkpoint = None  # of the backbone that was replaced
        experiment._restrictions = [
            each for each in experiment._restrictions if "model.backbone." not in each
        ]
    if type(experiment.task) is configs.RetinaNetTask:
        experiment.task = tasks.RetinaNetConfig(**_fields(experiment.task))
    return experiment


def _fields(config: hyperparams.Config) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
