"""Runs a training experiment on Orbit: loops, checkpoints, and a stop that is asked for."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import orbit
import tensorflow as tf
from official.core import config_definitions as cfg
from official.core import train_lib

from bignas_tf import console, errors, files, scratch, workers
from bignas_tf.console import Show
from bignas_tf.data import faults, sources
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import (
    agreement,
    checkpoints,
    core_memory,
    early_ends,
    field_types,
    initial_weights,
    learnt,
    listing,
    origin,
    resuming,
    run_files,
    tpu_host,
    validation,
    writer,
)
from bignas_tf.training.learning_curves import Evaluation, LearningCurves
from bignas_tf.training.progress import Progress
from bignas_tf.training.supernet_trainer import SupernetTrainer
from bignas_tf.training.task import BigNASTask

BUILDING = "building the supernet and tracing a step, which takes up to a few minutes"


class Runner(train_lib.OrbitExperimentRunner):
    """The Model Garden's runner, in which every worker resumes where the chief does.

    All workers take part in a save, but only the chief's lands in the folder of the run. The
    others save into their own folder, and the Model Garden would restore them from it.

    Args:
      saves: the folder that this worker saves into, from `_folder_of_saves`.
      arguments: of the Model Garden's runner.
      keywords: of the Model Garden's runner.
    """

    def __init__(self, saves: str, *arguments: Any, **keywords: Any) -> None:
        self._saves = saves
        super().__init__(*arguments, **keywords)

    def _maybe_build_checkpoint_manager(self) -> tf.train.CheckpointManager:
        if workers.is_chief(self.strategy):
            return super()._maybe_build_checkpoint_manager()
        trainer = self.trainer
        if checkpoint := listing.latest(self.model_dir):
            # In the scope, as the chief's: it creates a variable, which all create together.
            with self.strategy.scope():
                trainer.checkpoint.restore(checkpoint)
        return tf.train.CheckpointManager(
            trainer.checkpoint,
            self._saves,
            max_to_keep=1,
            step_counter=trainer.global_step,
            checkpoint_interval=trainer.config.trainer.checkpoint_interval,
            init_fn=None if checkpoint else trainer.initialize,
            last_checkpoint_step=int(trainer.global_step.numpy()),  # 0: there was none
        )


@contextlib.contextmanager
def _folder_of_saves(model_dir: str, strategy: tf.distribute.Strategy) -> Iterator[str]:
    """Gives the folder of the run to the chief, and a temporary one to another worker."""
    if workers.is_chief(strategy):
        yield model_dir
        return
    with scratch.temporary() as folder:
        yield str(folder)


def train(
    config: cfg.ExperimentConfig,
    model_dir: str,
    strategy: tf.distribute.Strategy,
    evaluation: Evaluation | None = None,
    show: Show = console.print_line,
) -> None:
    """Trains to `config.trainer.train_steps`, from the latest checkpoint if there is one.

    Writes checkpoints, TensorBoard summaries, `params.yaml`, `search_space.yaml` and
    `images.json` into `model_dir`, which all workers must see and may be remote, and
    `learning_curves.json` if there is an evaluation. On SIGTERM or Ctrl-C it saves a checkpoint at
    the end of the current loop.

    Args:
      config: of the run.
      model_dir: its folder.
      strategy: the devices.
      evaluation: of named children, from time to time; None for none.
      show: takes lines of progress; to be silent in all processes but the chief's.

    Raises:
      UsageError: a bad configuration, a checkpoint that is damaged, lost, of another space or
        saved under a configuration that this one cannot continue or by a run already beyond its
        steps, a lost `params.yaml`, images that have changed since,
        or a `task.init_checkpoint` whose weights cannot be taken over; or another training holds
        the folder.
      RunError: the loss exploded, memory or disk ran out, SIGTERM came, or another worker was lost.
    """
    validation.validate(config)
    field_types.to_floats(config)  # of what was set from Python
    files.make_folder(model_dir)
    with workers.together(strategy), writer.sole(model_dir, strategy, show):
        trainer = _build(config, model_dir, strategy, show)
        _run(trainer, model_dir, evaluation, _on_todays_stdout(show))


def _build(
    config: cfg.ExperimentConfig, model_dir: str, strategy: tf.distribute.Strategy, show: Show
) -> SupernetTrainer:
    """Builds what trains, and describes the run in its folder, which this process has locked."""
    if workers.reduces_outside(strategy):
        validation.check_branches(config.task, type(strategy).__name__)
    space = presets.get(config.task.model.search_space)
    checkpoint = listing.latest(model_dir)
    chief = workers.is_chief(strategy)
    notes = resuming.check(checkpoint, config, space, chief) if checkpoint else []
    step = checkpoints.latest_step(model_dir)
    agreement.check(step, config, space, model_dir, strategy)
    resuming.check_length(step, config.trainer.train_steps, model_dir)
    fresh = config.task.init_checkpoint and not checkpoint
    start = initial_weights.start(config.task, space, strategy) if fresh else None
    ignored = sources.ignored_files(config.task.train_data)
    if ignored:
        show(f"ignored files: {ignored}")
    for note in notes:
        show(note)
    if isinstance(strategy, tf.distribute.TPUStrategy):
        cores = strategy.num_replicas_in_sync
        if tight := core_memory.check(config, tpu_host.generation(), cores):
            console.warn(show, [tight])
    if start:
        show(initial_weights.summary(start))
    if step < config.trainer.train_steps and config.trainer.train_tf_function:
        show(BUILDING)
    with strategy.scope():
        task = BigNASTask(config.task, logging_dir=model_dir)
        trainer = SupernetTrainer(config, task, start)
    # Now: a mistake that shows when they are built must not change the files of a run.
    if chief:
        _describe(config, space, model_dir, start, None if checkpoint is None else step)
    return trainer


def _describe(
    config: cfg.ExperimentConfig,
    space: SearchSpace,
    model_dir: str,
    start: initial_weights.Start | None,
    resumed: int | None,
) -> None:
    """Writes into the run's folder what it is, and which images its weights have learnt from.

    Args:
      config: of the run.
      space: of the run.
      model_dir: its folder.
      start: the weights that it starts from, if they are another run's.
      resumed: the step of the checkpoint that it resumes from; None if there is none.
    """
    if resumed is None:
        learnt.forget(model_dir)
        origin.replace(model_dir, start.run.origin if start else None)
    run_files.describe(config, space, model_dir)
    # One more start does not tell what a run without a record has learnt from.
    if not resumed or learnt.read(model_dir) is not None:
        parent = learnt.parent(model_dir, config.task)
        learnt.save(model_dir, config.task.train_data, parent)


def _on_todays_stdout(show: Show) -> Show:
    """Shows lines on the present stdout, because Orbit's log will replace it."""
    stdout = sys.stdout

    def shown(line: str) -> None:
        with contextlib.redirect_stdout(stdout):
            show(line)

    return shown


