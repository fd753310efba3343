"""Trains one child of a run as an ordinary Keras model, with fit, for a given time.

  python -m tools.plain_keras --model_dir=runs/photos --minutes=8

This is the baseline for a supernet: the same images, patches and minutes, but one network of stock
layers with its own weights, Adam, and a cosine learning rate. Prints one line of JSON and writes it
to plain_keras.json in the run's folder. The minutes begin when the tool starts, so that imports and
tracing count, as they do for tools.train.
"""

from __future__ import annotations

import json
import time

from absl import flags

import bignas_tf as bignas

from . import runs
from .cli import launch, to_stderr

runs.define_flags()
_ARCHITECTURE = runs.define_architecture("biggest")
_MINUTES = flags.DEFINE_float("minutes", 8.0, "Minutes of training.")


def main() -> None:
    began = time.monotonic()
    run = runs.load()
    result = bignas.baseline(run, _ARCHITECTURE.value, _MINUTES.value, began=began, show=to_stderr)
    print(json.dumps(result.to_json()))


if __name__ == "__main__":
    launch(main)
