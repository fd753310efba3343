"""What comes with this package: the experiments' YAML files, by name, and a trained supernet.

The experiments are in experiments/: beside this file in a wheel, one folder up in a checkout.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import zipfile
from collections.abc import Sequence

from bignas_tf import errors, files, full_disk, scratch

# The folder of a run on Fashion-MNIST; `python -m experiments.demo` makes it and prints its hash.
DEMO = pathlib.Path(__file__).with_name("demo.zip")
DEMO_SHA256 = "8c27fd2612c4fa13bbf6b6a04de802e9b42919727942c0dad312861728cd8c25"

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
    comes_with, hint = ", ".join(_folded(names)), errors.did_you_mean(name, names)
    raise errors.UsageError(f"{path} does not exist; bignas-tf comes with {comes_with}{hint}")


def unpack_demo(model_dir: str | os.PathLike[str]) -> None:
    """Puts the trained supernet in its own folder; one that has it already is left alone.

    Raises:
      UsageError: the folder holds something else, cannot be written or is remote, or the packaged
        file is damaged.
      RunError: there is no room.
    """
    if files.is_remote(model_dir):
        raise errors.UsageError(
            f"{os.fspath(model_dir)} is remote; name a local folder as model_dir"
        )
    target = pathlib.Path(model_dir)
    if hashlib.sha256(DEMO.read_bytes()).hexdigest() != DEMO_SHA256:
        raise errors.UsageError(f"{DEMO} is damaged; install bignas-tf again")
    with zipfile.ZipFile(DEMO) as archive:
        if _holds(target, archive):
            return
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise errors.UsageError(f"{target} is not an empty folder; choose another model_dir")
        parent = files.ensure_writable(target.parent)
        with full_disk.explained(target), scratch.folder(parent) as staged:
            archive.extractall(staged / "run")
            (staged / "run").rename(target)


def _holds(folder: pathlib.Path, archive: zipfile.ZipFile) -> bool:
    """Whether each file of the archive is in the folder, unchanged."""
    paths = {name: folder / name for name in archive.namelist()}
    return all(p.is_file() and p.read_bytes() == archive.read(name) for name, p in paths.items())


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
