"""Which images a run, a search or a fine-tuning uses for what, and that the uses are apart.

`selection.splits` has the table of pairs; here are those that a command brings together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from bignas_tf import errors
from bignas_tf.data import config as config_lib
from bignas_tf.data import identity, inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.data.identity import BySplit
from bignas_tf.selection import splits
from bignas_tf.training import checkpoints, class_names
from bignas_tf.training import learnt as learnt_images
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig

# A run's folder, its configuration, and its images when it learnt from them.
_Earlier = tuple[str, BigNASConfig, BySplit | None]
_PARENT = "the run that the child comes from"


def check_training(task: BigNASConfig) -> list[str]:
    """Checks the images of a training run, and those of the runs whose weights it starts from.

    Returns:
      Warnings, in words: of images that a run may share, and of those that cannot be compared.

    Raises:
      UsageError: uses share images that must be apart, or a split cannot be opened.
    """
    uses, absent = uses_of(task)
    return [*absent, *splits.check(uses), *_check_earlier(task, uses)]


def uses_of(task: BigNASConfig) -> tuple[splits.Uses, list[str]]:
    """The images that a training and its search name, by the fields that name them.

    Returns:
      Them, and a warning if the images of calibration are left out because there are none, which
      training alone can do without.
    """
    uses = {splits.TRAINING: task.train_data}
    uses |= splits.of_selection(task.train_data, task.selection)
    if task.evaluation.children:
        uses[splits.EVALUATION] = splits.evaluated(task.train_data, task.evaluation.split)
        return uses, []
    return uses, _leave_out_absent_calibration(uses)


def check_search(
    trained: BigNASConfig, searched: BigNASConfig, images: BySplit | None = None
) -> list[str]:
    """Checks the images of a search against all that its run has learnt from.

    Args:
      trained: of the run.
      searched: of the search, which may be on other images.
      images: of the run's data set when it learnt from them; None if unknown.

    Returns:
      As `check_training`.

    Raises:
      UsageError: as `check_training`, or the images are of other classes.
    """
    uses = splits.of_selection(searched.train_data, searched.selection)
    warnings = class_names.check_scored(trained.train_data, searched.train_data)
    warnings += _check_learnt(trained.train_data, uses, images)
    return [*warnings, *_check_earlier(trained, uses)]


def check_finetuning(
    trained: BigNASConfig, task: BigNASConfig, images: BySplit | None = None
) -> list[str]:
    """Checks that a fine-tuned child is reported on images that nothing before has seen.

    Neither the run nor the fine-tuning may have learnt from them, and the run may not have
    calibrated or ranked its children by them.

    Args:
      trained: of the run that the child comes from.
      task: of the fine-tuning.
      images: as in `check_search`.

    Returns:
      As `check_training`.

    Raises:
      UsageError: as `check_training`.
    """
    uses = splits.of_selection(task.train_data, task.selection)
    del uses[splits.RANKING]  # nothing is ranked
    _leave_out_absent_calibration(uses)
    warnings = splits.check(uses | {splits.TRAINING: task.train_data})
    warnings += _check_named(_PARENT, trained, uses, images)
    if identity.is_same(trained.train_data, uses[splits.REPORTING], images):
        _check_chosen(trained, uses[splits.REPORTING])
    return [*warnings, *_check_earlier(trained, uses)]


def _check_chosen(trained: BigNASConfig, reported: DataConfig) -> None:
    """Refuses to report on images by which a run calibrates its children, and ranks them."""
    uses = splits.of_selection(reported, trained.selection)
    there = {
        use: uses[use] for use in (splits.CALIBRATION, splits.RANKING) if not _problem(uses[use])
    }
    with _named(_PARENT):
        splits.check(there | {splits.REPORTING: reported})


def check_scored(run: Run, task: BigNASConfig, *names: str) -> None:
    """Checks that splits to score on have no images by now that the run has learnt from.

    Args:
      run: whose children are scored.
      task: of the run, which may be on other images.
      names: of the splits; the reporting split if there are none.

    Raises:
      UsageError: the images have changed since.
    """
    names = names or (task.selection.reporting_split,)
    uses = [splits.evaluated(task.train_data, name) for name in names]
    _check_same(run.config.task.train_data, uses, run.images)
    for folder, earlier, images in _earlier(run.config.task)[0]:
        with _named(f"task.init_checkpoint {folder}"):
            _check_same(earlier.train_data, uses, images)


def _leave_out_absent_calibration(uses: splits.Uses) -> list[str]:
    """Leaves out a calibration split that cannot be opened; what needs it refuses it.

    Returns:
      A warning, if it was left out.
    """
    problem = _problem(uses[splits.CALIBRATION])
    if not problem:
        return []
    del uses[splits.CALIBRATION]
    return [f"{splits.CALIBRATION}, which all that scores a child will need: {problem}"]


def _problem(config: DataConfig) -> str:
    """Why images cannot be opened; "" if they can."""
    try:
        inputs.open_images(config)
    except errors.UsageError as error:
        return str(error)
    return ""


def _check_earlier(task: BigNASConfig, uses: Mapping[str, DataConfig]) -> list[str]:
    """Checks what the runs have learnt from whose weights a run starts from."""
    runs, warnings = _earlier(task)
    for folder, earlier, images in runs:
        warnings += _check_named(f"task.init_checkpoint {folder}", earlier, uses, images)
    return warnings


def _check_named(
    name: str, trained: BigNASConfig, uses: Mapping[str, DataConfig], images: BySplit | None
) -> list[str]:
    """As `_check_learnt`, with the name of the run in every message."""
    with _named(name):
        found = _check_learnt(trained.train_data, uses, images)
    return [f"{name}: {warning}" for warning in found]


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the name of a run before what is wrong with its images."""
    try:
        yield
    except errors.UsageError as error:
        raise errors.UsageError(f"{name}: {error}") from error


