"""Trains one child of a run as an ordinary Keras model, with fit, for a given time.

  python -m tools.plain_keras --model_dir=runs/photos --minutes=8

This is the baseline for a supernet: the same images, patches and minutes, but one network of stock
layers with its own weights, Adam, and a cosine learning rate. Prints one line of JSON and writes it
to plain_keras.json in the run's folder. The minutes begin when the tool starts, so that imports and
tracing count, as they do for tools.train.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from .cli import launch, no_chatter

if TYPE_CHECKING:
    import tf_keras

    from bignas_tf.data.config import DataConfig
    from bignas_tf.search_space.architecture import Architecture
    from bignas_tf.training.checkpoints import Run
    from bignas_tf.training.configs import BigNASConfig

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    "biggest",
    "JSON file of the child, 'smallest', 'biggest', or a published child's name.",
)
_MINUTES = flags.DEFINE_float("minutes", 8.0, "How many minutes it trains.")
_RATE = 1e-3  # Keras' own for Adam
_ENDLESS = 10**9
FILE = "plain_keras.json"


def main(argv: Sequence[str]) -> None:
    del argv
    began = time.monotonic()
    no_chatter()
    from bignas_tf import errors, files
    from bignas_tf.search_space import cost, presets
    from bignas_tf.training import checkpoints

    if not 0.0 < _MINUTES.value < math.inf:
        raise errors.UsageError(f"--minutes is {_MINUTES.value}; it takes a number above 0")
    run = checkpoints.load_run(_MODEL_DIR.value)
    architecture = presets.child(run.space, _ARCHITECTURE.value)
    data = run.config.task.train_data
    model = _model(run, architecture)
    steps = _fit(model, data, began, 60.0 * _MINUTES.value)
    counted = cost.count(run.space, architecture, data.num_classes, data.channels)
    result = {
        "architecture": architecture.to_json(),
        "macs": counted.macs,
        "params": counted.params,
        "steps": steps,
        "minutes": _MINUTES.value,
        **_score(model, run.config.task),
    }
    files.write_json(os.path.join(_MODEL_DIR.value, FILE), result)
    print(json.dumps(result))


def _model(run: Run, architecture: Architecture) -> tf_keras.Model:
    import tf_keras

    from bignas_tf.modeling import child as child_lib

    data = run.config.task.train_data
    tf_keras.utils.set_random_seed(run.config.task.seed)
    model = child_lib.build_child(run.space, architecture, data.num_classes, data.channels)
    child_lib.set_momentum(model)
    model.compile(
        tf_keras.optimizers.Adam(_RATE),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ["accuracy"],
    )
    return model


def _fit(model: tf_keras.Model, data: DataConfig, began: float, seconds: float) -> int:
    """Trains until `seconds` after `began`, at least one step; returns the steps."""
    import tf_keras

    from bignas_tf.data import faults, inputs, resize

    class Clock(tf_keras.callbacks.Callback):
        """Lowers the learning rate with elapsed time, and stops when the time is over."""

        def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
            passed = min((time.monotonic() - began) / seconds, 1.0)
            self.model.optimizer.learning_rate.assign(_RATE * (1 + math.cos(math.pi * passed)) / 2)

        def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
            self.model.stop_training = time.monotonic() - began >= seconds

    with faults.named(data):
        model.fit(
            resize.resized_batches(inputs.build_dataset(data), model.input_shape[1]),
            steps_per_epoch=_ENDLESS,
            verbose=0,
            callbacks=[Clock()],
        )
    return int(model.optimizer.iterations)


def _score(model: tf_keras.Model, task: BigNASConfig) -> dict[str, str | float]:
    """Top-1 accuracy on the reporting split."""
    from bignas_tf.accuracy import Accuracy
    from bignas_tf.data import faults, resize
    from bignas_tf.selection import splits

    selection = task.selection
    split = splits.open_split(task.train_data, selection.reporting_split, selection.batch_size)
    images = resize.resized_batches(split.dataset, model.input_shape[1])
    with faults.named(split.config):
        scored = model.evaluate(images, verbose=0, return_dict=True)
    accuracy = Accuracy(float(scored["accuracy"]), split.images)
    return {
        "split": selection.reporting_split,
        "images": accuracy.images,
        "top1": accuracy.top1,
        "error": accuracy.error,
    }


if __name__ == "__main__":
    launch(main)
