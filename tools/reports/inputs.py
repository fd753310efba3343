"""What a report tells, read from the folder of a run and from those of its searches."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import errors, files
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import findings
from bignas_tf.selection import result as result_lib

from . import checks, curves, exports

# What an earlier report left in the run's folder is no part of the next.
PAGE_FILE, PLOTS_DIR = "report.html", "report"


@dataclasses.dataclass(frozen=True)
class Search:
    """A finished search.

    Attributes:
      name: its folder, below the run's where it lies there.
      key: the name as files and places in the page have it; no other search has it.
      result: `search.json`, checked.
      how: the command and the versions; None where they were not noted.
    """

    name: str
    key: str
    result: Mapping[str, Any]
    how: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Run:
    """All that a report tells.

    Attributes:
      name: the folder.
      space: its search space.
      weights: the latest checkpoint, as `checkpoints.describe` has it; None without one.
      how: the command and the versions of training; None where they were not noted.
      accuracies: of children evaluated during training.
      losses: of the smallest and the biggest child.
      judgement: `judgement.json`, checked; None without one.
      searches: of the run.
      exports: below its folder.
      files: of the run and its searches, with their bytes.
    """

    name: str
    space: SearchSpace
    weights: Mapping[str, Any] | None
    how: Mapping[str, Any] | None
    accuracies: curves.Curves
    losses: curves.Curves
    judgement: Mapping[str, Any] | None
    searches: Sequence[Search]
    exports: Sequence[exports.Export]
    files: Sequence[tuple[str, int]]


def read(model_dir: str, search_dirs: Sequence[str]) -> Run:
    """Reads a run.

    Args:
      model_dir: its folder.
      search_dirs: of its searches; all that lie in the folder if empty.

    Raises:
      UsageError: the folder is not of a run, or a file is damaged.
    """
    folder = pathlib.Path(model_dir)
    if not (folder / "search_space.yaml").is_file():
        raise errors.UsageError(
            f"{model_dir} is not the folder of a training run: no search_space.yaml"
        )
    space = presets.get(str(folder / "search_space.yaml"))
    found = [pathlib.Path(each) for each in search_dirs] or [
        path.parent for path in sorted(folder.glob(f"*/{result_lib.FILE}"))
    ]
    return Run(
        name=model_dir,
        space=space,
        weights=_weights(folder),
        how=_how(folder),
        accuracies=curves.accuracies(folder / "learning_curves.json"),
        losses=curves.losses(folder / "train"),
        judgement=_judgement(folder / findings.FILE, space),
        searches=list(_searches(folder, found, space)),
        exports=list(exports.below(folder)),
        files=list(_files(folder, found)),
    )


def _weights(folder: pathlib.Path) -> Mapping[str, Any] | None:
    if not (folder / "checkpoint").is_file():
        return None
    import tensorflow as tf  # seconds; a run without weights does without

    from bignas_tf.training import checkpoints

    checkpoint = tf.train.latest_checkpoint(str(folder))
    return checkpoints.describe(checkpoint) if checkpoint else None


def _how(folder: pathlib.Path) -> Mapping[str, Any] | None:
    path = folder / "command.json"
    if not path.is_file():
        return None
    how = files.read_json(path)
    with checks.written_by("this project", path):
        return {"command": str(how["command"]), "versions": dict(how["versions"])}


def _judgement(path: pathlib.Path, space: SearchSpace) -> Mapping[str, Any] | None:
    if not path.is_file():
        return None
    result = files.read_json(path)
    with checks.written_by("tools.judge", path):
        checks.judgement(result, space)
    return result


def _searches(
    folder: pathlib.Path, found: Iterable[pathlib.Path], space: SearchSpace
) -> Iterator[Search]:
    keys: set[str] = set()
    for path in found:
        result = result_lib.read(path)
        with checks.written_by("tools.search", path / result_lib.FILE):
            checks.search(result, space)
        name = _shown(path, folder)
        key = stem = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "search"
        while key in keys:
            key = f"{stem}_{len(keys) + 1}"
        keys.add(key)
        yield Search(name, key, result, _how(path))


def _files(folder: pathlib.Path, searches: Iterable[pathlib.Path]) -> Iterator[tuple[str, int]]:
    ours = {folder / PAGE_FILE, folder / PLOTS_DIR}
    found: dict[str, int] = {}
    for base in (folder, *searches):
        for path in base.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(base).parts)
            if path.is_file() and not hidden and not ours & {path, *path.parents}:
                found[_shown(path, folder)] = path.stat().st_size
    yield from sorted(found.items())


def _shown(path: pathlib.Path, folder: pathlib.Path) -> str:
    """A path as the report names it: below the run's folder where it lies there."""
    inside = path.resolve().is_relative_to(folder.resolve())
    return os.path.relpath(path.resolve(), folder.resolve()) if inside else str(path)
