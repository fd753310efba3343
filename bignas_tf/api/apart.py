"""Which images a run, a search or a fine-tuning uses for what, and that the uses are apart.

`selection.splits` has the table of pairs; here are those that a command brings together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bignas_tf import errors
from bignas_tf.data import inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.selection import splits
from bignas_tf.training import checkpoints
from bignas_tf.training.configs import BigNASConfig

_IMAGES = ("source", "tfds_name", "input_path")  # what a data set is known by


def check_training(task: BigNASConfig) -> list[str]:
    """Checks the images of a training run, and those of the runs whose weights it starts from.

    Returns:
      Warnings of images that a run may share, in words.

    Raises:
      UsageError: uses share images that must be apart, or a split cannot be opened.
    """
    uses = splits.of_selection(task.train_data, task.selection)
    uses[splits.TRAINING] = task.train_data
    if task.evaluation.children:
        uses[splits.EVALUATION] = splits.evaluated(task.train_data, task.evaluation.split)
    elif not _opens(uses[splits.CALIBRATION]):
        del uses[splits.CALIBRATION]  # training does not need it; what does refuses it
    return [*splits.check(uses), *_check_earlier(task, uses)]


def check_search(trained: BigNASConfig, searched: BigNASConfig) -> list[str]:
    """Checks the images of a search against all that its run has learnt from.

    Args:
      trained: of the run.
      searched: of the search, which may be on other images.

    Returns:
      As `check_training`.

    Raises:
      UsageError: as `check_training`.
    """
    uses = splits.of_selection(searched.train_data, searched.selection)
    return [*_check_learnt(trained.train_data, uses), *_check_earlier(trained, uses)]


def check_finetuning(trained: BigNASConfig, task: BigNASConfig) -> None:
    """Checks that a fine-tuned child is reported on images that it has never learnt from.

    Args:
      trained: of the run that the child comes from.
      task: of the fine-tuning.

    Raises:
      UsageError: as `check_training`.
    """
    uses = splits.of_selection(task.train_data, task.selection)
    del uses[splits.RANKING]  # nothing is ranked
    splits.check(uses | {splits.TRAINING: task.train_data})
    try:
        _check_learnt(trained.train_data, uses)
    except errors.UsageError as error:
        raise errors.UsageError(f"the run that the child comes from: {error}") from error
    _check_earlier(trained, uses)


def _opens(config: DataConfig) -> bool:
    try:
        inputs.open_images(config)
    except errors.UsageError:
        return False
    return True


def _check_earlier(task: BigNASConfig, uses: Mapping[str, DataConfig]) -> list[str]:
    """Checks what the runs have learnt from whose weights a run starts from."""
    warnings = []
    for folder, earlier in _earlier(task):
        try:
            found = _check_learnt(earlier.train_data, uses)
        except errors.UsageError as error:
            raise errors.UsageError(f"task.init_checkpoint {folder}: {error}") from error
        warnings += [f"task.init_checkpoint {folder}: {warning}" for warning in found]
    return warnings


def _check_learnt(learnt: DataConfig, uses: Mapping[str, DataConfig]) -> list[str]:
    """Checks uses against images of an earlier training; of another data set none is known."""
    now = uses[splits.REPORTING]
    if any(getattr(learnt, name) != getattr(now, name) for name in _IMAGES):
        return []
    # The files may have been moved since.
    own = now.replace(tfds_split=learnt.tfds_split)
    return splits.check({**uses, splits.TRAINING: own})


def _earlier(task: BigNASConfig) -> Iterator[tuple[str, BigNASConfig]]:
    """The runs whose weights a run starts from, the last first, as far as they are there.

    A run that resumes does not need them; one that starts is refused without the first.
    """
    seen: set[str] = set()
    while (folder := task.init_checkpoint) and folder not in seen:
        seen.add(folder)
        try:
            task = checkpoints.read_config(folder).task
        except errors.UsageError:
            return
        yield folder, task
