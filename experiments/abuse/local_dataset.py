"""A TFDS data set that needs no network, so that tools.prepare_data can be tried without one.

Its archive is unpacked and its images are written as those of any data set are. What is left out is
the download, which TFDS does before. Importing this module registers it.
"""

from __future__ import annotations

import io
import pathlib
import zipfile
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

ARCHIVE = "digits.zip"
_FILES, _IMAGES = 40, 50  # so that unpacking and writing take some of the time


class LocalDigits(tfds.core.GeneratorBasedBuilder):
    """Noise under the labels of ten digits."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "See write_archive."

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(8, 8, 1)),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
        )
        return self.dataset_info_from_configs(features=features, supervised_keys=("image", "label"))

    def _split_generators(self, manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        unpacked = manager.extract(manager.manual_dir / ARCHIVE)
        return {"train": self._generate_examples(unpacked)}

    def _generate_examples(self, unpacked: pathlib.Path) -> Iterator[tuple[int, dict[str, object]]]:
        for number in range(_FILES):
            images = np.load(io.BytesIO((unpacked / f"{number}.npy").read_bytes()))
            for index, image in enumerate(images):
                key = number * _IMAGES + index
                yield key, {"image": image, "label": key % 10}


def write_archive(folder: pathlib.Path) -> None:
    """Writes what the data set is prepared from; the same bytes each time."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    with zipfile.ZipFile(folder / ARCHIVE, "w") as archive:
        for number in range(_FILES):
            packed = io.BytesIO()
            np.save(packed, rng.integers(0, 256, (_IMAGES, 8, 8, 1), np.uint8))
            archive.writestr(zipfile.ZipInfo(f"{number}.npy"), packed.getvalue())
