"""From a configuration to the HLO of one core's training step."""

from __future__ import annotations

import tensorflow as tf
from official.core import config_definitions as cfg
from official.modeling import performance
from tensorflow.compiler.xla.service import hlo_pb2

from bignas_tf.search_space import presets
from bignas_tf.training import children, schedules
from bignas_tf.training.task import BigNASTask

from .replicas import ReplicaStrategy


class ReplicaStep:
    """`BigNASTask.train_step` with optimiser and metrics, as each core of a TPU runs it.

    Args:
      config: of the experiment. Random children run by masks, as `TPUStrategy` has it.
      replicas: cores, over which batch norms and gradients are summed.
    """

    def __init__(self, config: cfg.ExperimentConfig, replicas: int) -> None:
        task_config = config.task.replace(model=config.task.model.replace(execution="mask"))
        self._config = task_config
        self._space = presets.get(task_config.model.search_space)
        # As `bignas_tf.api.devices` has it on a TPU.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        if config.runtime.mixed_precision_dtype:
            performance.set_mixed_precision_policy(config.runtime.mixed_precision_dtype)
        strategy = ReplicaStrategy(replicas)
        with strategy.scope():
            task = BigNASTask(task_config)
            model = task.build_model()
            optimizer = task.create_optimizer(schedules.for_run(config.trainer), config.runtime)
            optimizer._create_all_weights(model.trainable_variables)
            metrics = task.build_metrics()

        def step(patches: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            logs = strategy.run(task.train_step, ((patches, labels), model, optimizer, metrics))
            return logs[task.loss]

        self._step = tf.function(tf.autograph.experimental.do_not_convert(step), jit_compile=True)

    def lower(self, images: int) -> bytes:
        """Returns a serialised `HloModuleProto` of a step of `images` images.

        Variables are arguments, and results that share their memory.
        """
        inputs = self._inputs(images)
        lowered = self._step.experimental_get_compiler_ir(*inputs)(stage="hlo_serialized")
        return _without_copies(lowered)

    def host_bytes(self, images: int) -> dict[str, int]:
        """Returns the bytes that cross from host to core in a step of `images` images.

        As they are sent, and as they would be if the host sent each child its own float32
        copy, already resized.
        """
        patches, labels = (spec.shape.num_elements() for spec in self._inputs(images))
        drawn = children.children(self._space, self._config.sandwich, tf.constant(0), 0)
        # A child that draws its resolution may draw the largest.
        largest = self._space.train_resolutions[-1]
        sides = [each.resolution or largest for each in drawn]
        pixels = sum(side**2 for side in sides) * self._config.train_data.channels
        return {
            "sent": patches + 4 * labels,
            "float32_copies": 4 * pixels * images + 4 * labels,
        }

    def _inputs(self, images: int) -> tuple[tf.TensorSpec, tf.TensorSpec]:
        data, rule = self._config.train_data, self._config.sandwich
        patches = [] if rule.same_patch else [rule.num_children]
        shape = [images, *patches, data.base_size, data.base_size, data.channels]
        return tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([images], tf.int32)


def _without_copies(serialised: bytes) -> bytes:
    """Spells the copies of results as reshapes: StableHLO, which comes next, has no copy."""
    module = hlo_pb2.HloModuleProto.FromString(serialised)
    for computation in module.computations:
        for instruction in computation.instructions:
            if instruction.opcode == "copy":
                instruction.opcode = "reshape"
    return module.SerializeToString()
