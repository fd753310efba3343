"""Named children, scored repeatedly during training."""

from __future__ import annotations

from collections.abc import Callable

from bignas_tf import errors
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import splits
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.training.configs import BigNASConfig


class NamedChildren:
    """Scores children on statistics calibrated for the current weights.

    Args:
      task: the run's `BigNASConfig`; its `evaluation` names the children and the images.

    Raises:
      UsageError: an unknown child, one outside the space, or an unknown or empty split.
    """

    def __init__(self, task: BigNASConfig) -> None:
        own, data = task.evaluation, task.train_data
        space = presets.get(task.model.search_space)
        self._children = {name: presets.child(space, name) for name in own.children}
        self._calibration = splits.calibration_batches(data, task.selection)
        self._images = splits.open_split(
            data, own.split, task.selection.batch_size, own.images or None
        )

    def of(self, supernet: Supernet) -> Callable[[], dict[str, float | errors.RunError]]:
        """Returns a function that scores the children: top-1 accuracy by name.

        A child that cannot be scored (a logit is NaN or infinite, memory is too small) has its
        error in place of an accuracy.

        Raises (when that is called):
          UsageError: an image cannot be read.
          OutOfMemoryError: one of several workers has too little memory.
        """
        evaluator = Evaluator(supernet, self._calibration)

        def top1() -> dict[str, float | errors.RunError]:
            found: dict[Architecture, float | errors.RunError] = {}
            for child, outcome in evaluator.attempts(self._children.values(), self._images):
                found[child] = outcome if isinstance(outcome, errors.RunError) else outcome.top1
            return {name: found[child] for name, child in self._children.items()}

        return top1
