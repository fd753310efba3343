"""The sandwich rule: what the children of one step learn, and their summed gradients."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.training import children as children_lib
from bignas_tf.training import losses
from bignas_tf.training.children import Child
from bignas_tf.training.configs import BigNASConfig

Gradients = list[tf.Tensor | None]  # None: a weight that is not used, whose gradient is 0
Teacher = Callable[[tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class StepResult:
    """What one replica computed.

    Attributes:
      gradients: of the sum of all losses, one for each trainable variable,
        scaled so that their sum over replicas is the global mean's.
      losses: this replica's mean loss by role.
      logits: of the first child, float32 [N, classes].
      different_choices: number of choices of the random children that differ from those of the
        first replica, an int64 scalar; 0 unless `check_replicas` is on.
    """

    gradients: list[tf.Tensor]
    losses: dict[str, tf.Tensor]
    logits: tf.Tensor
    different_choices: tf.Tensor | int = 0


def compute_gradients(
    supernet: ElasticModel,
    *,
    patches: tf.Tensor,
    labels: tf.Tensor,
    step: tf.Tensor,
    config: BigNASConfig,
    teacher: Teacher | None = None,
    part: tf.Tensor | int = 0,
) -> StepResult:
    """Runs the children of a step one after another, each with its own tape.

    A tape per child frees its activations as soon as its gradients exist; only the device's
    scheduling keeps two children from overlapping.

    Args:
      supernet: the shared weights.
      patches: uint8 [N, S, S, C], which every child sees at its own resolution; or
        [N, children, S, S, C], of which each child sees its own (`same_patch` off).
      labels: int32 [N].
      step: global step, a scalar integer tensor.
      config: which children, what they learn from, and which are regularised.
      teacher: gives float32 logits [N, classes] for uint8 patches [N, S, S, C]; None to
        learn from the biggest child.
      part: of the batch, where it is computed in parts; its dropout differs.
    """
    sandwich = config.sandwich
    drawn = list(children_lib.children(supernet.space, sandwich, step, config.seed))
    different: tf.Tensor | int = 0
    if sandwich.check_replicas:
        drawn, different = _agreed(drawn)
    lesson = _Lesson(supernet, labels, step, config, part)
    total: Gradients = [None] * len(supernet.trainable_variables)
    child_losses: dict[str, tf.Tensor] = {}
    first_logits = None
    soft = teacher(patches) if teacher and sandwich.same_patch else None
    for index, child in enumerate(drawn):
        seen = patches if sandwich.same_patch else patches[:, index]
        if teacher and not sandwich.same_patch:
            soft = teacher(seen)
        gradients, loss, logits = lesson.learn(index, child, seen, soft)
        total = _add(total, gradients)
        child_losses[child.role] = loss
        if index == 0:
            first_logits = logits
            soft = soft if teacher else logits
    total = _add(total, lesson.weight_decay(drawn))
    return StepResult(lesson.dense(total), child_losses, first_logits, different)


class _Lesson:
    """The targets and rules that the children of a step share, on one replica."""

    def __init__(
        self,
        supernet: ElasticModel,
        labels: tf.Tensor,
        step: tf.Tensor,
        config: BigNASConfig,
        part: tf.Tensor | int,
    ) -> None:
        self._supernet = supernet
        self._variables = supernet.trainable_variables
        self._labels = labels
        self._step = step
        self._config = config
        self._part = tf.cast(part, tf.int64)
        self._replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Replicas that communicate inside a function of their own would end in an error.
        share = self._replicas == 1 and tf.inside_function()
        self._learn_drawn = tf.function(self._drawn, autograph=False) if share else self._drawn

    def learn(
        self, index: int, child: Child, patches: tf.Tensor, soft: tf.Tensor | None
    ) -> tuple[Gradients, tf.Tensor, tf.Tensor]:
        """A child's gradients, its mean loss, and its logits [N, classes]."""
        if self._supernet.execution == "slice" and not isinstance(child.choice, Architecture):
            # One trace for all random children, of any side; tracing takes longer than many steps.
            return self._learn_drawn(tf.constant(index), child.choice, patches, soft)
        if child.resolution is not None:
            return self._at(index, child, soft, resize.resize_patches(patches, child.resolution))
        return self._in_branches(index, child, patches, soft)

    def _drawn(
        self, index: tf.Tensor, choice: tf.Tensor, patches: tf.Tensor, soft: tf.Tensor | None
    ) -> tuple[Gradients, tf.Tensor, tf.Tensor]:
        """A random child whose side only its code says, by slices."""
        child = Child(children_lib.RANDOM, choice, None)
        sides = self._supernet.space.train_resolutions
        return self._at(index, child, soft, resize.resize_to_one_of(patches, child.side, sides))

    def _in_branches(
        self, index: int, child: Child, patches: tf.Tensor, soft: tf.Tensor | None
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """The same by masks: XLA needs static shapes, so each side has a branch."""

        def at(side: int) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
            images = resize.resize_patches(patches, side)
            gradients, loss, logits = self._at(index, child, soft, images)
            return self.dense(gradients), loss, logits

        sides = self._supernet.space.train_resolutions
        which = tf.argmax(tf.equal(sides, child.side), output_type=tf.int32)
        return tf.switch_case(which, [functools.partial(at, side) for side in sides])

    def _at(
        self, index: tf.Tensor | int, child: Child, soft: tf.Tensor | None, images: tf.Tensor
    ) -> tuple[Gradients, tf.Tensor, tf.Tensor]:
        dropout_seed = self._dropout_seed(index) if self._is_regularised(child) else None
        with tf.GradientTape() as tape:
            logits = self._supernet(images, child.choice, training=True, dropout_seed=dropout_seed)
            loss = self._loss(logits, soft)
            objective = loss / self._replicas
        return tape.gradient(objective, self._variables), loss, logits

    def _loss(self, logits: tf.Tensor, soft: tf.Tensor | None) -> tf.Tensor:
        """From labels, from soft labels, or from both by their weights."""
        distillation = self._config.distillation
        smoothing = self._config.regularisation.label_smoothing
        if soft is None or not distillation.weight:
            return losses.supervised(self._labels, logits, smoothing)
        taught = losses.distilled(soft, logits, distillation)
        if distillation.weight == 1.0 and not distillation.ramp_steps:
            return taught
        weight = losses.ramp(distillation, self._step)
        return (1.0 - weight) * losses.supervised(self._labels, logits, smoothing) + weight * taught

    def _is_regularised(self, child: Child) -> bool:
        first = child.role in (children_lib.BIGGEST, children_lib.ALONE)
        return first or self._config.regularisation.children == "all"

    def _dropout_seed(self, child: tf.Tensor | int) -> tf.Tensor:
        """Differs between steps, children and parts, and from the seeds of the random children."""
        salt = (self._config.seed * 100 + tf.cast(child, tf.int64) + 1) * 10_000
        return tf.stack([tf.cast(self._step, tf.int64), salt + self._part])

    def weight_decay(self, drawn: Sequence[Child]) -> Gradients:
        """The loss of half the squared norm of all kernels, once a step (paper, Section 3.1).

        Of biases too, where the configuration says so. Batch norms are left out.
        """
        rules = self._config.regularisation
        factor = rules.weight_decay / self._replicas
        if not (factor and any(map(self._is_regularised, drawn))):
            return [None] * len(self._variables)
        return [
            factor * v if v.shape.rank > 1 or (rules.biases and _is_bias(v)) else None
            for v in self._variables
        ]

    def dense(self, gradients: Gradients) -> list[tf.Tensor]:
        """Replaces None by zeros."""
        return [
            tf.zeros_like(variable) if gradient is None else gradient
            for variable, gradient in zip(self._variables, gradients, strict=True)
        ]


def _is_bias(variable: tf.Variable) -> bool:
    return variable.name.split(":")[0].endswith("bias")


def _agreed(drawn: Sequence[Child]) -> tuple[list[Child], tf.Tensor]:
    """Returns the first replica's children, and in how many choices this replica's differ.

    All replicas run the first one's children even if they drew others: slices of different sizes
    would end the step with an error of the first batch norm, which does not mention children.
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


def _add(total: Gradients, gradients: Gradients) -> Gradients:
    return [
        b if a is None else a if b is None else a + b for a, b in zip(total, gradients, strict=True)
    ]
