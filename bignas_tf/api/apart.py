"""Which images a run, a search or a fine-tuning uses for what, and that the uses are apart.

`selection.splits` has the table of pairs; here are those that a command brings together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from bignas_tf import errors
from bignas_tf.data import config as config_lib
from bignas_tf.data import identity, inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.data.identity import BySplit
from bignas_tf.selection import splits
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.training import checkpoints, class_names
from bignas_tf.training import learnt as learnt_images
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig


class _Learnt(NamedTuple):
    """What a run has learnt from.

    Attributes:
      data: names the images.
      images: of their data set, when the run learnt from them; None if unknown.
      start: of messages: the run's name and a colon; "" for the run that is asked about.
    """

    data: DataConfig
    images: BySplit | None
    start: str = ""


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
    warnings += _check_learnt(_Learnt(trained.train_data, images), uses)
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
    parent = _Learnt(trained.train_data, images, "the run that the child comes from: ")
    warnings += _each([parent], lambda learnt: _check_learnt(learnt, uses))
    _each([parent], lambda learnt: _check_chosen(learnt, trained.selection, uses))
    return [*warnings, *_check_earlier(trained, uses)]


def _check_chosen(learnt: _Learnt, selection: SelectionConfig, uses: splits.Uses) -> None:
    """Refuses to report on images by which a run calibrates its children, and ranks them."""
    reported = uses[splits.REPORTING]
    if identity.is_same(learnt.data, reported, learnt.images):
        chosen = splits.of_selection(reported, selection) | {splits.REPORTING: reported}
        splits.check({use: data for use, data in chosen.items() if not _problem(data)})


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
    _each(_history(run)[0], lambda learnt: _check_unchanged(learnt, uses))


def seen_in_training(run: Run, split: str) -> list[str]:
    """Warnings if a split shares images with what the run, or one it began with, has learnt from.

    Where the images learnt from are gone, there is nothing to compare with.

    Args:
      run: whose children are scored.
      split: of the run's images.

    Raises:
      UsageError: the split cannot be opened.
    """
    uses = {splits.SCORED: splits.evaluated(run.config.task.train_data, split)}
    history, gone = _history(run)
    return gone + _each(history, lambda learnt: _compared(learnt, uses))


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
    earlier, gone = _earlier(task)
    return gone + _each(earlier, lambda learnt: _check_learnt(learnt, uses))


def _each(runs: Iterable[_Learnt], check: Callable[[_Learnt], list[str] | None]) -> list[str]:
    """Checks what each run has learnt from; errors and warnings begin with the run's name."""
    warnings: list[str] = []
    for learnt in runs:
        try:
            warnings += [f"{learnt.start}{warning}" for warning in check(learnt) or ()]
        except errors.UsageError as error:
            raise errors.UsageError(f"{learnt.start}{error}") from error
    return warnings


def _check_learnt(learnt: _Learnt, uses: Mapping[str, DataConfig]) -> list[str]:
    """Checks uses against images learnt from, whether these are what they were or not."""
    _check_unchanged(learnt, splits.unlike_training(uses))
    found = _compared(learnt, uses)
    if found is not None:
        return found
    splits.check({use: data for use, data in uses.items() if use != splits.TRAINING})
    return [
        f"the images learnt from cannot be compared: their split {learnt.data.tfds_split!r} of "
        f"{config_lib.images_name(uses[splits.REPORTING])!r} is gone"
    ]


def _check_unchanged(learnt: _Learnt, uses: Sequence[DataConfig]) -> None:
    """Checks uses against what the images were; of another data set nothing is known."""
    if learnt.images is not None and identity.is_same(learnt.data, uses[0], learnt.images):
        identity.check_same(learnt.images, learnt.data, uses)


def _compared(learnt: _Learnt, uses: Mapping[str, DataConfig]) -> list[str] | None:
    """Checks uses against images learnt from; None if these are gone.

    Of another folder the files are compared: it may be a copy.
    """
    now = next(iter(uses.values()))  # all are of one data set
    if not identity.is_same(learnt.data, now, learnt.images):
        return _check_copies(learnt, uses)
    own = now.replace(tfds_split=learnt.data.tfds_split)  # the files may have been moved since
    return None if _problem(own) else splits.check({**uses, splits.TRAINING: own})


def _check_copies(learnt: _Learnt, uses: Mapping[str, DataConfig]) -> list[str]:
    """Checks uses against images learnt from that may have been copied from another folder."""
    data, images = learnt.data, learnt.images
    if any(each.source != "folder" for each in (data, *uses.values())):
        return []
    if problem := _problem(data):
        return [f"the images learnt from cannot be compared: {problem}"]
    found, there = splits.check_copies(data, uses), identity.read(data)
    names = () if images is None else identity.named(data, images)
    if images is not None and any(there.get(each) != images[each] for each in names):
        name = config_lib.images_name(data)
        found.append(f"not all images learnt from can be compared: {name} has changed since")
    return found


def _history(run: Run) -> tuple[list[_Learnt], list[str]]:
    """What a run has learnt from, and what those before it have; see `_earlier`."""
    earlier, gone = _earlier(run.config.task)
    return [_Learnt(run.config.task.train_data, run.images), *earlier], gone


def _earlier(task: BigNASConfig) -> tuple[list[_Learnt], list[str]]:
    """What the runs have learnt from whose weights a run starts from, the last of them first.

    A run that resumes does not need them; one that starts is refused without the first.

    Returns:
      Them, as far as they are there, and a warning if one is gone.
    """
    found: dict[str, _Learnt] = {}
    folder = task.init_checkpoint
    while folder and folder not in found:
        start = f"task.init_checkpoint {folder}: "
        try:
            task = checkpoints.read_config(folder).task
        except errors.UsageError as error:
            gone = f"{start}what it has learnt from cannot be compared: {error}"
            return [*found.values()], [gone]
        found[folder] = _Learnt(task.train_data, learnt_images.read(folder), start)
        folder = learnt_images.parent(folder, task)
    return [*found.values()], []
