"""Describes a search space: its choices, how many children it has, and what they cost.

python -m tools.space --search_space=bignas_small
python -m tools.space --model_dir=runs/fashion_mnist
"""

from __future__ import annotations

import bignas_tf as bignas

from . import models
from .cli import launch

models.define_flags(search_space="bignas_imagenet")


def main() -> None:
    """Describes the space named by the flags."""
    print(bignas.describe(*models.of_flags()))


if __name__ == "__main__":
    launch(main)
