"""The Model Garden task that trains a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras
from official.core import base_task, task_factory

from bignas_tf.data import inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.training import checkpoints, models, sandwich
from bignas_tf.training.configs import BigNASConfig


@task_factory.register_task_cls(BigNASConfig)
class BigNASTask(base_task.Task):
    """Trains a supernet by the sandwich rule (Sections 3.1 and 4.2)."""

    def build_model(self) -> Supernet:
        tf_keras.utils.set_random_seed(self.task_config.seed)
        space = presets.get(self.task_config.model.search_space)
        return models.build_supernet(self.task_config, space)

    def build_inputs(
        self, params: DataConfig, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """Patches and labels from where the latest checkpoint stopped reading."""
        start = checkpoints.latest_step(self.logging_dir) if params.is_training else 0
        return inputs.build_dataset(params, input_context, start)

    def build_metrics(self, training: bool = True) -> list[tf_keras.metrics.Metric]:
        """Mean loss of each role, and accuracy of the first child on training images."""
        config = self.task_config.sandwich
        roles = [role for role in ("biggest", "smallest") if getattr(config, role)]
        roles += ["random"] if config.num_random else []
        means = [tf_keras.metrics.Mean(f"loss_{role}") for role in roles]
        return [*means, tf_keras.metrics.SparseCategoricalAccuracy("train_accuracy")]

    # Conversion would trace half as slowly again, and there is nothing to convert.
    @tf.autograph.experimental.do_not_convert
    def train_step(
        self,
        inputs: tuple[tf.Tensor, tf.Tensor],
        model: Supernet,
        optimizer: tf_keras.optimizers.Optimizer,
        metrics: list[tf_keras.metrics.Metric] | None = None,
    ) -> Mapping[str, Any]:
        """One update from all children of the step.

        Args:
          inputs: uint8 [N, S, S, C] patches and int32 [N] labels of one replica.
          model: the supernet.
          optimizer: its `iterations` is the step that seeds the children.
          metrics: those of `build_metrics`.
        """
        patches, labels = inputs
        config = self.task_config
        result = sandwich.compute_gradients(
            model,
            patches,
            labels,
            optimizer.iterations,
            config.sandwich,
            config.regularisation,
            config.seed,
        )
        optimizer.apply_gradients(zip(result.gradients, model.trainable_variables, strict=True))
        for metric in metrics or []:
            if metric.name == "train_accuracy":
                metric.update_state(labels, result.logits)
            for role, loss in result.losses.items():
                if metric.name == f"loss_{role.rstrip('0123456789')}":
                    metric.update_state(loss)
        return {self.loss: tf.add_n(list(result.losses.values()))}
