"""The baseline of a supernet: one of its architectures, trained alone by Keras' `fit`.

The same images, patches and minutes, but one network of stock layers with its own weights, Adam,
and a cosine learning rate.
"""

from __future__ import annotations

import math
import os
import time

import tf_keras

from bignas_tf import console, files, plain
from bignas_tf.api import arguments, cards, stock_training
from bignas_tf.console import Show
from bignas_tf.data import inputs
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space import cost as cost_lib
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.presets import AnyArchitecture
from bignas_tf.selection import baseline as baseline_lib
from bignas_tf.selection.baseline import Baseline
from bignas_tf.selection.splits import Split
from bignas_tf.training.checkpoints import Run

_RATE = 1e-3  # Keras' own for Adam
_ENDLESS = 10**9
_SHOWN_S = 30.0  # between two lines of progress
_WAY_OUT = "another task.seed of the run, or other images, may help the plain Keras model"


def baseline(
    run: Run,
    architecture: AnyArchitecture = "biggest",
    minutes: float = 8.0,
    *,
    began: float | None = None,
    show: Show | None = console.print_line,
) -> Baseline:
    """Trains an architecture as an ordinary Keras model for a given time, and scores it.

    The result also goes to `plain_keras.json` in the run's folder.

    Args:
      run: whose images it is trained and scored on; its weights are not used.
      architecture: an architecture, its JSON file, "smallest", "biggest" or a published name.
      minutes: how long it trains, tracing included, a check of the reporting images not; at least
        one step.
      began: `time.monotonic()` when the minutes began, if imports are to count; else the call.
      show: takes a line of progress every half minute; None for silence.

    Raises:
      UsageError: minutes that are not a positive number, no such child, images that cannot be
        read, or a folder that cannot be written to.
      RunError: the loss is not finite.
    """
    began = time.monotonic() if began is None else began
    minutes = plain.number("minutes", minutes, above=0)
    arguments.check_own_network(run, "the baseline")
    chosen, task = presets.child(run.space, architecture), run.config.task
    data = task.train_data
    # Before training: otherwise these mistakes would show only after it.
    files.make_folder(run.model_dir)
    reporting = cards.reporting_images(task)
    began += _check_images(reporting)
    model = _model(run, chosen)
    optimizer = tf_keras.optimizers.Adam(_RATE)
    clock = _Clock(began, 60.0 * minutes, console.or_silent(show))
    stock_training.fit(model, optimizer, data, _ENDLESS, _WAY_OUT, [clock])
    counted = cost_lib.count(run.space, chosen, data.num_classes, data.channels)
    result = Baseline(
        architecture=chosen,
        macs=counted.macs,
        params=counted.params,
        steps=int(optimizer.iterations),
        minutes=minutes,
        split=task.selection.reporting_split,
        accuracy=stock_training.score(model, reporting, _WAY_OUT),
    )
    files.write_json(os.path.join(run.model_dir, baseline_lib.FILE), result.to_json())
    return result


def _check_images(reporting: Split) -> float:
    """Decodes the images once; returns the seconds that it took, which training does not lose."""
    began = time.monotonic()
    inputs.check_images(reporting.config)
    return time.monotonic() - began


def _model(run: Run, architecture: Architecture) -> tf_keras.Model:
    data = run.config.task.train_data
    tf_keras.utils.set_random_seed(run.config.task.seed)
    model = child_lib.build_child(run.space, architecture, data.num_classes, data.channels)
    child_lib.set_momentum(model)
    return model


class _Clock(tf_keras.callbacks.Callback):
    """Lowers the learning rate with elapsed time, and stops when the time is over.

    Args:
      began: `time.monotonic()` at the start.
      seconds: how long it may train.
      show: takes a line of progress now and then.
    """

    def __init__(self, began: float, seconds: float, show: Show) -> None:
        super().__init__()
        self._began = began
        self._seconds = seconds
        self._show = show
        self._shown = time.monotonic()

    def _passed(self) -> float:
        return min((time.monotonic() - self._began) / self._seconds, 1.0)

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        rate = _RATE * (1 + math.cos(math.pi * self._passed())) / 2
        self.model.optimizer.learning_rate.assign(rate)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        passed = self._passed()
        if passed >= 1.0:  # another callback may have stopped it, too
            self.model.stop_training = True
        elif time.monotonic() - self._shown >= _SHOWN_S and logs:
            self._shown = time.monotonic()
            left = console.duration((1.0 - passed) * self._seconds)
            self._show(f"step {batch + 1:,}: loss {logs['loss']:.3f}, {left} left")