def _run(
    trainer: SupernetTrainer, model_dir: str, evaluation: Evaluation | None, show: Show
) -> None:
    """Restores a checkpoint if there is one and trains, with Orbit's own lines in a file."""
    chief = workers.is_chief(trainer.strategy)
    progress = Progress(trainer, model_dir, show)
    curves = LearningCurves(trainer, evaluation, model_dir, show) if evaluation else None
    stops = workers.Stops(trainer.strategy, show)
    # Orbit prints every metric of every loop; the progress lines are shorter.
    log_file = os.path.join(model_dir, "orbit.log") if chief else os.devnull
    with (
        early_ends.exhaustion_explained(model_dir, chief),
        early_ends.interruption_explained(model_dir, show),
        tf.io.gfile.GFile(log_file, "a") as log,
        contextlib.redirect_stdout(log),
        stops.noted(),
        _folder_of_saves(model_dir, trainer.strategy) as saves,
    ):
        with checkpoints.restoring(model_dir):
            controller = Runner(
                saves,
                trainer.strategy,
                trainer.task,
                "train",
                trainer.config,
                model_dir,
                save_summary=chief,
                trainer=trainer,
                train_actions=[progress],
            ).controller
        trainer.restore_settings()
        with faults.named(trainer.config.task.train_data):
            _loops(trainer, controller, curves, stops)
    progress.finished()


def _loops(
    trainer: SupernetTrainer,
    controller: orbit.Controller,
    curves: LearningCurves | None,
    stops: workers.Stops,
) -> None:
    """Trains and evaluates to the end, or when it is to stop to the end of the current loop."""
    settings, step = trainer.config.trainer, int(trainer.global_step.numpy())
    if curves is not None:
        curves.begin(step)
    while (evaluate := curves is not None and curves.due(step)) or step < settings.train_steps:
        if stops.asked():
            controller.save_checkpoint()
            workers.wait_for_all(controller.strategy)
            if stops.interrupted:
                raise KeyboardInterrupt
            raise errors.RunError(
                f"stopped by SIGTERM; step {step} is saved, and the same command resumes from there"
            )
        if curves is not None and evaluate:
            # Save first: an evaluation may take longer than the notice of a preemption.
            controller.save_checkpoint()
            curves.record(step)
            continue
        # A run that resumes from any step returns to multiples of the loop.
        end = step - step % settings.steps_per_loop + settings.steps_per_loop
        step = min(end, settings.train_steps)
        controller.train(step, checkpoint_at_completion=step == settings.train_steps)
