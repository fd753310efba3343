"""How good a trained supernet is: the same few children, scored at every resolution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bignas_tf import console, errors
from bignas_tf.console import Show
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import findings, progress, splits
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.findings import BIGGEST, RANDOM, SMALLEST, Scores
from bignas_tf.selection.judged import Judgement
from bignas_tf.selection.provenance import Source
from bignas_tf.selection.splits import Split
from bignas_tf.selection.trained import TrainedRun


def judge(
    run: TrainedRun,
    evaluator: Evaluator,
    children: int = 5,
    seed: int = 0,
    split: str = "",
    images: int = 0,
    show: Show = console.silent,
) -> Judgement:
    """Scores the smallest, the biggest and random children at every resolution of the space.

    Args:
      run: a loaded `checkpoints.Run`.
      evaluator: of its supernet, from `runner.build_evaluator`.
      children: how many random ones, at least 1.
      seed: of the random ones.
      split: images to score on; the run's reporting split if empty, because judging chooses
        nothing.
      images: how many of them, from the start; 0 for all.
      show: takes lines about the progress.

    Raises:
      UsageError: an unknown or empty split, or a run that trained one child alone.
      RunError: a logit is NaN or infinite, or memory ran out.
    """
    task, net = run.config.task, run.supernet
    if task.sandwich.alone:
        raise errors.UsageError(
            f"{run.model_dir} trained one child alone (task.sandwich.alone is "
            f"{task.sandwich.alone!r}), not a supernet; score that child with tools.evaluate"
        )
    data, selection = task.train_data, task.selection
    split = split or selection.reporting_split
    opened = splits.open_split(data, split, selection.batch_size, images or None)
    scores = _score(net, evaluator, opened, sample_children(run.space, children, seed), show)
    source = Source.from_json(run.source)
    majority = opened.majority()
    return findings.complete(source, split, seed, scores, run.space, task.sandwich, majority)


def sample_children(space: SearchSpace, count: int, seed: int) -> dict[str, Architecture]:
    """The smallest child, `count` uniform random ones and the biggest, by name."""
    rng = np.random.default_rng(seed)
    drawn = {f"{RANDOM} {number}": space.sample(rng) for number in range(1, count + 1)}
    return {SMALLEST: space.smallest(), **drawn, BIGGEST: space.biggest()}


def _score(
    net: Supernet,
    evaluator: Evaluator,
    images: Split,
    children: Mapping[str, Architecture],
    show: Show,
) -> Scores:
    """Calibrates and scores each child at every resolution."""
    sides = net.space.eval_resolutions
    table = [
        [net.space.with_resolution(child, side) for side in sides] for child in children.values()
    ]
    # A small space may draw the same child twice.
    different = list(dict.fromkeys(child for row in table for child in row))
    show(
        f"{len(children)} children at {len(sides)} resolutions, {images.images:,} images of "
        f"{images.config.tfds_split}"
    )
    scored = dict(progress.countdown(evaluator.scores(different, images), len(different), show))
    return Scores(
        children,
        sides,
        macs=np.array([[net.cost_of(child).macs for child in row] for row in table], np.int64),
        top1=np.array([[scored[child].top1 for child in row] for row in table]),
        images=images.images,
    )
