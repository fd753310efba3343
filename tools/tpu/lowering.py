"""From a configuration to the HLO of one core's training step, or of its share of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf
from official.core import config_definitions as cfg
from official.modeling import performance
from tensorflow.compiler.xla.service import hlo_pb2

from bignas_tf import errors
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.selection import spread
from bignas_tf.selection.graphs import ChildGraphs, Specs
from bignas_tf.training import children, schedules
from bignas_tf.training.task import BigNASTask

from .replicas import ReplicaStrategy

CALIBRATION, SCORING = "calibration", "scoring"


class Program(Protocol):
    """What one core runs."""

    def lower(self, images: int) -> bytes:
        """Returns a serialised `HloModuleProto` for `images` images a core.

        Variables are arguments, and results that share their memory.
        """

    def host_bytes(self, images: int) -> dict[str, int]:
        """Returns the bytes that cross from host to core, by what is sent."""


class ReplicaStep:
    """`BigNASTask.train_step` with optimiser and metrics, as each core of a TPU runs it.

    Args:
      config: of the experiment. Random children run by masks, as `TPUStrategy` has it.
      replicas: cores, over which batch norms and gradients are summed.
    """

    def __init__(self, config: cfg.ExperimentConfig, replicas: int) -> None:
        self._config = config.task
        strategy = ReplicaStrategy(replicas)
        with strategy.scope():
            task, model = _build(config)
            optimizer = task.create_optimizer(schedules.for_run(config.trainer), config.runtime)
            optimizer._create_all_weights(model.trainable_variables)
            metrics = task.build_metrics()

        def step(patches: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            logs = strategy.run(task.train_step, ((patches, labels), model, optimizer, metrics))
            return logs[task.loss]

        self._step = tf.function(tf.autograph.experimental.do_not_convert(step), jit_compile=True)

    def lower(self, images: int) -> bytes:
        """A step of `images` images; see `Program`."""
        return _lowered(self._step, self._inputs(images))

    def host_bytes(self, images: int) -> dict[str, int]:
        """Returns the bytes that cross from host to core in a step of `images` images.

        As they are sent, and as they would be if the host sent each child its own float32
        copy, already resized.
        """
        patches, labels = (spec.shape.num_elements() for spec in self._inputs(images))
        space = presets.get(self._config.model.search_space)
        drawn = children.children(space, self._config.sandwich, tf.constant(0), 0)
        # A child that draws its resolution may draw the largest.
        largest = space.train_resolutions[-1]
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


class ReplicaEvaluation:
    """A graph of `ChildGraphs`, as each core of a TPU runs it on a chunk of batches.

    Args:
      config: of the experiment.
      replicas: cores, which share the batches.
      graph: CALIBRATION or SCORING.
      side: the resolution of the children, in pixels.
    """

    def __init__(self, config: cfg.ExperimentConfig, replicas: int, graph: str, side: int) -> None:
        self._graph = graph
        strategy = ReplicaStrategy(replicas)
        with strategy.scope():
            _, self._net = _build(config)
        self._graphs = ChildGraphs(self._net, side, one_by_one=False)
        everywhere = self._graphs.calibration if graph == CALIBRATION else self._graphs.scoring
        self._run = tf.function(everywhere.python_function, jit_compile=True)

    def lower(self, images: int) -> bytes:
        """A chunk with batches of `images` images; see `Program`."""
        calibrated, scored = self._inputs(images)
        return _lowered(self._run, calibrated if self._graph == CALIBRATION else scored)

    def host_bytes(self, images: int) -> dict[str, int]:
        """Returns the bytes of a chunk, which crosses once if it stays on the core."""
        patches, labels = (spec.shape.num_elements() for spec in self._inputs(images)[1][:2])
        return {"sent": patches + 4 * labels}

    def _inputs(self, images: int) -> tuple[Specs, Specs]:
        base = self._net.space.base_resolution
        batch = [images, base, base, self._net.input_channels]
        return self._graphs.inputs(spread.rounds_of(batch), images)


def program(config: cfg.ExperimentConfig, replicas: int, graph: str, side: int | None) -> Program:
    """One of what a core runs.

    Args:
      config: of the experiment.
      replicas: cores that work together.
      graph: "step", CALIBRATION or SCORING.
      side: of the children of the last two; see `eval_side`.
    """
    if side is None:
        return ReplicaStep(config, replicas)
    return ReplicaEvaluation(config, replicas, graph, side)


def eval_side(config: cfg.ExperimentConfig, asked: int | None) -> int:
    """The resolution `asked` for, or the largest.

    Raises:
      UsageError: the space has no children of that resolution.
    """
    sides = presets.get(config.task.model.search_space).eval_resolutions
    if asked is not None and asked not in sides:
        raise errors.UsageError(f"--side={asked}; children have {list(sides)} pixels a side")
    return asked or max(sides)


def _build(config: cfg.ExperimentConfig) -> tuple[BigNASTask, Supernet]:
    """The task and its supernet, whose random children run by masks."""
    # As `bignas_tf.api.devices` has it on a TPU.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if config.runtime.mixed_precision_dtype:
        performance.set_mixed_precision_policy(config.runtime.mixed_precision_dtype)
    model = config.task.model.replace(execution="mask")
    task = BigNASTask(config.task.replace(model=model))
    return task, task.build_model()


def _lowered(
    graph: tf.types.experimental.PolymorphicFunction, inputs: Sequence[tf.TensorSpec]
) -> bytes:
    lowered = graph.experimental_get_compiler_ir(*inputs)(stage="hlo_serialized")
    return _without_copies(lowered)


def _without_copies(serialised: bytes) -> bytes:
    """Spells the copies of results as reshapes: StableHLO, which comes next, has no copy."""
    module = hlo_pb2.HloModuleProto.FromString(serialised)
    for computation in module.computations:
        for instruction in computation.instructions:
            if instruction.opcode == "copy":
                instruction.opcode = "reshape"
    return module.SerializeToString()
