"""A child trained on for other classes, and exported through the same gate as any other.

This is not part of the paper, whose children need no training; it is for data too small to train a
supernet on.
"""

from __future__ import annotations

import copy
import os
import pathlib
from collections.abc import Sequence

import tf_keras
from official.core import config_definitions as cfg

from bignas_tf import console, errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.api import apart, arguments, cards, exporting, runs, stock_training
from bignas_tf.console import Show
from bignas_tf.conversion import converter
from bignas_tf.data import decode, inputs, resize, sources
from bignas_tf.exports import saved_model, trials
from bignas_tf.exports.saved_model import Servable
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space import cost as cost_lib
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.presets import AnyArchitecture
from bignas_tf.selection.splits import Split
from bignas_tf.training import averaging, parsing, schedules, validation
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig
from bignas_tf.training.task import BigNASTask

_WAY_OUT = "lower the rate, trainer.optimizer_config.learning_rate"
_CALIBRATION_BATCHES = 50  # batch norms with a momentum of 0.9 forget what was before


def finetune(
    run: Run,
    architecture: AnyArchitecture,
    config: cfg.ExperimentConfig,
    output_dir: str | os.PathLike[str],
    *,
    formats: Sequence[str] = (),
    licence: str = "",
    show: Show | None = console.print_line,
) -> pathlib.Path:
    """Trains a child with a new classifier by Keras' `fit`, exports it, and may convert it.

    Args:
      run: that the child comes from.
      architecture: an architecture, its JSON file, "smallest", "biggest" or a published name.
      config: from `configure(..., run=run)`: the new images, their splits, seed, optimiser and
        steps. Nothing else of it is read.
      output_dir: base folder of versions.
      formats: also convert to these; see `convert`.
      licence: of the model, for its card.
      show: takes the version's folder and the lines of the conversion; None for silence. Keras
        itself prints a line an epoch unless this is None.

    Returns:
      The folder of the version.

    Raises:
      UsageError: no such child, an unknown format, images of another kind than the run's, or
        images of either training among those that the accuracy is reported on.
      RunError: the loss is not finite, or an export does not verify.
    """
    verbose, show = 0 if show is None else 2, console.or_silent(show)
    formats = arguments.listed(formats)
    if formats:
        converter.check(formats)
    arguments.check_own_network(run, "fine-tuning")
    arguments.check_config(config)
    arguments.text("licence", licence)
    output_dir = errors.require_path("output_dir", output_dir)
    chosen = presets.child(run.space, architecture)
    config = _in_space_of(run, config)
    task = config.task
    # Before training: otherwise these mistakes would show only after it.
    reporting = cards.reporting_images(task)
    console.warn(show, apart.check_finetuning(run.config.task, task, run.images))
    if formats:
        cards.calibration_patches(task, cards.CALIBRATION_IMAGES)
    child = _adapted(run, chosen, task)
    saved_model.ensure_base(output_dir)
    inputs.check_images(reporting.config)
    fit(child, config, verbose)
    with trials.started() as through:
        servable = _servable(child, run, chosen, config, reporting, licence)
        accuracy = Accuracy.from_json(servable.card["accuracy"])
        show(
            f"fine-tuned: top-1 {accuracy} on {servable.card['accuracy']['split']} "
            f"({accuracy.images:,} images); writing and verifying it"
        )
        folder = saved_model.export(servable, output_dir, through)
    show(str(folder))
    exporting.warn_of_pins([folder], show)
    if formats:
        exporting.convert(run, folder, formats, show=show)
    return folder


def _in_space_of(run: Run, config: cfg.ExperimentConfig) -> cfg.ExperimentConfig:
    """Returns the configuration with the space of the run in place of its own."""
    changed = copy.deepcopy(config)
    parsing.override(changed, runs.space_override(run))
    validation.validate(changed)
    return changed


def _adapted(run: Run, architecture: Architecture, task: BigNASConfig) -> tf_keras.Model:
    """The run's child, calibrated on the run's own images, with a fresh classifier."""
    data, channels = task.train_data, run.supernet.input_channels
    if data.channels != channels:
        raise errors.UsageError(
            f"task.train_data.channels is {data.channels}; the run's children take {channels}"
        )
    trained = exporting.child(run, architecture)
    tf_keras.utils.set_random_seed(task.seed)
    child = child_lib.build_child(run.space, architecture, data.num_classes, channels)
    for layer in child.layers:
        if layer.weights and layer.name != "classifier":
            layer.set_weights(trained.get_layer(layer.name).get_weights())
    child_lib.set_momentum(child)
    return child


def fit(child: tf_keras.Model, config: cfg.ExperimentConfig, verbose: int) -> None:
    """Trains a child by Keras' `fit`; where the optimiser averages, it ends with the averages.

    Args:
      child: float32 [N, side, side, C] to logits; trained in place.
      config: its images, optimiser and steps.
      verbose: of Keras.

    Raises:
      UsageError: an image cannot be read, or the optimiser's settings do not fit together.
      RunError: the loss is not finite.
    """
    optimizer = BigNASTask.create_optimizer(schedules.for_run(config.trainer))
    averages = isinstance(optimizer, averaging.Average)
    if averages:
        optimizer.shadow_copy(child)
        averaging.start(child, optimizer)
    data, steps = config.task.train_data, config.trainer.train_steps
    images = stock_training.fit(child, optimizer, data, steps, _WAY_OUT, verbose=verbose)
    if averages:
        averaging.copy_weights(child, optimizer, child)
        # The statistics so far are those of the weights before they were averaged.
        for batch, _ in images.take(_CALIBRATION_BATCHES):
            child(batch, training=True)


def _servable(
    child: tf_keras.Model,
    run: Run,
    architecture: Architecture,
    config: cfg.ExperimentConfig,
    reporting: Split,
    licence: str,
) -> Servable:
    """The child with its card, and its own answers as those that every runtime must give."""
    task, data = config.task, config.task.train_data
    accuracy = stock_training.score(child, reporting, _WAY_OUT)
    counted = cost_lib.count(run.space, architecture, data.num_classes, data.channels)
    card = cards.card(run, task, architecture, counted, accuracy, licence)
    card["finetuned"] = {
        "steps": config.trainer.train_steps,
        "split": data.tfds_split,
        "calibration_split": task.selection.calibration_split,
    }
    patches, _ = cards.verified_images(reporting)
    logits = child(resize.resize_patches(patches, child.input_shape[1]), training=False).numpy()
    centre, names = decode.evaluation_centre(data.crop), sources.class_names(data)
    return Servable(child, card, patches.numpy(), logits, names, centre)
