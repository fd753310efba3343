"""The Model Garden's detectors and segmenters, trained and exported on a child."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras
from official.core import base_task, task_factory, train_lib, train_utils
from official.core import config_definitions as cfg
from official.modeling import hyperparams

from bignas_tf import console, errors, files, plots, workers
from bignas_tf.api import arguments, devices, garden_images, garden_run, runs
from bignas_tf.console import Show
from bignas_tf.exports import saved_model, trainable
from bignas_tf.training import checkpoints, listing, parsing, resuming, writer

MODES = ("train", "train_and_eval", "eval")
INPUTS = ("image_tensor", "image_bytes")


def configure_garden(
    experiment: str,
    config_files: Sequence[str | os.PathLike[str]] = (),
    params_override: str | Mapping[str, Any] = "",
) -> cfg.ExperimentConfig:
    """Builds the configuration of an experiment of the Model Garden on a child.

    Args:
      experiment: "retinanet_bignas", "semantic_segmentation_bignas", or any of the Garden's own
        whose model has a backbone.
      config_files: YAML files that override it; later ones win.
      params_override: overrides on top, as in
        "task.model.backbone.bignas_child.export_dir=runs/demo/export/1", or YAML.

    Raises:
      UsageError: an unknown experiment or key, an unreadable file, or values that do not fit
        together.
    """
    with plots.kept():  # here, because official.vision, which it imports, takes seconds
        from bignas_tf.garden import experiments

    config = experiments.on_child(experiment)
    sources = [errors.require_path("config_files", each) for each in arguments.listed(config_files)]
    parsing.override(config, *sources, params_override)
    try:
        config.validate()
    except (KeyError, ValueError) as error:
        raise errors.UsageError(f"{experiment}: {errors.one_line(error)}") from error
    return config


def train_garden(
    config: cfg.ExperimentConfig,
    model_dir: str | os.PathLike[str],
    mode: str = "train_and_eval",
    *,
    show: Show | None = console.print_line,
) -> dict[str, float]:
    """Trains a detector or segmenter by the Garden's own loop, or evaluates it.

    Args:
      config: from `configure_garden`.
      model_dir: folder of checkpoints, summaries and `params.yaml`; a run that is there continues.
      mode: "train", "train_and_eval" or "eval".
      show: takes lines: what differs from the run so far, and whether the folder cannot be locked;
        None for silence. The Garden's loop prints by itself.

    Returns:
      The metrics of the validation images at the end, by the Garden's names; none for "train".

    Raises:
      UsageError: an unknown mode, no images, a backbone that does not fit, nothing to evaluate,
        another training in the folder, or a run there of another model or beyond these steps.
    """
    arguments.check_config(config)
    errors.require_one_of("mode", mode, MODES)
    model_dir, task = errors.require_path("model_dir", model_dir), config.task
    loop = config.trainer.steps_per_loop
    errors.require(loop > 0, "trainer.steps_per_loop", loop, "1 or more")
    summary = config.trainer.summary_interval
    takes = f"a multiple of trainer.steps_per_loop, {loop}"
    errors.require(summary % loop == 0, "trainer.summary_interval", summary, takes)
    _check_pixels(task)
    if mode != "train":
        garden_images.check(task.validation_data, "task.validation_data")
    if mode == "eval":
        garden_run.require_checkpoint(model_dir)
    else:
        garden_images.check(task.train_data, "task.train_data")
    files.make_folder(model_dir)
    strategy = devices.training_strategy(config)
    show = console.or_silent(show) if workers.is_chief(strategy) else console.silent
    with writer.sole(model_dir, strategy, show):
        checkpoint = listing.latest(model_dir)
        if checkpoint:
            for line in garden_run.check(model_dir, config):
                show(line)
            if mode != "eval":
                step = checkpoints.latest_step(model_dir)
                resuming.check_length(step, config.trainer.train_steps, model_dir)
        return _run(config, model_dir, mode, strategy, new=not checkpoint)


def export_garden(
    config: cfg.ExperimentConfig,
    model_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    input_type: str = "image_tensor",
    show: Show | None = console.print_line,
) -> pathlib.Path:
    """Exports a trained detector or segmenter by the Garden's own exporter.

    It appears only once TensorFlow's C++ session loader, which servers use, has answered with it.
    Its `backbone.json` is the card of the child whose weights the training started from, with their
    licence.

    Args:
      config: what it was trained with.
      model_dir: of the training; its latest checkpoint is exported, or if it keeps averages (`ema`)
        the latest ones that were evaluated.
      output_dir: base folder of versions, as TensorFlow Serving takes it; local.
      input_type: "image_tensor" for uint8 [N, H, W, 3], or "image_bytes" for JPEG and PNG files.
      show: takes lines: what differs from the training; None for silence.

    Returns:
      The version's folder.

    Raises:
      UsageError: an unknown input, no checkpoint, no averages, the configuration of another model,
        images of no fixed size, a child that is gone, or a folder that cannot be written.
      RunError: there is no room, or the export does not load or answer.
    """
    from bignas_tf.garden import gate

    arguments.check_config(config)
    errors.require_one_of("input_type", input_type, INPUTS)
    model_dir = errors.require_path("model_dir", model_dir)
    output_dir = errors.require_path("output_dir", output_dir)
    _check_pixels(config.task)
    garden_run.require_checkpoint(model_dir)
    height, width = _sides(config.task.model)
    if height is None or width is None:
        raise errors.UsageError("an export needs a height and a width in task.model.input_size")
    for line in garden_run.check(model_dir, config):
        console.or_silent(show)(line)
    weights_dir = garden_run.weights_dir(model_dir)

    def publish(checkpoint: str) -> pathlib.Path:
        def write(folder: pathlib.Path) -> None:
            with checkpoints.restoring(weights_dir):
                weights = gate.weights(checkpoint)
                _write(config, checkpoint, folder, input_type)
            gate.check_taken_over(weights, folder)
            gate.check(folder, height, width, encoded=input_type == "image_bytes")
            garden_run.copy_card(model_dir, config.task.model.backbone.get(), folder)

        return saved_model.publish_one(write, output_dir)

    # The training may still run, and replace the checkpoint meanwhile.
    version = listing.read_latest(weights_dir, publish)
    if version is None:
        raise errors.UsageError(
            f"{weights_dir} holds no averages, which the Model Garden saves when it evaluates; "
            "run --mode=eval first"
        )
    return version


def _write(
    config: cfg.ExperimentConfig, checkpoint: str, folder: pathlib.Path, input_type: str
) -> None:
    """Writes a version."""
    from official.vision.serving import export_saved_model_lib

    export_saved_model_lib.export_inference_graph(
        input_type=input_type,
        batch_size=None,
        input_image_size=list(_sides(config.task.model)),
        params=config,
        checkpoint_path=checkpoint,
        export_dir=str(folder),
    )


def _run(
    config: cfg.ExperimentConfig,
    model_dir: str,
    mode: str,
    strategy: tf.distribute.Strategy,
    new: bool,
) -> dict[str, float]:
    """The Garden's `official.vision.train`, and the last metrics that it found."""
    metrics: dict[str, float] = {}
    with runs.precision(config.runtime.mixed_precision_dtype):
        with strategy.scope():
            task = task_factory.get_task(config.task, logging_dir=model_dir)
            model = _built(task, config.task.model)
        task.build_model = lambda: model
        # Built here, because it opens the images: they are no fault of a checkpoint.
        with garden_images.explained(config.task), strategy.scope():
            trainer = train_utils.create_trainer(
                config,
                task,
                train="train" in mode,
                evaluate="eval" in mode,
                checkpoint_exporter=train_utils.maybe_create_best_ckpt_exporter(config, model_dir),
            )
        with contextlib.nullcontext() if new else checkpoints.restoring(model_dir):
            runner = train_lib.OrbitExperimentRunner(
                distribution_strategy=strategy,
                task=task,
                mode=mode,
                params=config,
                model_dir=model_dir,
                eval_actions=[metrics.update],
                trainer=trainer,
            )
        if workers.is_chief(strategy):
            garden_run.write(model_dir, config, new=new, trains=mode != "eval")
        with garden_images.explained(config.task):
            runner.run()
            if mode == "train_and_eval" and not metrics:  # every step was there already
                with strategy.scope():  # where averages can take the place of the weights
                    runner.controller.evaluate(config.trainer.validation_steps)
    return {name: float(value) for name, value in metrics.items()}


def _built(task: base_task.Task, model: hyperparams.Config) -> tf_keras.Model:
    """Builds the Garden's model; what it raises at a level that the child lacks says little."""
    try:
        return task.build_model()
    except (errors.UsageError, errors.RunError):
        raise
    except (LookupError, ValueError, RuntimeError) as error:
        export_dir = getattr(model.backbone.get(), "export_dir", None)
        if export_dir is None:
            raise
        levels = sorted(trainable.read(export_dir).features(*_sides(model)).output)
        raise errors.UsageError(
            f"the Model Garden cannot build this model ({type(error).__name__}: "
            f"{errors.one_line(error)}); check that task.model asks for no other features than the "
            f"child's, whose levels are {', '.join(levels)}"
        ) from error


def _sides(model: hyperparams.Config) -> tuple[int | None, int | None]:
    """Height and width of the images."""
    if len(model.input_size) != 3:
        raise errors.UsageError(
            f"task.model.input_size is {model.input_size}; give height, width and channels"
        )
    height, width, _ = model.input_size
    return height, width


def _check_pixels(task: cfg.TaskConfig) -> None:
    from bignas_tf.garden.config import check_pixels  # the Garden, which only its users import

    check_pixels(task)
