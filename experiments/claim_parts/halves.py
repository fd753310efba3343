"""A folder of images as two, each with half of the classes, for the part `adaptation`."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from bignas_tf import errors
from bignas_tf.data import folders


class Half(NamedTuple):
    """Half of the classes.

    Attributes:
      classes: their names, sorted.
      source: the override that makes a run use their images alone.
    """

    classes: tuple[str, ...]
    source: str


def check(data: Mapping[str, Any]) -> None:
    """Refuses data whose classes cannot be halved.

    Args:
      data: `task.train_data` of the campaign, plain.

    Raises:
      UsageError: they are not a folder of images with four classes or more.
    """
    if data["source"] != "folder" or data["num_classes"] < 4:
        raise errors.UsageError(
            "the part adaptation halves a folder of at least four classes; the configuration has "
            f"task.train_data.source={data['source']!r} with {data['num_classes']} classes: give "
            "--config_file=experiments/adaptation.yaml, or leave the part out of --parts"
        )


def link(root: str, folder: pathlib.Path) -> tuple[Half, Half]:
    """Makes the two folders, of links to the classes of `root`.

    Every second class by name is in the first, so that the halves are of the same kind where
    neighbours in the alphabet are. What an earlier call has made is kept.

    Args:
      root: as in `source: folder`, with splits or without.
      folder: where the two folders are made.

    Raises:
      UsageError: `root` is not a folder of images.
    """
    names = folders.scan(root).classes
    first, second = (
        _half(pathlib.Path(root), folder / name, names[start::2])
        for start, name in enumerate(("first", "second"))
    )
    return first, second


def _half(root: pathlib.Path, folder: pathlib.Path, classes: tuple[str, ...]) -> Half:
    for path in (*root.glob("*"), *root.glob("*/*")):
        if path.name in classes and path.is_dir():
            target = folder / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                os.symlink(path.resolve(), target)
    data = {"input_path": str(folder), "num_classes": len(classes)}
    return Half(classes, json.dumps({"task": {"train_data": data}}))
