"""Puts a TFDS data set on disk, so that training can read it.

Example: python -m tools.prepare_data --dataset=fashion_mnist
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas

from .cli import launch

_DATASET = flags.DEFINE_string("dataset", None, "TFDS name, such as fashion_mnist.", required=True)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Where TFDS keeps its data sets; its own default is ~/tensorflow_datasets."
)
_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir", None, "Folder of files that TFDS cannot download, such as ImageNet's archives."
)


def main(argv: Sequence[str]) -> None:
    """Prepares the data set named by the flags."""
    del argv
    bignas.prepare_data(_DATASET.value, _DATA_DIR.value, _MANUAL_DIR.value)


if __name__ == "__main__":
    launch(main)
