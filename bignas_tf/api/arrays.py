"""Arrays as a folder of images, which is what everything else reads."""

from __future__ import annotations

import collections
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf import console, errors, files, full_disk, scratch
from bignas_tf.api import arguments, counting
from bignas_tf.console import Show
from bignas_tf.plain import Value

_LONGEST_NAME = 255  # bytes, in the file systems of Linux
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
      output_dir: gets `split/class/0000-<hash>.png`; local, and new or empty.
      images: by split, such as "train" and "test", the images and their classes. A single pair of
        them has no splits (`class/0000-<hash>.png`), and is divided by whoever reads it. Images are
        uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3], or a list of such images of any sizes;
        classes are whole numbers from 0, [N] or [N, 1].
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
    if isinstance(images, Mapping):
        _check_folders("a split", list(splits))
    labels = {split: _labels(_place(split), given) for split, given in splits.items()}
    names = _names(class_names, 1 + max(each.max() for each in labels.values()))
    parent = files.ensure_writable(folder.parent)
    with full_disk.explained(folder), scratch.folder(parent) as staged:
        made = staged / "images"
        for split, (pixels, _) in splits.items():
            places = [made / split / names(label) for label in labels[split].tolist()]
            _write(_place(split), pixels, places)
        made.rename(folder)
    for split, each in labels.items():
        console.or_silent(show)(f"{folder / split}: {len(each):,} images")
    return folder


def _free(output_dir: str) -> pathlib.Path:
    """The path of a folder in which nothing is yet."""
    files.refuse_remote(output_dir, "output_dir")
    folder = pathlib.Path(output_dir).resolve()  # a link stays one, to the new folder
    taken = os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir()))
    if taken or folder == pathlib.Path.cwd():  # which would be replaced under the caller's feet
        raise errors.UsageError(f"{folder} is not an empty folder; choose another output_dir")
    return folder


def _place(split: str) -> str:
    """How messages name what was given for a split."""
    return f"images[{split!r}]" if split else "images"


def _labels(place: str, given: object) -> np.ndarray:
    """The classes of a split's images, int64 [N]; the images are not looked at yet."""
    images: Any
    images, classes = given if isinstance(given, tuple | list) and len(given) == 2 else (None, None)
    if not _are_several(images):
        raise errors.UsageError(
            f"{place} is {errors.shown(given)}; it takes a pair of arrays: images and their classes"
        )
    labels = arguments.array(classes)
    whole = labels.dtype.kind in "iu" and labels.ndim
    if not whole or labels.min(initial=0) < 0 or labels.max(initial=0) >= counting.MOST_CLASSES:
        raise errors.UsageError(
            f"the classes of {place} are {errors.shown(classes)}; they must be whole numbers from "
            f"0 to {counting.MOST_CLASSES - 1}, one for each image"
        )
    if not len(images) == len(labels) == labels.size > 0:
        raise errors.UsageError(f"{place} has {len(images)} images and {labels.size} classes")
    return labels.reshape(-1).astype(np.int64)


def _are_several(images: object) -> bool:
    """Whether it has elements in an order: lists and arrays of any library, not of no dimension."""
    if isinstance(images, str | bytes | Mapping | Set) or not isinstance(images, Iterable):
        return False
    try:
        return len(images) >= 0  # type: ignore[arg-type]
    except TypeError:
        return False


def _names(given: Sequence[str] | None, classes: int) -> Callable[[int], str]:
    """Gives the folder of a class; numbers have zeros before them, so that they stay in order."""
    if given is None:
        digits = len(str(classes - 1))
        return lambda label: f"{label:0{digits}}"
    names = Value(given, "class_names").texts()
    if len(names) < classes:
        raise errors.UsageError(
            f"class_names has {len(names)} names, but there are classes up to {classes - 1}"
        )
    _check_folders("a class", names)
    return names.__getitem__


def _check_folders(what: str, names: Sequence[str]) -> None:
    for name in names:
        if not _is_folder_name(name):
            raise errors.UsageError(
                f"{what} cannot be called {errors.shown(name)}: its folder is, so the name is "
                "short text without '/' that does not begin with '.'"
            )
    twice = [name for name, number in collections.Counter(names).items() if number > 1]
    if twice:
        raise errors.UsageError(f"{what} needs a name of its own; {twice} are given twice")


def _is_folder_name(name: object) -> bool:
    if not isinstance(name, str) or not name or name[0] == "." or set(name) & {"/", "\0"}:
        return False
    try:
        return len(name.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _write(place: str, images: Several, folders: Sequence[pathlib.Path]) -> None:
    """Writes each image, as a PNG, into its folder."""
    for folder in set(folders):
        folder.mkdir(parents=True)
    digits = len(str(len(folders)))
    given = iter(images)
    for index, folder in enumerate(folders):
        image = next(given, None)  # which is refused
        pixels = arguments.pixels(f"image {index} of {place}", image)
        content = tf.io.encode_png(pixels).numpy()
        # With its hash: other images at the same places are then known for others.
        name = f"{index:0{digits}}-{hashlib.sha256(content).hexdigest()[:8]}.png"
        (folder / name).write_bytes(content)
