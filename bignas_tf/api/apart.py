"""Which images a run, a search or a fine-tuning uses for what, and that the uses are apart.

`selection.splits` has the table of pairs; here are those that a command brings together.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from bignas_tf import errors, files
from bignas_tf.data import config as config_lib
from bignas_tf.data import inputs, sources
from bignas_tf.data.config import DataConfig
from bignas_tf.selection import splits
from bignas_tf.training import checkpoints
from bignas_tf.training.configs import BigNASConfig


def check_training(task: BigNASConfig) -> list[str]:
    """Checks the images of a training run, and those of the runs whose weights it starts from.

    Returns:
      Warnings, in words: of images that a run may share, and of those that cannot be compared.

    Raises:
      UsageError: uses share images that must be apart, or a split cannot be opened.
    """
    uses = splits.of_selection(task.train_data, task.selection)
    uses[splits.TRAINING] = task.train_data
    if task.evaluation.children:
        uses[splits.EVALUATION] = splits.evaluated(task.train_data, task.evaluation.split)
    else:
        _leave_out_absent_calibration(uses)
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


def check_finetuning(trained: BigNASConfig, task: BigNASConfig) -> list[str]:
    """Checks that a fine-tuned child is reported on images that it has never learnt from.

    Args:
      trained: of the run that the child comes from.
      task: of the fine-tuning.

    Returns:
      As `check_training`.

    Raises:
      UsageError: as `check_training`.
    """
    uses = splits.of_selection(task.train_data, task.selection)
    del uses[splits.RANKING]  # nothing is ranked
    _leave_out_absent_calibration(uses)
    warnings = splits.check(uses | {splits.TRAINING: task.train_data})
    warnings += _check_named("the run that the child comes from", trained, uses)
    return [*warnings, *_check_earlier(trained, uses)]


def _leave_out_absent_calibration(uses: splits.Uses) -> None:
    """Leaves out a calibration split that cannot be opened; what needs it refuses it."""
    if not _opens(uses[splits.CALIBRATION]):
        del uses[splits.CALIBRATION]


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
        warnings += _check_named(f"task.init_checkpoint {folder}", earlier, uses)
    return warnings


def _check_named(name: str, trained: BigNASConfig, uses: Mapping[str, DataConfig]) -> list[str]:
    """As `_check_learnt`, with the name of the run in every message."""
    try:
        found = _check_learnt(trained.train_data, uses)
    except errors.UsageError as error:
        raise errors.UsageError(f"{name}: {error}") from error
    return [f"{name}: {warning}" for warning in found]


def _check_learnt(learnt: DataConfig, uses: Mapping[str, DataConfig]) -> list[str]:
    """Checks uses against images of an earlier training; of another data set none is known."""
    now = uses[splits.REPORTING]
    if _images(learnt) != _images(now):
        return []
    # The files may have been moved since.
    own = now.replace(tfds_split=learnt.tfds_split)
    if _opens(own):
        return splits.check({**uses, splits.TRAINING: own})
    splits.check({use: config for use, config in uses.items() if use != splits.TRAINING})
    return [
        f"the images learnt from cannot be compared: their split {learnt.tfds_split!r} of "
        f"{config_lib.images_name(now)!r} is gone"
    ]


def _images(config: DataConfig) -> tuple[str, list[str]]:
    """What a data set is known by; of local files their absolute paths, however they are given."""
    if config.source == "tfrecord":
        return config.source, sorted(map(_absolute, sources.as_patterns(config.input_path)))
    name = str(config_lib.images_name(config))
    return config.source, [_absolute(name) if config.source == "folder" else name]


def _absolute(path: str) -> str:
    return path if files.is_remote(path) else os.path.abspath(os.path.expanduser(path))


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
