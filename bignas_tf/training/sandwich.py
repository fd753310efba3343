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
    with the lowest, and random ones in turn with those between (Appendix B), then
    with that of an extreme that is not trained.
    """
    resolutions = space.train_resolutions
    if config.biggest:
        yield Child("biggest", resolutions[-1], space.biggest())
    if config.smallest:
        yield Child("smallest", resolutions[0], space.smallest())
    free = resolutions[1:-1]
    free += () if config.smallest else resolutions[:1]
    free += () if config.biggest else resolutions[-1:]
    free = free or resolutions
    for index in range(config.num_random):
        resolution = free[index % len(free)]
        # Every replica and every restart knows the step, and so draws the same.
        number = tf.constant(seed * 1000 + index, tf.int64)
        step_seed = tf.stack([tf.cast(step, tf.int64), number])
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
      different_choices: of the random children, those that this replica has drawn otherwise
        than the first, an int64 scalar; 0 where `check_replicas` does not ask for it.
    """

    gradients: list[tf.Tensor]
    losses: dict[str, tf.Tensor]
    logits: tf.Tensor
    different_choices: tf.Tensor | int = 0


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

    One tape a child frees its activations once its gradients are there; nothing but the device's
    scheduling keeps two children from overlapping.

    Args:
      supernet: the shared weights.
      patches: uint8 [N, S, S, C], which every child sees at its own resolution; or
        [N, children, S, S, C], of which each child sees its own (`same_patch` off).
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
    drawn, different = list(children(supernet.space, sandwich, step, seed)), 0
    if sandwich.check_replicas:
        drawn, different = _agreed(drawn)
    for index, child in enumerate(drawn):
        seen = patches if sandwich.same_patch else patches[:, index]
        images = resize.resize_patches(seen, child.resolution)
        regularised = regularisation.children == "all" or child.role == "biggest"
        dropout_seed = _dropout_seed(step, index, seed) if regularised else None
        smoothing = regularisation.label_smoothing if regularised else 0.0
        with tf.GradientTape() as tape:
            logits = supernet(images, child.choice, training=True, dropout_seed=dropout_seed)
            loss = losses.supervised(labels, logits, smoothing)
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
    return StepResult(gradients, child_losses, first_logits, different)


def _dropout_seed(step: tf.Tensor, child: int, seed: int) -> tf.Tensor:
    """Differs between steps and children, and from the seeds of the random children."""
    salt = tf.constant((seed * 100 + child + 1) * 10_000, tf.int64)
    return tf.stack([tf.cast(step, tf.int64), salt])


def _agreed(drawn: Sequence[Child]) -> tuple[list[Child], tf.Tensor]:
    """The children that the first replica has drawn, and in how many choices mine differ.

    All run the same even where they have drawn different ones: slices of different sizes
    would end the step by an error of the first batch norm's, which says nothing of children.
    """
    context = tf.distribute.get_replica_context()
    is_first = tf.cast(context.replica_id_in_sync_group == 0, tf.int32)
    agreed, different = [], tf.constant(0, tf.int64)
    for child in drawn:
        if not isinstance(child.choice, Architecture):
            first = context.all_reduce(tf.distribute.ReduceOp.SUM, child.choice * is_first)
            different += tf.math.count_nonzero(child.choice - first)
            child = dataclasses.replace(child, choice=first)
        agreed.append(child)
    return agreed, different


def _add(
    total: Sequence[tf.Tensor | None], gradients: Sequence[tf.Tensor | None]
) -> list[tf.Tensor | None]:
    """Sums; None stands for the zeros of a weight that a child does not have."""
    return [
        b if a is None else a if b is None else a + b for a, b in zip(total, gradients, strict=True)
    ]
