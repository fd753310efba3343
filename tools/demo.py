"""Gives you a trained supernet to play with: search and export children with no training.

  python -m tools.demo --model_dir=runs/demo

It was trained on Fashion-MNIST, in the space `bignas_small`, by experiments/fashion_mnist.yaml. Its
children are calibrated and scored on that data set, which is downloaded unless it is there; a few
of its test images are written to images/ in the folder. To train on from its weights, on these
images or others, name its folder as task.init_checkpoint.
"""

from __future__ import annotations

import os

from absl import flags

import bignas_tf as bignas

from .cli import launch

_MODEL_DIR = flags.DEFINE_string(
    "model_dir", "runs/demo", "Folder to put it in; it must be empty, or hold it already."
)


def main() -> None:
    folder = _MODEL_DIR.value
    bignas.unpack_demo(folder)
    print(f"a trained supernet is in {folder}", flush=True)
    bignas.prepare_data("fashion_mnist")
    shown = bignas.save_images(bignas.read_config(folder), os.path.join(folder, "images"))
    print(f"{len(shown)} test images, to predict, are in {folder}/images")


if __name__ == "__main__":
    launch(main)
