"""Describes a search space: its choices, how many children it has, and what they cost.

python -m tools.space --search_space=bignas_small
python -m tools.space --model_dir=runs/fashion_mnist
"""

from __future__ import annotations

from collections.abc import Sequence

import bignas_tf as bignas

from . import models
from .cli import launch

models.define_flags(search_space="bignas_imagenet")


def main(argv: Sequence[str]) -> None:
    """Describes the space named by the flags."""
    del argv
    print(bignas.describe(*models.of_flags()))


if __name__ == "__main__":
    launch(main)
