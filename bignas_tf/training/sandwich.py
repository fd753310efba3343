"""The sandwich rule: the children of one step and their summed gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import losses, sampling
from bignas_tf.training.configs import RegularisationConfig, SandwichConfig


@dataclasses.dataclass(frozen=True)
class Child:
    """One child of a step.

    Attributes:
      role: "biggest", "smallest" or "random<i>".
      resolution: the input side it is paired with.
      choice: an `Architecture`, or an int32 code drawn for this step.
    """

    role: str
    resolution: int
    choice: Architecture | tf.Tensor


def children(
    space: SearchSpace, config: SandwichConfig, step: tf.Tensor, seed: int
) -> Iterator[Child]:
    """Yields a step's children, the teacher first.

    The biggest is paired with the highest training resolution, the smallest
    with the lowest, and random ones with those between in turn (Section 4.2).
    """
    resolutions = space.train_resolutions
    if config.biggest:
        yield Child("biggest", resolutions[-1], space.biggest())
    if config.smallest:
        yield Child("smallest", resolutions[0], space.smallest())
    between = resolutions[1:-1] or resolutions
    for index in range(config.num_random):
        resolution = between[index % len(between)]
        # Every replica and every restart knows the step, and so draws the same.
        step_seed = tf.stack([tf.cast(step, tf.int32), seed * 1000 + index])
        code = sampling.sample_code(space, step_seed, resolution)
        yield Child(f"random{index + 1}", resolution, code)


@dataclasses.dataclass(frozen=True)
class StepResult:
    """What one replica computed.

    Attributes:
      gradients: of the sum of all losses, one for each trainable variable,
        scaled so that their sum over replicas is the global mean's.
      losses: this replica's mean loss by role.
      logits: of the first child, float32 [N, classes].
    """

    gradients: list[tf.Tensor]
    losses: dict[str, tf.Tensor]
    logits: tf.Tensor


def compute_gradients(
    supernet: Supernet,
    patches: tf.Tensor,
    labels: tf.Tensor,
    step: tf.Tensor,
    sandwich: SandwichConfig,
    regularisation: RegularisationConfig,
    seed: int,
) -> StepResult:
    """Runs the children of a step one after another, each with a tape of its own.

    One tape a child keeps one child's activations at a time in memory.

    Args:
      supernet: the shared weights.
      patches: uint8 [N, S, S, C]; every child sees them, at its own resolution.
      labels: int32 [N].
      step: global step, a scalar integer tensor.
      sandwich: which children, and what they learn from.
      regularisation: weight decay, dropout, label smoothing, and for whom.
      seed: of the random children and of dropout.
    """
    variables = supernet.trainable_variables
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    total: list[tf.Tensor | None] = [None] * len(variables)
    child_losses: dict[str, tf.Tensor] = {}
    first_logits = None
    teacher = None
    for index, child in enumerate(children(supernet.space, sandwich, step, seed)):
        images = resize.resize_patches(patches, child.resolution)
        regularised = regularisation.children == "all" or child.role == "biggest"
        dropout_seed = _dropout_seed(step, index, seed) if regularised else None
        with tf.GradientTape() as tape:
            logits = supernet(images, child.choice, training=True, dropout_seed=dropout_seed)
            loss = losses.supervised(labels, logits, regularisation.label_smoothing)
            if teacher is not None:
                taught = losses.distilled(teacher, logits)
                loss = tf.where(step < sandwich.label_steps, loss, taught)
            objective = loss
            if regularised and regularisation.weight_decay:
                objective += regularisation.weight_decay * losses.weight_decay(variables)
            objective /= replicas
        total = _add(total, tape.gradient(objective, variables))
        child_losses[child.role] = loss
        if index == 0:
            first_logits = logits
            teacher = logits if sandwich.distillation else None
    gradients = [
        tf.zeros_like(variable) if gradient is None else gradient
        for variable, gradient in zip(variables, total, strict=True)
    ]
    return StepResult(gradients, child_losses, first_logits)


def _dropout_seed(step: tf.Tensor, child: int, seed: int) -> tf.Tensor:
    """Differs between steps, children and replicas, for replicas hold different images."""
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group if context else 0
    salt = tf.cast(replica, tf.int32) + (seed * 100 + child + 1) * 10_000
    return tf.stack([tf.cast(step, tf.int32), salt])


def _add(
    total: Sequence[tf.Tensor | None], gradients: Sequence[tf.Tensor | None]
) -> list[tf.Tensor | None]:
    """Sums; None stands for the zeros of a weight that a child does not have."""
    return [
        b if a is None else a if b is None else a + b for a, b in zip(total, gradients, strict=True)
    ]
