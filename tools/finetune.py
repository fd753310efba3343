"""Trains one child for other classes, and exports it through the same gate as tools.export.

  python -m tools.finetune --model_dir=runs/fashion_mnist --architecture=smallest \\
      --config_file=photos.yaml --params_override=trainer.train_steps=300 \\
      --output_dir=runs/photos/export --formats=float32,int8

The configuration is that of a training run: its images, their splits, optimiser and steps. Keras'
fit starts from the child's calibrated weights and a new classifier. This is no step of the paper,
whose children need no training; it is for data too small to train a supernet on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import flags

from tools.cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of the run that the child comes from.", required=True
)
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child, 'smallest', 'biggest', or a published child's name.",
    required=True,
)
_EXPERIMENT = flags.DEFINE_string("experiment", "bignas_small", "What the files override.")
_CONFIG_FILE = flags.DEFINE_multi_string("config_file", [], "YAML of the new data; may repeat.")
_PARAMS_OVERRIDE = flags.DEFINE_string("params_override", "", "Overrides, as in tools.train.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Base folder of versions.", required=True)
_FORMATS = flags.DEFINE_list("formats", [], "Also convert to these; see tools.convert.")
_LICENCE = flags.DEFINE_string("licence", "", "Of the model, for its card.")
_MOMENTUM = 0.9  # of the batch norms' averages: Keras' own 0.99 lags behind in so few steps
_CALIBRATION_IMAGES = 500


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from bignas_tf import files
    from bignas_tf.export import conversion, runtimes, saved_model
    from bignas_tf.search_space import presets
    from bignas_tf.training import checkpoints
    from tools import exporting

    if _FORMATS.value:
        conversion.check(_FORMATS.value)
    run = checkpoints.load_run(_MODEL_DIR.value)
    architecture = presets.child(run.space, _ARCHITECTURE.value)
    config = _config(run)
    task = config.task
    # Before training, for mistakes that would show only after it.
    reporting = _reporting(task)
    patches = exporting.calibration_patches(task, _CALIBRATION_IMAGES) if _FORMATS.value else None
    child = _adapted(run, architecture, task)
    files.ensure_writable(_OUTPUT_DIR.value)
    _fit(child, config)
    servable = _servable(child, run, architecture, config, reporting)
    folder = saved_model.export(servable, _OUTPUT_DIR.value, runtimes.MANDATORY)
    print(folder)
    if patches is not None:
        exporting.convert(folder, child, servable.names, task, patches, _FORMATS.value)


def _config(run: Any) -> Any:
    """The configuration that the flags give, in the run's space whatever its files say."""
    import json
    import os

    from bignas_tf.training import checkpoints, experiment

    space = {"search_space": os.path.join(run.model_dir, checkpoints.SPACE_FILE)}
    files = [*_CONFIG_FILE.value, json.dumps({"task": {"model": space}})]
    return experiment.parse(_EXPERIMENT.value, files, _PARAMS_OVERRIDE.value)


def _reporting(task: Any) -> Any:
    """The images to report an accuracy on, which training must not see."""
    from bignas_tf import errors
    from bignas_tf.data import inputs
    from bignas_tf.selection import splits

    data, selection = task.train_data, task.selection
    if data.num_classes < 2:
        raise errors.UsageError(
            f"task.train_data.num_classes is {data.num_classes}; of fewer than 2 classes there is "
            "nothing to learn"
        )
    reporting = splits.open_split(data, selection.reporting_split, selection.batch_size)
    shared = inputs.count_shared(data, reporting.config)
    if shared:
        raise errors.UsageError(
            f"task.train_data.tfds_split {data.tfds_split!r} and task.selection.reporting_split "
            f"{selection.reporting_split!r} have {shared} images in common; an accuracy on images "
            "of training says nothing: name splits that lie apart"
        )
    return reporting


def _adapted(run: Any, architecture: Any, task: Any) -> Any:
    """The run's child, calibrated on the run's own images, with a fresh classifier."""
    import tf_keras

    from bignas_tf import errors
    from bignas_tf.modeling import child as child_lib
    from tools import exporting

    data, channels = task.train_data, run.supernet.input_channels
    if data.channels != channels:
        raise errors.UsageError(
            f"task.train_data.channels is {data.channels}; the run's children take {channels}"
        )
    trained = exporting.calibrated_child(run, architecture)
    tf_keras.utils.set_random_seed(task.seed)
    child = child_lib.build_child(run.space, architecture, data.num_classes, channels)
    for layer in child.layers:
        if layer.weights and layer.name != "classifier":
            layer.set_weights(trained.get_layer(layer.name).get_weights())
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    return child


def _fit(child: Any, config: Any) -> None:
    import math

    import tf_keras

    from bignas_tf import errors
    from bignas_tf.data import faults, inputs
    from bignas_tf.training import schedules
    from bignas_tf.training.task import BigNASTask

    child.compile(
        BigNASTask.create_optimizer(schedules.of_run(config.trainer)),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ["accuracy"],
    )
    data, steps = config.task.train_data, config.trainer.train_steps
    with faults.named(data):
        past = child.fit(
            _resized(inputs.build_dataset(data), child),
            steps_per_epoch=steps,
            verbose=2,
            callbacks=[tf_keras.callbacks.TerminateOnNaN()],
        )
    if not math.isfinite(past.history["loss"][-1]):
        raise errors.RunError(
            "the loss is not finite; lower the rate, trainer.optimizer_config.learning_rate"
        )


def _resized(batches: Any, child: Any) -> Any:
    """Batches of patches and labels, made into images for the child."""
    from bignas_tf.data import resize

    side = child.input_shape[1]
    return batches.map(lambda patches, labels: (resize.resize_patches(patches, side), labels))


def _servable(child: Any, run: Any, architecture: Any, config: Any, reporting: Any) -> Any:
    """The child with its card, and its own answers as those that every runtime must give."""
    from bignas_tf.data import decode, faults, resize, sources
    from bignas_tf.export import saved_model
    from bignas_tf.search_space import cost
    from bignas_tf.selection.evaluator import Score
    from tools import exporting

    task, data = config.task, config.task.train_data
    with faults.named(reporting.config):
        scored = child.evaluate(_resized(reporting.dataset, child), verbose=0, return_dict=True)
    score = Score(scored["accuracy"], reporting.images)
    counted = cost.count(run.space, architecture, data.num_classes, data.channels)
    card = exporting.card(run, task, architecture, counted, score, _LICENCE.value)
    card["finetuned"] = {"steps": config.trainer.train_steps, "split": data.tfds_split}
    patches, _ = exporting.verified_images(reporting)
    logits = child(resize.resize_patches(patches, child.input_shape[1]), training=False).numpy()
    centre, names = decode.evaluation_centre(data.crop), sources.class_names(data)
    return saved_model.Servable(child, card, patches.numpy(), logits, names, centre)


if __name__ == "__main__":
    launch(main)
