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
_VERIFIED_IMAGES, _CALIBRATION_IMAGES = 64, 500


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from bignas_tf.export import conversion, measure, runtimes, saved_model
    from bignas_tf.search_space import presets
    from bignas_tf.selection import splits
    from bignas_tf.training import checkpoints, experiment

    if _FORMATS.value:
        conversion.check(_FORMATS.value)
    config = experiment.parse(_EXPERIMENT.value, _CONFIG_FILE.value, _PARAMS_OVERRIDE.value)
    data, selection = config.task.train_data, config.task.selection
    run = checkpoints.load_run(_MODEL_DIR.value)
    architecture = presets.child(run.space, _ARCHITECTURE.value)
    child = _adapted(run, architecture, data)
    _fit(child, config)
    reporting = splits.open_split(data, selection.reporting_split, selection.batch_size)
    servable = _servable(child, run, architecture, config, reporting)
    folder = saved_model.export(servable, _OUTPUT_DIR.value, runtimes.MANDATORY)
    print(folder)
    if _FORMATS.value:
        count = _CALIBRATION_IMAGES
        calibration = splits.open_split(data, selection.calibration_split, count, count)
        patches = next(iter(calibration))[0].numpy()
        made = conversion.Conversion(
            folder, child, servable.names, patches, selection.reporting_split, reporting
        )
        print(measure.table(conversion.write(made, _FORMATS.value)))


def _adapted(run: Any, architecture: Any, data: Any) -> Any:
    """The run's child, calibrated on the run's own images, with a fresh classifier."""
    import tf_keras

    from bignas_tf import errors
    from bignas_tf.modeling import child as child_lib
    from bignas_tf.modeling import slicing
    from bignas_tf.selection import runner

    net, own = run.supernet, run.config.task
    if data.channels != net.input_channels:
        raise errors.UsageError(
            f"task.train_data.channels is {data.channels}; the run's children take "
            f"{net.input_channels}"
        )
    evaluator = runner.build_evaluator(net, own.train_data, own.selection)
    trained = slicing.sliced_child(net, architecture, evaluator.statistics(architecture))
    child = child_lib.build_child(run.space, architecture, data.num_classes, data.channels)
    for layer in child.layers:
        if layer.weights and layer.name != "classifier":
            layer.set_weights(trained.get_layer(layer.name).get_weights())
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    return child


def _fit(child: Any, config: Any) -> None:
    import tf_keras

    from bignas_tf.data import inputs, resize
    from bignas_tf.training.task import BigNASTask

    child.compile(
        BigNASTask.create_optimizer(config.trainer.optimizer_config),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ["accuracy"],
    )
    batches = inputs.build_dataset(config.task.train_data)
    side = child.input_shape[1]
    child.fit(
        batches.map(lambda patches, labels: (resize.resize_patches(patches, side), labels)),
        steps_per_epoch=config.trainer.train_steps,
        verbose=2,
    )


def _servable(child: Any, run: Any, architecture: Any, config: Any, reporting: Any) -> Any:
    """The child with its card, and its own answers as those that every runtime must give."""
    import importlib.metadata

    import numpy as np

    from bignas_tf.data import decode, resize, sources
    from bignas_tf.export import saved_model
    from bignas_tf.search_space import cost

    data, right, images = config.task.train_data, 0, 0
    for patches, labels in reporting:
        logits = child(resize.resize_patches(patches, child.input_shape[1]), training=False)
        right += int((logits.numpy().argmax(-1) == labels.numpy()).sum())
        images += len(labels)
    patches = next(iter(reporting))[0][:_VERIFIED_IMAGES]
    logits = child(resize.resize_patches(patches, child.input_shape[1]), training=False).numpy()
    split = config.task.selection.reporting_split
    card = {
        "architecture": architecture.to_json(),
        **cost.count(run.space, architecture, data.num_classes, data.channels)._asdict(),
        "accuracy": {"split": split, "top1": right / images, "images": images},
        "data": data.tfds_name or data.input_path or data.source,
        "licence": _LICENCE.value,
        "source": run.source,
        "finetuned": {"steps": config.trainer.train_steps, "split": data.tfds_split},
        "tensorflow": importlib.metadata.version("tensorflow"),
    }
    centre = decode.evaluation_centre(data.crop)
    names = sources.class_names(data)
    return saved_model.Servable(child, card, patches.numpy(), np.array(logits), names, centre)


if __name__ == "__main__":
    launch(main)
