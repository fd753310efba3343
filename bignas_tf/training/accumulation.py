"""A batch in parts, one after another, where a device cannot hold its activations (ours)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bignas_tf import errors, workers
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.training import sandwich
from bignas_tf.training.configs import BigNASConfig
from bignas_tf.training.sandwich import StepResult

Sums = list[tf.Tensor]
Step = Callable[[tf.Tensor, Sums, tf.TensorArray], tuple[tf.Tensor, Sums, tf.TensorArray]]

_MOST_PARTS = 1024  # fewer than the seeds of dropout leave room for


def count_parts(images: int, at_once: int) -> int:
    """Returns in how many parts a step computes a replica's batch.

    Args:
      images: of a replica in a step.
      at_once: `task.images_at_once`; 0 for all of them.

    Raises:
      UsageError: they do not divide the batch, or into too many parts.
    """
    if at_once == 0 or at_once >= images:
        return 1
    parts, left = divmod(images, at_once)
    if left or parts > _MOST_PARTS:
        raise errors.UsageError(
            f"task.images_at_once is {at_once}, but a replica has {images} images in a step; give "
            f"a divisor of {images} that makes at most {_MOST_PARTS} parts, or 0 for all at once"
        )
    return parts


def compute_gradients(
    supernet: ElasticModel,
    *,
    patches: tf.Tensor,
    labels: tf.Tensor,
    config: BigNASConfig,
    **given: Any,
) -> StepResult:
    """The mean of `sandwich.compute_gradients` over the parts of a replica's batch.

    Part p has the images p, p + parts, ...; the parts of all replicas are together those of one
    device with the whole batch, so that any number of replicas computes the same. The children
    of all parts are the same. Batch norms see a part of every replica at a time.

    Args:
      supernet: the shared weights.
      patches: as for the sandwich; N is static, and a multiple of `config.images_at_once`
        unless it is smaller.
      labels: int32 [N].
      config: its `images_at_once` are those of a part; 0 leaves the batch whole.
      **given: to the sandwich.

    Raises:
      UsageError: see `count_parts`.
    """
    parts = count_parts(labels.shape[0], config.images_at_once)
    if parts == 1:
        return sandwich.compute_gradients(
            supernet, patches=patches, labels=labels, config=config, **given
        )
    divided_patches, divided_labels = _divided(patches, parts), _divided(labels, parts)
    roles: list[str] = []

    def step(part: tf.Tensor, sums: Sums, logits: tf.TensorArray) -> Any:
        result = sandwich.compute_gradients(
            supernet,
            patches=tf.gather(divided_patches, part, axis=1),
            labels=tf.gather(divided_labels, part, axis=1),
            config=config,
            part=part,
            **given,
        )
        roles[:] = result.losses
        addends = [*result.gradients, *_vectors(result)]
        added = [a + b for a, b in zip(sums, addends, strict=True)]
        return part + 1, added, logits.write(part, result.logits)

    zeros = [tf.zeros_like(each) for each in supernet.trainable_variables]
    zeros += [tf.zeros(config.sandwich.num_children), tf.zeros((), tf.int64)]
    shape = [divided_labels.shape[0], supernet.num_classes]
    logits = tf.TensorArray(tf.float32, parts, element_shape=shape)
    sums, logits = _repeated(step, zeros, logits, parts)
    return _mean(sums, roles, _in_order(logits.stack()), parts)


def _mean(sums: Sums, roles: Sequence[str], logits: tf.Tensor, parts: int) -> StepResult:
    *gradients, losses, different = sums
    return StepResult(
        [each / parts for each in gradients],
        dict(zip(roles, tf.unstack(losses / parts), strict=True)),
        logits,
        different // parts,
    )


def _divided(batch: tf.Tensor, parts: int) -> tf.Tensor:
    """[N / parts, parts, ...] of [N, ...]: neighbours are of different parts."""
    return tf.reshape(batch, [-1, parts, *batch.shape[1:]])


def _in_order(stacked: tf.Tensor) -> tf.Tensor:
    """[N, ...] in the order of the batch, of [parts, N / parts, ...]."""
    return tf.reshape(tf.experimental.numpy.swapaxes(stacked, 0, 1), [-1, *stacked.shape[2:]])


def _vectors(result: StepResult) -> tuple[tf.Tensor, tf.Tensor]:
    losses = tf.stack(list(result.losses.values()))
    return losses, tf.cast(result.different_choices, tf.int64)


def _repeated(
    step: Step, sums: Sums, logits: tf.TensorArray, parts: int
) -> tuple[Sums, tf.TensorArray]:
    """Takes every part, in a loop of the graph where replicas can communicate inside a loop."""
    number = tf.constant(0)
    if not workers.reduces_outside(tf.distribute.get_strategy()):
        # One copy of the step, whatever the number of parts, and one part's activations.
        _, sums, logits = tf.while_loop(
            lambda part, *_: part < parts,
            step,
            (number, sums, logits),
            parallel_iterations=1,
            maximum_iterations=parts,
        )
        return sums, logits
    for _ in range(parts):
        # A part that did not wait for the one before would hold its activations beside it.
        with tf.control_dependencies(sums):
            number = tf.identity(number)
        number, sums, logits = step(number, sums, logits)
    return sums, logits
