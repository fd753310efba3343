"""What the units of a campaign do, each in its own process."""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from official.core import config_definitions as cfg

import bignas_tf as bignas
from bignas_tf import errors, files
from bignas_tf.accuracy import percent
from bignas_tf.api import apart, finetuning, stock_training
from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling import slicing
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import runner, splits
from bignas_tf.selection.splits import Split
from bignas_tf.training import checkpoints, listing
from experiments.claim_parts import recipes
from experiments.claim_parts.recipes import Recipe

Plain = dict[str, Any]
JUDGED = ("smallest", "biggest", "random")
_SPLITS = ("ranking", "reporting")
_RANDOM_CHILDREN = 5
# In the messages of the trainer and the evaluator.
_DIVERGED = ("not finite", "loss_upper_bound")


def describe(recipe: Recipe) -> Plain:
    """The configuration that all runs of a campaign share, after checks that it can be used.

    Raises:
      UsageError: it cannot.
    """
    config = recipe.config()
    task = config.task
    apart.check_training(task)
    plain = config.as_dict()
    del plain["task"]["train_data"]["tfds_data_dir"]  # the images count, not where they are
    plain["space_fingerprint"] = presets.get(task.model.search_space).fingerprint()
    return plain


def supernet(folder: str, recipe: Recipe) -> Plain:
    """Trains a supernet, which stays in its folder."""
    _train(recipe.config(), folder)
    return {"step": checkpoints.latest_step(folder)}


def alone(folder: str, recipe: Recipe, architecture: Plain) -> Plain:
    """Trains one child alone, and scores it as a child of a supernet is scored."""
    path = pathlib.Path(folder, "child.json")
    files.write_json(path, architecture)
    _train(recipe.changed(recipes.alone(str(path))).config(), folder)
    (score,) = score_slices(folder, folder, [architecture])
    return score


def train_and_score(folder: str, recipe: Recipe, architectures: Sequence[Plain]) -> Plain:
    """Trains a supernet, and scores children of it.

    Returns:
      "scores": see `score_slices`; "seconds": of the training, with building and tracing; None if
      it was interrupted.
    """
    begun = listing.named(folder) is not None
    began = time.monotonic()
    _train(recipe.config(), folder)
    seconds = None if begun else round(time.monotonic() - began, 1)
    return {"scores": score_slices(folder, folder, architectures), "seconds": seconds}


def train_and_judge(folder: str, recipe: Recipe) -> Plain:
    """Trains a supernet and judges it; "diverged" and why, if it did."""
    try:
        _train(recipe.config(), folder)
        return judge(folder, folder)
    except errors.RunError as error:
        if not any(words in str(error) for words in _DIVERGED):
            raise
        return {"diverged": str(error).split(";")[0]}


def judge(folder: str, model_dir: str) -> Plain:
    """Reporting accuracies: of the smallest and biggest child, of random ones at each resolution.

    The same random children everywhere, and their mean.
    """
    space = checkpoints.load_run(model_dir).space
    rng = np.random.default_rng(0)
    random = [space.sample(rng) for _ in range(_RANDOM_CHILDREN)]
    everywhere = [
        space.with_resolution(child, side) for child in random for side in space.eval_resolutions
    ]
    children = [space.smallest(), space.biggest(), *everywhere]
    scores = score_slices(folder, model_dir, [child.to_json() for child in children])
    smallest, biggest, *others = (score["reporting_top1"] for score in scores)
    return dict(zip(JUDGED, (smallest, biggest, float(np.mean(others))), strict=True))


def score_slices(folder: str, model_dir: str, architectures: Sequence[Plain]) -> list[Plain]:
    """Calibrates and scores children of a supernet: top-1 accuracies on both splits of each."""
    del folder
    run = checkpoints.load_run(model_dir)
    task = run.config.task
    evaluator = runner.build_evaluator(run.supernet, task.train_data, task.selection)
    images = dict(_open_splits(task))
    scores = []
    for number, plain in enumerate(architectures, 1):
        child = Architecture.from_json(plain)
        statistics = evaluator.statistics(child)
        score = {f"{name}_top1": evaluator.top1(child, statistics, images[name]).top1
                 for name in images}  # fmt: skip
        accuracies = ", ".join(f"{name} {percent(value)}" for name, value in score.items())
        print(f"child {number}/{len(architectures)}: {accuracies}", flush=True)
        scores.append(score | {"mflops": run.supernet.cost_of(child).macs / 1e6})
    return scores


def fine_tune(
    folder: str, model_dir: str, recipe: Recipe, architecture: Plain, steps: int, rate: float
) -> Plain:
    """Trains a child's slice further, by Keras' fit, and scores it.

    Args:
      folder: not used; a run so short starts again after a kill.
      model_dir: of the supernet.
      recipe: of the supernet; its images and optimiser are used.
      architecture: of the child.
      steps: updates.
      rate: of the first step, as a part of the supernet's initial learning rate.
    """
    del folder
    run = checkpoints.load_run(model_dir)
    config = recipe.changed(recipes.fine_tuning(run.config, rate), steps=steps).config()
    task, plan = config.task, Architecture.from_json(architecture)
    evaluator = runner.build_evaluator(run.supernet, task.train_data, task.selection)
    child = slicing.sliced_child(run.supernet, plan, evaluator.statistics(plan))
    child_lib.set_momentum(child)
    finetuning.fit(child, config, verbose=2)
    return {
        f"{name}_top1": stock_training.score(child, split, "lower the rate").top1
        for name, split in _open_splits(task)
    }


def _train(config: cfg.ExperimentConfig, folder: str) -> None:
    """Trains to the end, from the latest checkpoint; returns at once if that is the end."""
    if checkpoints.latest_step(folder) == config.trainer.train_steps:
        return
    bignas.fit(config, folder)


def _open_splits(task: Any) -> Iterator[tuple[str, Split]]:
    selection = task.selection
    for name in _SPLITS:
        named = getattr(selection, f"{name}_split")
        yield name, splits.open_split(task.train_data, named, selection.batch_size)
