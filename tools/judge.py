"""Judges a trained supernet: the same few children, scored at every resolution of its space.

  python -m tools.judge --model_dir=runs/fashion_mnist [--images=2000]

The smallest child, the biggest and some random ones are calibrated and scored at each
evaluation resolution. Prints their top-1 in percent, a summary and warnings, and writes all of
it to judgement.json in the run's folder, where tools.report finds it. It chooses no child, so it
uses the reporting split.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import runs
from .cli import launch

runs.define_flags()
_CHILDREN = flags.DEFINE_integer("children", 5, "Number of random children.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the random children.", lower_bound=0)
_SPLIT = flags.DEFINE_string("split", "", "Images to score on; the reporting split by default.")
_IMAGES = flags.DEFINE_integer(
    "images", 0, "How many of them, from the start; 0 for all.", lower_bound=0
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "JSON file of the result; judgement.json in --model_dir if unset."
)
_TPU = runs.define_tpu()


def main() -> None:
    bignas.judge(
        runs.load(bignas.evaluation_strategy(tpu=_TPU.value)),
        children=_CHILDREN.value,
        seed=_SEED.value,
        split=_SPLIT.value,
        images=_IMAGES.value,
        output=_OUTPUT.value,
    )


if __name__ == "__main__":
    launch(main)