def _check_learnt(
    learnt: DataConfig, uses: Mapping[str, DataConfig], images: BySplit | None
) -> list[str]:
    """Checks uses against images of an earlier training; of another data set none is known.

    Of another folder the files are compared: it may be a copy.
    """
    now = uses[splits.REPORTING]
    if not identity.is_same(learnt, now, images):
        return _check_copies(learnt, uses, images)
    if images is not None:
        identity.check_same(images, learnt, splits.unlike_training(uses))
    # The files may have been moved since.
    own = now.replace(tfds_split=learnt.tfds_split)
    if not _problem(own):
        return splits.check({**uses, splits.TRAINING: own})
    splits.check({use: config for use, config in uses.items() if use != splits.TRAINING})
    return [
        f"the images learnt from cannot be compared: their split {learnt.tfds_split!r} of "
        f"{config_lib.images_name(now)!r} is gone"
    ]


def _check_copies(
    learnt: DataConfig, uses: Mapping[str, DataConfig], images: BySplit | None
) -> list[str]:
    """Checks uses against images learnt from that may have been copied from another folder."""
    if any(each.source != "folder" for each in (learnt, *uses.values())):
        return []
    if problem := _problem(learnt):
        return [f"the images learnt from cannot be compared: {problem}"]
    found = splits.check_copies(learnt, uses)
    there = identity.read(learnt)
    names = () if images is None else identity.named(learnt, images)
    if images is not None and any(there.get(each) != images[each] for each in names):
        name = config_lib.images_name(learnt)
        found.append(f"not all images learnt from can be compared: {name} has changed since")
    return found


def seen_in_training(run: Run, split: str) -> list[str]:
    """Warnings if a split shares images with what the run, or one it began with, has learnt from.

    Where the images learnt from are gone, there is nothing to compare with.

    Args:
      run: whose children are scored.
      split: of the run's images.

    Raises:
      UsageError: the split cannot be opened.
    """
    scored = splits.evaluated(run.config.task.train_data, split)
    runs, warnings = _earlier(run.config.task)
    warnings += _seen(run.config.task.train_data, scored, run.images)
    for folder, earlier, images in runs:
        found = _seen(earlier.train_data, scored, images)
        warnings += [f"task.init_checkpoint {folder}: {warning}" for warning in found]
    return warnings


def _seen(learnt: DataConfig, scored: DataConfig, images: BySplit | None) -> list[str]:
    own = scored.replace(tfds_split=learnt.tfds_split)  # the files may have been moved since
    if not identity.is_same(learnt, scored, images):
        return _check_copies(learnt, {splits.SCORED: scored}, images)
    if _problem(own):
        return []
    return splits.check({splits.TRAINING: own, splits.SCORED: scored})


def _check_same(learnt: DataConfig, uses: Sequence[DataConfig], images: BySplit | None) -> None:
    """Checks uses against what the images were; of another data set nothing is known."""
    if images is not None and identity.is_same(learnt, uses[0], images):
        identity.check_same(images, learnt, uses)


def _earlier(task: BigNASConfig) -> tuple[list[_Earlier], list[str]]:
    """The runs whose weights a run starts from, the last first, as far as they are there.

    A run that resumes does not need them; one that starts is refused without the first.

    Returns:
      Them, and a warning if one is gone.
    """
    found: dict[str, _Earlier] = {}
    folder = task.init_checkpoint
    while folder and folder not in found:
        try:
            task = checkpoints.read_config(folder).task
        except errors.UsageError as error:
            gone = f"task.init_checkpoint {folder}: what it has learnt from cannot be compared"
            return [*found.values()], [f"{gone}: {error}"]
        found[folder] = folder, task, learnt_images.read(folder)
        folder = learnt_images.parent(folder, task)
    return [*found.values()], []
