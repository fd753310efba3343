"""What a configuration of the Model Garden says of a child that is its backbone."""

from __future__ import annotations

import dataclasses

from official.core import config_definitions as cfg
from official.modeling import hyperparams
from official.vision.configs import backbones
from official.vision.ops import preprocess_ops

from bignas_tf import errors

NAME = "bignas_child"


@dataclasses.dataclass
class BignasChild(hyperparams.Config):
    """An exported child.

    Attributes:
      export_dir: folder of one version, which `export` wrote.
      pretrained: start from the child's weights; false for random ones, to compare with.
      mean: what the data pipeline takes off each channel of the pixels, from 0 to 255. The default
        is what the Garden's pipelines do; a segmentation's `image_feature` may say otherwise.
      stddev: what it divides them by.
    """

    export_dir: str = ""
    pretrained: bool = True
    mean: list[float] = dataclasses.field(default_factory=lambda: list(preprocess_ops.MEAN_RGB))
    stddev: list[float] = dataclasses.field(default_factory=lambda: list(preprocess_ops.STDDEV_RGB))


def require_child(export_dir: str) -> None:
    """Refuses a configuration that names no child.

    Raises:
      UsageError: it names none.
    """
    if not export_dir:
        raise errors.UsageError(
            f"no child is named; set task.model.backbone.{NAME}.export_dir to the folder of one "
            "exported version"
        )


def check_pixels(task: cfg.TaskConfig) -> None:
    """Refuses images that the pipeline normalises otherwise than the child takes them to be.

    Raises:
      UsageError: names both fields.
    """
    child = task.model.backbone.get()
    if not isinstance(child, BignasChild):
        return
    for data in ("train_data", "validation_data"):
        feature = getattr(getattr(task, data), "image_feature", None)
        for field in ("mean", "stddev") if feature else ():
            given, taken = list(getattr(feature, field)), list(getattr(child, field))
            if given != taken:
                raise errors.UsageError(
                    f"task.{data}.image_feature.{field} is {given} and "
                    f"task.model.backbone.{NAME}.{field} {taken}; both must say how the pipeline "
                    "normalises pixels"
                )


@dataclasses.dataclass
class Backbone(backbones.Backbone):
    """The Garden's backbones, and a child.

    Attributes:
      type: "bignas_child", or one of the Garden's.
      bignas_child: see `BignasChild`.
    """

    type: str | None = NAME
    bignas_child: BignasChild = dataclasses.field(default_factory=BignasChild)
