"""The experiments' YAML files that come with this package, found by name.

They are in experiments/: beside this file in a wheel, one folder up in a checkout.
"""

from __future__ import annotations

import difflib
import os
import pathlib
from collections.abc import Sequence

from bignas_tf import errors

_FOLDER = "experiments"
_PATTERNS = ("*.yaml", "ablations/*/*.yaml")


def experiment_file(path: str) -> str:
    """Returns the file that `path` names: itself, or the packaged file of that name.

    Args:
      path: a file, also remote. If it does not exist, "fashion_mnist.yaml" and
        "experiments/fashion_mnist.yaml" name the packaged file, and so does
        "ablations/small/cosine.yaml", with or without "experiments/".

    Raises:
      UsageError: there is neither.
    """
    if "://" in path or os.path.exists(path):
        return path
    folder = _folder()
    found = (each for pattern in _PATTERNS for each in sorted(folder.glob(pattern)))
    names = [each.relative_to(folder).as_posix() for each in found]
    name = pathlib.PurePath(os.path.normpath(path)).as_posix().removeprefix(f"{_FOLDER}/")
    if name in names:
        return str(folder / name)
    near = difflib.get_close_matches(name, names, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise errors.UsageError(
        f"{path} does not exist; {meant}bignas-tf comes with {', '.join(_folded(names))}"
    )


def _folded(names: Sequence[str]) -> list[str]:
    """Returns the names, with one entry for all files of a sub-folder."""
    parents = [name.rpartition("/")[0] for name in names]
    folded = (
        f"{parent}/*.yaml" if parent else name for name, parent in zip(names, parents, strict=True)
    )
    return list(dict.fromkeys(folded))


def _folder() -> pathlib.Path:
    here = pathlib.Path(__file__).resolve().parent
    return here / _FOLDER if (here / _FOLDER).is_dir() else here.parent / _FOLDER
