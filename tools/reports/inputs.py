"""What a report tells, read from the folder of a run and from those of its searches."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import errors, files
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import result as result_lib

Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]
_LOSSES = ("biggest", "smallest")
_MOST_POINTS = 2000  # of a curve


@dataclasses.dataclass(frozen=True)
class Search:
    """A finished search: its folder's name, `search.json`, and how it was called."""

    name: str
    result: Mapping[str, Any]
    how: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Export:
    """A version of an exported child: where, its card, and the report on its other formats."""

    name: str
    card: Mapping[str, Any]
    formats: Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Run:
    """All that a report tells.

    Attributes:
      name: the folder.
      space: its search space.
      how: the command and the versions of training; None where they were not noted.
      accuracies: of children evaluated during training, by name: steps, and top-1.
      losses: of the biggest and the smallest child: steps, and losses.
      searches: of the run.
      exports: below its folder.
    """

    name: str
    space: SearchSpace
    how: Mapping[str, Any] | None
    accuracies: Curves
    losses: Curves
    searches: Sequence[Search]
    exports: Sequence[Export]


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
        raise errors.UsageError(f"{model_dir} is not the folder of a training run")
    found = [pathlib.Path(each) for each in search_dirs] or [
        path.parent for path in sorted(folder.glob(f"*/{result_lib.FILE}"))
    ]
    return Run(
        name=model_dir,
        space=presets.get(str(folder / "search_space.yaml")),
        how=_how(folder),
        accuracies=_accuracies(folder / "learning_curves.json"),
        losses=_losses(folder / "train"),
        searches=[Search(each.name, result_lib.read(each), _how(each)) for each in found],
        exports=list(_exports(folder)),
    )


def _how(folder: pathlib.Path) -> Mapping[str, Any] | None:
    path = folder / "command.json"
    return files.read_json(path) if path.is_file() else None


def _accuracies(path: pathlib.Path) -> Curves:
    rows = files.read_json(path) if path.is_file() else []
    names = dict.fromkeys(name for row in rows for name in row["top1"])
    return {
        name: (
            [row["step"] for row in rows if name in row["top1"]],
            [row["top1"][name] for row in rows if name in row["top1"]],
        )
        for name in names
    }


def _losses(folder: pathlib.Path) -> Curves:
    """The losses that training wrote for TensorBoard, thinned out where there are many."""
    if not folder.is_dir():
        return {}
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util import tensor_util

    guidance = {event_accumulator.TENSORS: _MOST_POINTS}
    events = event_accumulator.EventAccumulator(str(folder), guidance).Reload()
    curves = {}
    for name in _LOSSES:
        if f"loss_{name}" in events.Tags()["tensors"]:
            points = events.Tensors(f"loss_{name}")
            values = [float(tensor_util.make_ndarray(point.tensor_proto)) for point in points]
            curves[name] = ([point.step for point in points], values)
    return curves


def _exports(folder: pathlib.Path) -> Iterator[Export]:
    for path in sorted(folder.glob("**/child.json")):
        report = path.parent / "converted" / "report.json"
        yield Export(
            name=str(path.parent.relative_to(folder)),
            card=files.read_json(path),
            formats=files.read_json(report) if report.is_file() else None,
        )
