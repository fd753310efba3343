"""Tasks of the Model Garden where they need a change to run here."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf
from official.core import task_factory
from official.vision.configs import retinanet as configs
from official.vision.tasks import retinanet


@dataclasses.dataclass
class RetinaNetConfig(configs.RetinaNetTask):
    """The Garden's RetinaNet, whose COCO metrics NumPy 2.4 can compute."""


@task_factory.register_task_cls(RetinaNetConfig)
class RetinaNetTask(retinanet.RetinaNetTask):
    """Counts the boxes of an image by a number.

    The Garden's parser gives an array of one number, which its evaluation converts by `int`; NumPy
    does that no longer.
    """

    def build_inputs(
        self, params: configs.DataConfig, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        dataset = super().build_inputs(params, input_context)
        return dataset if params.is_training else dataset.map(count_by_numbers)


def count_by_numbers(images: tf.Tensor, labels: dict[str, Any]) -> tuple[tf.Tensor, Any]:
    """A batch for evaluation, its numbers of boxes int32 [N] instead of [N, 1]."""
    truths = labels["groundtruths"]
    counted = truths | {"num_detections": tf.reshape(truths["num_detections"], [-1])}
    return images, labels | {"groundtruths": counted}
