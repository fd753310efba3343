"""Puts a TFDS data set on disk, so that training can read it.

  python -m tools.prepare_data --dataset=fashion_mnist
  python -m tools.prepare_data --dataset=my_photos --images=photos

The second makes one of a folder of images, photos/class/*.jpg or photos/split/class/*.jpg (or
*.png): in a bucket, and on TPUs, a few large files are read much faster than many small ones.
"""

from __future__ import annotations

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
_IMAGES = flags.DEFINE_string("images", None, "Folder of class folders, to make a data set of.")
flags.mark_flags_as_mutual_exclusive(["manual_dir", "images"])


def main() -> None:
    """Prepares the data set named by the flags."""
    if _IMAGES.value is not None:
        bignas.pack_images(_IMAGES.value, _DATASET.value, _DATA_DIR.value)
    else:
        bignas.prepare_data(_DATASET.value, _DATA_DIR.value, _MANUAL_DIR.value)


if __name__ == "__main__":
    launch(main)
