"""What comes with this package: the experiments' YAML files, by name, and a trained supernet.

The experiments are in experiments/: beside this file in a wheel, one folder up in a checkout.
"""

from __future__ import annotations

import hashlib
import io
import os
import pathlib
import zipfile
from collections.abc import Sequence, Set

from bignas_tf import errors, files, run_folder, scratch

# The folder of a run on Fashion-MNIST; `python -m experiments.demo` makes it and prints its hash.
DEMO = pathlib.Path(__file__).with_name("demo.zip")
DEMO_SHA256 = "8c27fd2612c4fa13bbf6b6a04de802e9b42919727942c0dad312861728cd8c25"

_FOLDER, _YAML = "experiments", ".yaml"
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
    if files.is_remote(path) or os.path.exists(path):
        return path
    return packaged_file(path)


def packaged_file(path: str) -> str:
    """Returns the packaged file of that name, whatever lies in the working directory.

    Args:
      path: such as "fashion_mnist.yaml", as `experiment_file` takes it.

    Raises:
      UsageError: there is none.
    """
    folder = _folder()
    found = (each for pattern in _PATTERNS for each in sorted(folder.glob(pattern)))
    names = [each.relative_to(folder).as_posix() for each in found]
    name = pathlib.PurePath(os.path.normpath(path)).as_posix().removeprefix(f"{_FOLDER}/")
    if name in names:
        return str(folder / name)
    comes_with = ", ".join(_folded(names))
    hint = _like_beside(path) or errors.did_you_mean(name, names)
    hint = hint or errors.did_you_mean(os.path.basename(name), names)
    raise errors.UsageError(f"{path} does not exist; bignas-tf comes with {comes_with}{hint}")


def _like_beside(path: str) -> str:
    """As `errors.did_you_mean`, of the YAML files in the folder of a path; "" without any."""
    parent, name = os.path.split(path)
    try:
        found = [each for each in sorted(os.listdir(parent or ".")) if each.endswith(_YAML)]
    except OSError:
        return ""
    return errors.did_you_mean(name, found, end=_YAML)


def unpack_demo(model_dir: str | os.PathLike[str]) -> None:
    """Puts the trained supernet in its own folder; one that has it already is left alone.

    Raises:
      UsageError: the folder holds something else, cannot be written or is remote, or the packaged
        file is damaged.
      RunError: there is no room.
    """
    model_dir = errors.require_path("model_dir", model_dir)
    files.refuse_remote(model_dir, "model_dir")
    folder, archive = pathlib.Path(model_dir), DEMO.read_bytes()
    if hashlib.sha256(archive).hexdigest() != DEMO_SHA256:
        raise errors.UsageError(f"{DEMO} is damaged; install bignas-tf again")
    contents = _unzipped(archive)
    missing = [name for name, content in contents.items() if not _holds(folder / name, content)]
    if not missing:
        return
    if folder.exists() and (not folder.is_dir() or _others(folder, contents.keys() - missing)):
        raise errors.UsageError(f"{folder} is not an empty folder; choose another model_dir")
    # What is killed is no run yet, and may be begun again: the file that makes it one comes last.
    for name in sorted(missing, key=run_folder.PARAMS_FILE.__eq__):
        files.write_bytes(folder / name, contents[name])


def _unzipped(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _holds(path: pathlib.Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _others(folder: pathlib.Path, known: Set[str]) -> Set[str]:
    """The names in a folder beside known ones, and beside files that are being written."""
    return {path.name for path in folder.iterdir() if not scratch.is_unfinished(path)} - known


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
