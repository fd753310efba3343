"""How good a run's children are: one of them, or a few at every resolution."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping

import numpy as np

from bignas_tf import console, errors, files, plain
from bignas_tf.accuracy import Accuracy
from bignas_tf.api import apart, arguments, evaluators
from bignas_tf.console import Show
from bignas_tf.data import sources
from bignas_tf.reports import words
from bignas_tf.search_space import presets
from bignas_tf.search_space.presets import AnyArchitecture
from bignas_tf.selection import findings, judging, splits
from bignas_tf.selection import judgement as judgement_lib
from bignas_tf.selection.confusion import Confusion
from bignas_tf.selection.judgement import JudgedChild, Judgement
from bignas_tf.selection.provenance import Source
from bignas_tf.selection.splits import Split
from bignas_tf.training import children as children_lib
from bignas_tf.training.checkpoints import Run


def evaluate(
    run: Run,
    architecture: AnyArchitecture,
    split: str = "",
    *,
    show: Show | None = console.print_line,
) -> Accuracy:
    """Calibrates and scores one child.

    Args:
      run: from `load` or `train`.
      architecture: an architecture, its JSON file, "smallest", "biggest" or a published name.
      split: images to score on, such as "test[:1000]"; the run's reporting split if empty.
      show: takes a warning of images that the run has learnt from; None for silence.

    Raises:
      UsageError: no such child, an unknown or empty split, or one whose images have changed, so
        that they may be images of the training.
      RunError: a logit is NaN or infinite, or memory ran out.
    """
    arguments.check_run(run)
    arguments.text("split", split)
    child = presets.child(run.space, architecture)
    images, warnings = _opened(run, split)
    console.warn(console.or_silent(show), warnings)
    ((_, accuracy),) = evaluators.evaluator_of(run).scores([child], images)
    return accuracy


def confusion(
    run: Run,
    architecture: AnyArchitecture,
    split: str = "",
    *,
    show: Show | None = console.print_line,
) -> Confusion:
    """Calibrates one child, and counts which classes it takes for which.

    As `evaluate`, but batches that memory cannot hold are not divided.
    """
    arguments.check_run(run)
    arguments.text("split", split)
    child, data = presets.child(run.space, architecture), run.config.task.train_data
    names = sources.class_names(data)
    images, warnings = _opened(run, split)
    console.warn(console.or_silent(show), warnings)
    evaluator = evaluators.evaluator_of(run)
    counts = np.zeros([data.num_classes] * 2, np.int64)
    for logits, labels in evaluator.logits(child, evaluator.statistics(child), images):
        np.add.at(counts, (labels, logits.argmax(1)), 1)
    return Confusion(names, counts)


def _opened(run: Run, split: str, images: int = 0) -> tuple[Split, list[str]]:
    """A split, the run's reporting split if empty, and warnings of what the run has learnt."""
    task = run.config.task
    chosen = split or task.selection.reporting_split
    apart.check_scored(run, task, chosen)
    opened = splits.open_split(task.train_data, chosen, task.selection.batch_size, images or None)
    return opened, apart.seen_in_training(run, chosen) if split else []


def judge(
    run: Run,
    *,
    children: int = 5,
    seed: int = 0,
    split: str = "",
    images: int = 0,
    output: str | os.PathLike[str] | None = None,
    show: Show | None = console.print_line,
) -> Judgement:
    """Scores the smallest, the biggest and random children at every resolution, and writes it.

    Args:
      run: from `load` or `train`.
      children: how many random ones, at least 1.
      seed: of the random ones.
      split: images to score on; the run's reporting split if empty, because judging chooses
        nothing.
      images: how many of them, from the start; 0 for all.
      output: JSON file of the result; `judgement.json` in the run's folder, where `report` finds
        it, if None.
      show: takes lines of progress, then the result as a table; None for silence.

    Raises:
      UsageError: a number out of range, a split that is refused as in `evaluate`, a run that
        trained one child alone, or an output that cannot be written.
      RunError: a logit is NaN or infinite, or memory ran out.
    """
    children, seed = plain.whole("children", children, 1), plain.whole("seed", seed, 0)
    images = plain.whole("images", images, 0)
    arguments.check_run(run)
    own = os.path.join(run.model_dir, judgement_lib.FILE)
    path = own if output is None else errors.require_path("output", output)
    files.make_place(path, "output")
    show, task = console.or_silent(show), run.config.task
    if task.sandwich.alone:
        raise errors.UsageError(
            f"{run.model_dir} trained one child alone (task.sandwich.alone is "
            f"{task.sandwich.alone!r}), not a supernet; score that child with tools.evaluate"
        )
    opened, warnings = _opened(run, split, images)
    split = split or task.selection.reporting_split
    drawn = judging.sample_children(run.space, children, seed)
    scores = judging.score(run.supernet, evaluators.evaluator_of(run), opened, drawn, show)
    trained = children_lib.trained_resolutions(run.space, task.sandwich)
    source, majority = Source.from_json(run.source), opened.majority()
    result = findings.complete(source, split, seed, scores, run.space, trained, majority)
    result = dataclasses.replace(result, warnings=(*warnings, *result.warnings))
    judgement_lib.write(path, result)
    for line in _lines(result):
        show(line)
    return result


def _lines(result: Judgement) -> Iterator[str]:
    """The whole judgement for people: a table, the summary, and warnings."""
    yield from _table(result)
    for what, figure in words.judged(result):
        yield f"{what}: {figure}"
    yield from map(console.warning, result.warnings)


def _table(result: Judgement) -> Iterator[str]:
    """A line for each child, and for what they have in common at each resolution."""
    summary = result.summary
    rows = [
        ("top-1 (%)", "multiply-adds (M)", [f"{side} px" for side in result.resolutions]),
        *((child.name, _range(child.macs), _top1(child)) for child in result.children),
        ("random, mean", "", _hundred(summary.random_mean_by_resolution)),
        ("below the front", "", _hundred(summary.front_distance_by_resolution)),
    ]
    width = max(len(name) for name, _, _ in rows)
    for name, macs, cells in rows:
        yield f"{name:<{width}}  {macs:>17}" + "".join(f"{cell:>8}" for cell in cells)


def _range(macs: Mapping[int, int]) -> str:
    """The least and the most multiply-adds of a child, in millions."""
    return f"{min(macs.values()) / 1e6:.4g} to {max(macs.values()) / 1e6:.4g}"


def _top1(child: JudgedChild) -> list[str]:
    return _hundred({side: accuracy.top1 for side, accuracy in child.accuracies.items()})


def _hundred(fractions: Mapping[int, float]) -> list[str]:
    return [f"{100 * value:.2f}" for value in fractions.values()]
