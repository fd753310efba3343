"""The Model Garden task that trains a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras
from official.core import base_task, task_factory

from bignas_tf import errors
from bignas_tf.data import inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import presets
from bignas_tf.training import accumulation, averaging, checkpoints, children, models, teachers
from bignas_tf.training.configs import BigNASConfig

_GIN = " In call to configurable"  # what gin adds to the messages of a function
DIFFERENT_CHOICES = "different_choices"


@task_factory.register_task_cls(BigNASConfig)
class BigNASTask(base_task.Task):
    """Trains a supernet by the sandwich rule (Sections 3.1 and 4.2)."""

    def build_model(self) -> ElasticModel:
        tf_keras.utils.set_random_seed(self.task_config.seed)
        config = self.task_config
        self._check_groups()
        teacher = config.distillation.teacher
        self._teacher = teachers.load(teacher, config.train_data) if teacher else None
        space = presets.get(config.model.search_space)
        return models.build_supernet(self.task_config, space)

    def _check_groups(self) -> None:
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        group = self.task_config.model.norm_replicas
        if group and replicas % group:
            raise errors.UsageError(
                f"task.model.norm_replicas is {group}; it must divide the {replicas} replicas of "
                "this run, or be 0 for all of them"
            )

    @classmethod
    def create_optimizer(cls, *arguments: Any, **keywords: Any) -> tf_keras.optimizers.Optimizer:
        """See the Model Garden's.

        Raises:
          UsageError: settings do not fit together, such as two ways of clipping gradients, or
            AdamW's own clipping and several replicas.
        """
        try:
            optimizer = super().create_optimizer(*arguments, **keywords)
        except (TypeError, ValueError) as error:
            raise errors.UsageError(
                f"trainer.optimizer_config cannot be used: {errors.one_line(error).split(_GIN)[0]}"
            ) from error
        bound = getattr(averaging.averaged(optimizer), "gradient_clip_norm", 0)
        if bound > 0 and tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise errors.UsageError(
                f"adamw.gradient_clip_norm is {bound} (1.0 by default) and clips the gradients of "
                "each replica alone, so that training would depend on how many there are; set it "
                "to 0, and global_clipnorm to clip their sum"
            )
        return optimizer

    def build_inputs(
        self, params: DataConfig, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Returns patches and labels from where the latest checkpoint stopped reading."""
        self._check_parts(params, input_context)
        config = self.task_config.sandwich
        patches = None if config.same_patch else config.num_children
        start = checkpoints.latest_step(self.logging_dir)
        return inputs.build_dataset(params, input_context, start, patches)

    def _check_parts(
        self, data: DataConfig, input_context: tf.distribute.InputContext | None
    ) -> None:
        replicas = input_context.num_replicas_in_sync if input_context else 1
        images, left = divmod(data.global_batch_size, replicas)
        if not left:  # else the input pipeline refuses it
            accumulation.count_parts(images, self.task_config.images_at_once)

    def build_metrics(self, training: bool = True) -> list[tf_keras.metrics.Metric]:
        """Builds mean loss by role, training accuracy of the first child, and checks."""
        config = self.task_config.sandwich
        means = [tf_keras.metrics.Mean(f"loss_{role}") for role in children.roles(config)]
        checks = [tf_keras.metrics.Sum(DIFFERENT_CHOICES)] if config.check_replicas else []
        return [*means, tf_keras.metrics.SparseCategoricalAccuracy("train_accuracy"), *checks]

    # Conversion would trace half as slowly again, and there is nothing to convert.
    @tf.autograph.experimental.do_not_convert
    def train_step(
        self,
        inputs: tuple[tf.Tensor, tf.Tensor],
        model: ElasticModel,
        optimizer: tf_keras.optimizers.Optimizer,
        metrics: list[tf_keras.metrics.Metric] | None = None,
    ) -> Mapping[str, Any]:
        """One update from all children of the step.

        Args:
          inputs: patches and labels of one replica; see `accumulation.compute_gradients`.
          model: the supernet.
          optimizer: its `iterations` is the step that seeds the children.
          metrics: those of `build_metrics`.
        """
        patches, labels = inputs
        result = accumulation.compute_gradients(
            model,
            patches=patches,
            labels=labels,
            step=optimizer.iterations,
            config=self.task_config,
            teacher=self._teacher,
        )
        optimizer.apply_gradients(zip(result.gradients, model.trainable_variables, strict=True))
        for metric in metrics or []:
            if metric.name == "train_accuracy":
                metric.update_state(labels, result.logits)
            if metric.name == DIFFERENT_CHOICES:
                metric.update_state(result.different_choices)
            for role, loss in result.losses.items():
                if metric.name == f"loss_{children.kind(role)}":
                    metric.update_state(loss)
        return {self.loss: tf.add_n(list(result.losses.values()))}
