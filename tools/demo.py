"""Gives you a trained supernet to play with: search and export children with no training.

  python -m tools.demo --model_dir=runs/demo

It was trained on Fashion-MNIST, in the space `bignas_small`, by experiments/fashion_mnist.yaml. Its
children are calibrated and scored on that data set, which is downloaded unless it is there. To
train on from its weights, on these images or others, name its folder as task.init_checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas

from .cli import launch

_MODEL_DIR = flags.DEFINE_string(
    "model_dir", "runs/demo", "Folder to put it in; it must be empty, or hold it already."
)


def main(argv: Sequence[str]) -> None:
    del argv
    bignas.unpack_demo(_MODEL_DIR.value)
    print(f"a trained supernet is in {_MODEL_DIR.value}", flush=True)
    bignas.prepare_data("fashion_mnist")


if __name__ == "__main__":
    launch(main)
