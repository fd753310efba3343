"""The numbered folders of a model's exports; needs no TensorFlow."""

from __future__ import annotations

import os
import pathlib

from bignas_tf import errors, files
from bignas_tf.plain import Value

# Of a version: what it holds, and how to call it; and the names of its classes.
CHILD_FILE, CASCADE_FILE = "child.json", "cascade.json"
GRAPH_FILE = "saved_model.pb"  # TensorFlow's name for it
LABELS_FILE = "labels.json"
# Outputs of its signatures: the most likely classes, and which child of a cascade answered.
BEST, ANSWERED_BY = ("top_classes", "top_labels", "top_probabilities"), "answered_by"


def numbers(folder: pathlib.Path) -> list[int]:
    """The versions in a model's folder, ascending; none if there is no such folder.

    Raises:
      UsageError: the folder may not be read.
    """
    try:
        names = os.listdir(folder)
    except PermissionError as error:
        raise errors.UsageError(f"{folder} cannot be read ({error.strerror})") from error
    except OSError:
        return []
    return sorted(int(name) for name in names if name.isdecimal())


def child_file(folder: pathlib.Path, way_out: str) -> pathlib.Path:
    """The card of the child that a version holds.

    Args:
      folder: of the version.
      way_out: what to do where it holds a cascade.

    Raises:
      UsageError: it does, or the folder is not a version's.
    """
    path = folder / CHILD_FILE
    if files.is_file(path):
        return path
    if files.is_file(folder / CASCADE_FILE):
        raise errors.UsageError(f"{folder} is a cascade; {way_out}")
    raise no_version(folder)


def labels(version: str | os.PathLike[str]) -> list[str]:
    """The names of a version's classes, in their order.

    Raises:
      UsageError: the file that has them is missing or damaged.
    """
    path = os.path.join(version, LABELS_FILE)
    return Value(files.read_json(path), path).texts()


def no_version(folder: str | os.PathLike[str]) -> errors.UsageError:
    """The error to raise of a folder that is not a version's; names those that it holds.

    Raises:
      UsageError: the folder may not be read.
    """
    found = numbers(pathlib.Path(folder))
    plural = "s" if len(found) > 1 else ""
    held = ", ".join(map(str, found))
    way_out = (
        f"it holds version{plural} {held}; give {os.path.join(folder, str(found[-1]))}"
        if found
        else "give the folder of one exported version"
    )
    return errors.UsageError(
        f"{os.fspath(folder)} is not the folder of an exported version: {way_out}"
    )
