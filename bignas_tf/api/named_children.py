"""Named children, scored repeatedly during training."""

from __future__ import annotations

from collections.abc import Callable

from bignas_tf import errors
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import splits
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.training.configs import BigNASConfig

Score = Callable[[], dict[str, float | errors.RunError]]


def scorer(task: BigNASConfig) -> Callable[[ElasticModel], Score]:
    """Opens the images, and returns a function that gives a supernet's scorer of its children.

    A scorer calibrates them for the present weights and returns their top-1 accuracies by name. A
    child that cannot be scored (a logit is NaN or infinite, memory is too small) has its error in
    place of an accuracy. It raises a `UsageError` if an image cannot be read, and an
    `OutOfMemoryError` if one of several workers has too little memory.

    Args:
      task: the run's `BigNASConfig`; its `evaluation` names the children and the images.

    Raises:
      UsageError: an unknown child, one outside the space, or an unknown or empty split.
    """
    own, data = task.evaluation, task.train_data
    space = presets.get(task.model.search_space)
    children = {name: presets.child(space, name) for name in own.children}
    calibration = splits.calibration_batches(data, task.selection)
    images = splits.open_split(data, own.split, task.selection.batch_size, own.images or None)

    def of(supernet: ElasticModel) -> Score:
        evaluator = Evaluator(supernet, calibration)

        def top1() -> dict[str, float | errors.RunError]:
            found: dict[Architecture, float | errors.RunError] = {}
            for child, outcome in evaluator.attempts(children.values(), images):
                found[child] = outcome if isinstance(outcome, errors.RunError) else outcome.top1
            return {name: found[child] for name, child in children.items()}

        return top1

    return of
