"""Which images each split of a data set has, so that others in their place are noticed.

A slice such as "all[:140]" names positions in a listing. One image more or less moves the others
to other positions, and so to other slices. Contents are not read: names and numbers tell.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from bignas_tf import errors, files
from bignas_tf.data import config as config_lib
from bignas_tf.data import patterns, records, sources, split_names
from bignas_tf.data.config import DataConfig
from bignas_tf.plain import Value


@dataclasses.dataclass(frozen=True)
class SplitImages:
    """The images of a whole split.

    Attributes:
      images: how many there are.
      sha256: of what tells them from others: in a folder their paths below it, of TFRecords the
        files' names and numbers, of TFDS the data set's name and major version.
    """

    images: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Plain form."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> SplitImages:
        """Reads `to_json`'s form.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        return cls(value["images"].count(), value["sha256"].text())


BySplit = Mapping[str, SplitImages]


def read(config: DataConfig) -> dict[str, SplitImages]:
    """The images of every split of a data set, as they are now.

    Raises:
      UsageError: see `sources.open_source`.
    """
    ways = {"tfds": _tfds, "tfrecord": _tfrecord, "folder": _folder, "digits": _digits}
    return ways[config.source](config)


def named(config: DataConfig, known: BySplit) -> set[str]:
    """The whole splits, among those of a data set, of which a config names images.

    Raises:
      UsageError: it cannot name them in a data set of these splits.
    """
    sizes = {split: each.images for split, each in known.items()}
    what = str(config_lib.images_name(config))
    pieces = split_names.resolve(config.tfds_split or split_names.ALL, sizes, what)
    return {piece[0] for piece in pieces}


def check_same(before: BySplit, learnt: DataConfig, uses: Sequence[DataConfig]) -> None:
    """Refuses uses of images that may be others by now, some of them learnt from.

    That is so where a split that was learnt from has changed, and one that is used, too: the same
    one, or one into which its images were moved.

    Args:
      before: the images when they were learnt from.
      learnt: names those learnt from.
      uses: name those that are used, all of the same data set as it is now.

    Raises:
      UsageError: see above, or see `read`.
    """
    if not uses:
        return
    now = read(uses[0])
    changed = {split for split in {*before, *now} if before.get(split) != now.get(split)}
    lost = named(learnt, before) & changed
    if not lost or not any(_touches(use, now, changed) for use in uses):
        return
    split = min(lost)
    then, there = before[split].images, now[split].images if split in now else 0
    now_there = f"{there:,} now" if then != there else f"{there:,} with other names or folders now"
    raise errors.UsageError(
        f"split {split!r} of {config_lib.images_name(uses[0])!r} has other images than when it was "
        f"learnt from ({then:,} then, {now_there}), so images learnt from may be where "
        "others were; put the images back as they were, keep new ones in another folder, or train "
        "again in another model_dir"
    )


def _touches(use: DataConfig, now: BySplit, changed: set[str]) -> bool:
    """Whether a config names images of a changed split, or of one that is gone."""
    try:
        return bool(named(use, now) & changed)
    except errors.UsageError:
        return True


def same_data_set(first: DataConfig, second: DataConfig) -> bool:
    """Whether two configs name one data set, whatever is in it.

    Paths may be spelt in several ways, TFDS data sets may have versions; but TFRecords are the same
    only by the same patterns, whatever files those match.
    """
    return _known_by(first) == _known_by(second)


def is_same(learnt: DataConfig, now: DataConfig, before: BySplit | None) -> bool:
    """Whether two configs name one data set, also if its files have moved since.

    Args:
      learnt: names the images that a run learnt from.
      now: names images as they are now.
      before: the images when they were learnt from; None if unknown.

    Raises:
      UsageError: see `read`.
    """
    if same_data_set(learnt, now):
        return True
    if before is None or learnt.source != now.source or now.source not in ("folder", "tfrecord"):
        return False
    there = read(now)
    return all(there.get(split) == before[split] for split in named(learnt, before))


def place(path: str) -> str:
    """A path that says the same from any working folder."""
    if files.is_remote(path):
        return path.rstrip("/")
    return os.path.abspath(os.path.expanduser(path))


def _known_by(config: DataConfig) -> tuple[str, list[str]]:
    """What a data set is known by; of local files their absolute paths."""
    if config.source == "tfds":
        return config.source, [str(config.tfds_name).partition(":")[0]]
    if config.source == "tfrecord":
        return config.source, sorted(map(place, patterns.split(config.input_path)))
    name = str(config_lib.images_name(config))
    return config.source, [place(name) if config.source == "folder" else name]


def _tfds(config: DataConfig) -> dict[str, SplitImages]:
    info = sources.prepared(config).info
    # Only another major version has other images, or the same in another order
    # (https://www.tensorflow.org/datasets/datasets_versioning).
    name = [info.full_name.rpartition("/")[0], info.version.major]
    return {
        split: SplitImages(each.num_examples, _digest([*name, split, each.num_examples]))
        for split, each in info.splits.items()
    }


def _tfrecord(config: DataConfig) -> dict[str, SplitImages]:
    paths = patterns.files("input_path", patterns.split(config.input_path))
    numbers = records.count_all(paths)
    # Without their folder, which may be mounted elsewhere, and their sizes: a record may be mended.
    known = [*zip(map(os.path.basename, paths), numbers, strict=True)]
    return {split_names.ALL: SplitImages(sum(numbers), _digest(known))}


def _folder(config: DataConfig) -> dict[str, SplitImages]:
    folder = sources.scanned(config)
    start = len(os.path.join(folder.root, ""))  # the folder may be moved
    return {
        split: SplitImages(len(examples), _digest(sorted(path[start:] for path, _ in examples)))
        for split, examples in folder.splits.items()
    }


def _digits(config: DataConfig) -> dict[str, SplitImages]:
    del config  # they are always the same
    return {
        split: SplitImages(number, _digest([split, number]))
        for split, number in sources.DIGITS.items()
    }


def _digest(plain: object) -> str:
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()
