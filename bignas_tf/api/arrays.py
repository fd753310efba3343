"""Arrays as a folder of images, which is what everything else reads."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf import console, errors, files, full_disk, scratch
from bignas_tf.api import arguments
from bignas_tf.console import Show
from bignas_tf.plain import Value

Several = Sequence[Any] | np.ndarray
# Images, and the number of each one's class.
Labelled = tuple[Several, Several]


def write_folder(
    output_dir: str | os.PathLike[str],
    images: Labelled | Mapping[str, Labelled],
    class_names: Sequence[str] | None = None,
    *,
    show: Show | None = console.print_line,
) -> pathlib.Path:
    """Writes arrays as a folder of PNG images, for `recipe` or a configuration's `input_path`.

    Labels of the folder are positions among the sorted names of its classes, whatever the numbers
    were that came with the arrays.

    Args:
      output_dir: gets `split/class/0000.png`; local, and new or empty.
      images: by split, such as "train" and "test", the images and their classes. A single pair of
        them has no splits (`class/0000.png`), and is divided by whoever reads it. Images are uint8
        [N, H, W], [N, H, W, 1] or [N, H, W, 3], or a list of such images of any sizes; classes are
        whole numbers from 0, [N] or [N, 1].
      class_names: the name of each class; its number if None.
      show: takes a line for each split; None for silence.

    Returns:
      The folder, which appears only once it is complete.

    Raises:
      UsageError: what is given is not this, or the folder cannot be written or is not empty.
      RunError: there is no room.
    """
    folder = _free(errors.require_path("output_dir", output_dir))
    splits = dict(images) if isinstance(images, Mapping) else {"": images}
    errors.require(bool(splits), "images", images, "at least one split")
    labels = {split: _labels(_place(split), given) for split, given in splits.items()}
    names = _names(
        class_names, 1 + max((each.max(initial=-1) for each in labels.values()), default=-1)
    )
    _check_folders("a split", [split for split in splits if split])
    parent = files.ensure_writable(folder.parent)
    with full_disk.explained(folder), scratch.folder(parent) as staged:
        made = staged / "images"
        for split, (pixels, _) in splits.items():
            places = [made / split / names[label] for label in labels[split]]
            _write(_place(split), pixels, places)
            console.or_silent(show)(f"{folder / split}: {len(places):,} images")
        made.rename(folder)
    return folder


def _free(output_dir: str) -> pathlib.Path:
    """The path of a folder in which nothing is yet."""
    if files.is_remote(output_dir):
        raise errors.UsageError(f"{output_dir} is remote; name a local folder as output_dir")
    folder = pathlib.Path(output_dir).absolute()
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise errors.UsageError(f"{folder} is not an empty folder; choose another output_dir")
    return folder


def _place(split: str) -> str:
    """How messages name what was given for a split."""
    return f"images[{split!r}]" if split else "images"


def _labels(place: str, given: object) -> np.ndarray:
    """The classes of a split's images, int64 [N]; the images are not looked at yet."""
    if not isinstance(given, tuple | list) or len(given) != 2 or not hasattr(given[0], "__len__"):
        raise errors.UsageError(
            f"{place} is {errors.shown(given)}; it takes a pair of arrays: images and their classes"
        )
    images, classes = given
    try:
        labels = np.asarray(classes)
    except ValueError:  # lists of different lengths
        labels = np.asarray(None)
    if labels.dtype.kind not in "iu" or not labels.ndim or labels.min(initial=0) < 0:
        raise errors.UsageError(
            f"the classes of {place} are {errors.shown(classes)}; they must be whole numbers from "
            "0, one for each image"
        )
    if not len(images) == len(labels) == labels.size > 0:
        raise errors.UsageError(f"{place} has {len(images)} images and {labels.size} classes")
    return labels.reshape(-1).astype(np.int64)


def _names(given: Sequence[str] | None, classes: int) -> list[str]:
    """The folder of each class; numbers have zeros before them, so that they stay in order."""
    if given is None:
        return [f"{label:0{len(str(classes - 1))}}" for label in range(classes)]
    names = Value(given, "class_names").texts()
    if len(names) < classes:
        raise errors.UsageError(
            f"class_names has {len(names)} names, but there are classes up to {classes - 1}"
        )
    _check_folders("a class", names)
    return names


def _check_folders(what: str, names: Sequence[str]) -> None:
    for name in names:
        if not isinstance(name, str) or not name or name[0] == "." or set(name) & {"/", "\0"}:
            raise errors.UsageError(
                f"{what} cannot be called {errors.shown(name)}: its folder is, so the name is text "
                "without '/' that does not begin with '.'"
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise errors.UsageError(f"{what} needs a name of its own; {twice} are given twice")


def _write(place: str, images: Several, folders: Sequence[pathlib.Path]) -> None:
    """Writes each image, as a PNG, into its folder."""
    for folder in set(folders):
        folder.mkdir(parents=True)
    digits = len(str(len(folders)))
    for index, folder in enumerate(folders):
        pixels = arguments.pixels(f"image {index} of {place}", images[index])
        (folder / f"{index:0{digits}}.png").write_bytes(tf.io.encode_png(pixels).numpy())
