"""Training runs: configured, trained, loaded."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras
import yaml
from official.core import config_definitions as cfg
from official.modeling import performance

from bignas_tf import console, errors, files, run_folder, workers
from bignas_tf.api import apart, arguments, devices, named_children
from bignas_tf.console import Show
from bignas_tf.data import config as config_lib
from bignas_tf.exports import versions
from bignas_tf.training import checkpoints, class_names, learnt, listing, parsing, trainer
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig


def configure(
    experiment: str = "bignas_small",
    config_files: Sequence[str | os.PathLike[str]] = (),
    params_override: str | Mapping[str, Any] = "",
    *,
    run: Run | None = None,
    show: Show | None = console.print_line,
) -> cfg.ExperimentConfig:
    """Builds the configuration of a training run; later sources win.

    Args:
      experiment: a registered experiment, such as "bignas_small".
      config_files: YAML files that override it.
      params_override: overrides on top, as in "trainer.train_steps=500,task.seed=1", YAML, or a
        mapping such as {"trainer": {"train_steps": 500}}.
      run: its search space overrides that of the files, as `finetune` needs.
      show: takes a line if lengths and learning rates were rescaled to the batch; None for
        silence.

    Raises:
      UsageError: an unknown experiment or key, an unreadable file, or values that do not fit
        together.
    """
    sources = [errors.require_path("config_files", each) for each in arguments.listed(config_files)]
    if run is not None:
        sources.append(space_override(run))
    return parsing.parse(experiment, sources, params_override, console.or_silent(show))


def read_config(model_dir: str | os.PathLike[str]) -> cfg.ExperimentConfig:
    """Reads the configuration that a run was last trained with.

    Args:
      model_dir: folder of the run; may be remote.

    Returns:
      Its configuration, whose search space is the file in that folder.

    Raises:
      UsageError: the folder is not that of a run, or its configuration is damaged.
    """
    folder = errors.require_path("model_dir", model_dir)
    config = checkpoints.read_config(folder)
    config.task.model.search_space = os.path.join(folder, run_folder.SPACE_FILE)
    return config


def space_override(run: Run) -> str:
    """Returns the override that gives a configuration the search space of a run."""
    space = os.path.join(run.model_dir, run_folder.SPACE_FILE)
    # In YAML's own escapes: of a character that JSON writes as two halves it would read the halves.
    return yaml.safe_dump({"task": {"model": {"search_space": space}}}, default_flow_style=True)


def train(
    config: cfg.ExperimentConfig,
    model_dir: str | os.PathLike[str],
    *,
    strategy: tf.distribute.Strategy | None = None,
    show: Show | None = console.print_line,
) -> Run:
    """Trains a supernet, from the latest checkpoint in the folder if there is one.

    Call it in the main thread, because it handles SIGTERM (it saves a checkpoint). Workers of a
    distributed run call `fit` instead, which loads nothing.

    Args:
      config: from `configure`.
      model_dir: folder of checkpoints, summaries and the configuration; may be remote.
      strategy: the devices; those of `config.runtime` if None.
      show: takes lines of progress; None for silence.

    Returns:
      The trained run, as `load` gives it.

    Raises:
      UsageError: a bad configuration, a split that cannot be opened or is shared, devices that
        are not there, a checkpoint that is damaged or of another space, or another thread than
        the main one.
      RunError: the loss exploded, memory or disk ran out, or SIGTERM came.
    """
    fit(config, model_dir, strategy=strategy, show=show)
    return load(model_dir)


def fit(
    config: cfg.ExperimentConfig,
    model_dir: str | os.PathLike[str],
    *,
    strategy: tf.distribute.Strategy | None = None,
    show: Show | None = console.print_line,
) -> None:
    """Trains a supernet and leaves it in its folder; see `train`."""
    arguments.check_config(config)
    folder = errors.require_path("model_dir", model_dir)
    if threading.current_thread() is not threading.main_thread():
        raise errors.UsageError("training handles signals: call it in the main thread")
    task, strategy = config.task, strategy or devices.training_strategy(config)
    show = console.or_silent(show) if workers.is_chief(strategy) else console.silent
    with precision(config.runtime.mixed_precision_dtype):
        # Before training: otherwise these mistakes would show only after it.
        checked = copy.deepcopy(task)
        if listing.latest(folder):  # what a start that was killed has kept is not this one's
            checked.init_checkpoint = learnt.parent(folder, task)
        console.warn(show, [*apart.check_training(checked), *_check_teacher(task)])
        scorer = named_children.scorer(task) if task.evaluation.children else None
        trainer.train(config, folder, strategy, scorer, show)


def _check_teacher(task: BigNASConfig) -> list[str]:
    """Checks the names that a teacher's export gives to its classes.

    Returns:
      A warning if they are others: they may be other words for the same classes.

    Raises:
      UsageError: they are those of the run in another order.
    """
    folder = task.distillation.teacher
    path = os.path.join(folder, versions.LABELS_FILE) if folder else ""
    if not path or not files.is_file(path):
        return []
    theirs = class_names.telling(versions.labels(folder))
    ours = class_names.of(task.train_data)
    difference = class_names.difference(ours, theirs)
    if difference and sorted(ours) == sorted(theirs):
        raise errors.UsageError(
            f"task.distillation.teacher {folder} has the classes in another order: {difference}; "
            f"its soft labels would be of others. If only the names in {path} are wrong, mend them"
        )
    if not difference:
        return []
    return [
        f"task.distillation.teacher {folder} calls its classes otherwise: {difference}; its soft "
        "labels must mean the same classes"
    ]


@contextlib.contextmanager
def precision(dtype: str | None) -> Iterator[None]:
    """Builds with a mixed-precision type and restores the previous one for this process."""
    before = tf_keras.mixed_precision.global_policy()
    performance.set_mixed_precision_policy(dtype or "float32")
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def load(
    model_dir: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> Run:
    """Loads the supernet of a run from its latest checkpoint.

    On a TPU it computes in the type that it was trained in, where float32 takes several passes
    and twice the memory; elsewhere in that of this process, float32 by default. From here on
    float32 products of this process are no TensorFloat-32, which exports would not pass.

    Args:
      model_dir: folder of the run; may be remote.
      data_dir: where its images are now, if they have moved since: their folder, a pattern of
        TFRecords, or TFDS' `data_dir`. They must be the same images.
      strategy: whose replicas share the images of children; this process' own if None.

    Raises:
      UsageError: no run, no checkpoint, a damaged one, or one of another space; or a `data_dir`
        for images that have no place.
    """
    folder = errors.require_path("model_dir", model_dir)
    # By default GPUs from Ampere on round the operands of float32 products to 10 bits, with which
    # children would not answer as their exports do.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with contextlib.ExitStack() as context:
        if strategy is not None:
            context.enter_context(strategy.scope())
        if isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy):
            dtype = checkpoints.read_config(folder).runtime.mixed_precision_dtype
            context.enter_context(precision(dtype))
        run = checkpoints.load_run(folder)
    return run if data_dir is None else _moved(run, errors.require_path("data_dir", data_dir))


def _moved(run: Run, data_dir: str) -> Run:
    """The run with its images where they are now."""
    config = copy.deepcopy(run.config)
    data = config.task.train_data
    data.override({config_lib.place_field(data): data_dir})
    return dataclasses.replace(run, config=config)
