"""What cascades save: time and accuracy beside the same children exported alone.

  python -m experiments.cascades --model_dir=runs/quickstart \\
      --family_dir=runs/quickstart/family --cascade_dir=runs/quickstart/cascade/1 \\
      --output=experiments/results/cascades

Every model answers the same images of the reporting split, one at a time and in batches, through
Python's loader; models take turns, and the median counts. Loading a cascade is compared with
loading all children, one after the other. Writes OUTPUT.json and OUTPUT.png.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

import bignas_tf as bignas
from bignas_tf import files, machine
from bignas_tf.exports import versions as versions_lib
from experiments import drawing
from tools.benchmarks import harness
from tools.cli import launch

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_FAMILY_DIR = flags.DEFINE_string(
    "family_dir", None, "What tools.export --search_dir wrote.", required=True
)
_CASCADE_DIRS = flags.DEFINE_multi_string(
    "cascade_dir", None, "A version of tools.export_cascade; may be repeated.", required=True
)
_OUTPUT = flags.DEFINE_string("output", "experiments/results/cascades", "Without a suffix.")
_IMAGES = flags.DEFINE_integer("images", 512, "Of the reporting split.", lower_bound=1)
_BATCHES = flags.DEFINE_list("batches", ["1", "32"], "Images a request.")
_REPEATS = flags.DEFINE_integer("repeats", 9, "Of each measurement.", lower_bound=1)

Call = Callable[[], object]


def main() -> None:
    versions = _versions()
    batches = [int(text) for text in _BATCHES.value]
    measured = {
        "models": [_described(name, version) for name, version in versions.items()],
        "milliseconds": {str(size): _times(versions, size) for size in batches},
        "load_ms": _load_times(versions),
        "images": _IMAGES.value,
        "machine": machine.describe(),
    }
    output = pathlib.Path(_OUTPUT.value)
    files.write_json(output.with_suffix(".json"), measured)
    _draw(measured, output.with_suffix(".png"))
    print(json.dumps(measured, indent=1))


def _versions() -> dict[str, pathlib.Path]:
    """Children by their names and cascades by their folders, in the order of their cost."""
    folders = [
        path for path in pathlib.Path(_FAMILY_DIR.value).glob("*") if versions_lib.numbers(path)
    ]
    family = {folder.name: folder / str(versions_lib.numbers(folder)[-1]) for folder in folders}
    if not family:
        raise bignas.UsageError(f"{_FAMILY_DIR.value} holds no exported family")
    cascades = {f"cascade {folder}": pathlib.Path(folder) for folder in _CASCADE_DIRS.value}
    both = family | cascades
    return dict(sorted(both.items(), key=lambda item: _described(*item)["mflops"]))


def _described(name: str, version: pathlib.Path) -> dict[str, Any]:
    cascade = version / versions_lib.CASCADE_FILE
    card = files.read_json(cascade if cascade.exists() else version / versions_lib.CHILD_FILE)
    objective = card["objective"]["name"] if cascade.exists() else "mflops"
    if objective != "mflops":
        raise bignas.UsageError(f"{version} was made for {objective}, and costs here are mflops")
    accuracy = bignas.Accuracy.from_json(card["accuracy"])
    sizes = [path.stat().st_size for path in version.rglob("*") if path.is_file()]
    return {
        "name": name,
        "cascade": card.get("cascade"),
        "mflops": card["mean_cost"] if cascade.exists() else card["macs"] / 1e6,
        "top1": accuracy.top1,
        "error": accuracy.error,
        "bytes": sum(sizes),
    }


def _times(versions: Mapping[str, pathlib.Path], size: int) -> dict[str, float]:
    """Milliseconds of an image, in requests of `size` images."""
    import tensorflow as tf

    images = _images()
    requests = [tf.constant(images[first : first + size]) for first in range(0, len(images), size)]
    loaded = {name: tf.saved_model.load(str(version)) for name, version in versions.items()}

    def answer(name: str) -> None:
        for request in requests:
            loaded[name].signatures["serving_default"](images=request)

    calls = {name: functools.partial(answer, name) for name in versions}
    return {name: seconds / len(images) * 1e3 for name, seconds in _medians(calls).items()}


def _load_times(versions: Mapping[str, pathlib.Path]) -> dict[str, float]:
    """Milliseconds to load each cascade, and all children."""
    import tensorflow as tf

    children = [
        path for path in versions.values() if not (path / versions_lib.CASCADE_FILE).exists()
    ]

    def load(folders: Sequence[pathlib.Path]) -> None:
        for folder in folders:
            tf.saved_model.load(str(folder))

    calls: dict[str, Call] = {"all children": functools.partial(load, children)}
    for name, path in versions.items():
        if path not in children:
            calls[name] = functools.partial(load, [path])
    return {name: seconds * 1e3 for name, seconds in _medians(calls).items()}


def _medians(calls: Mapping[str, Call]) -> dict[str, float]:
    """The median seconds of each call; they take turns."""
    samples = harness.alternate(list(calls.values()), _REPEATS.value)
    return {name: float(np.median(each)) for name, each in zip(calls, samples, strict=True)}


def _images() -> Any:
    """Uint8 [N, S, S, C], the first of the reporting split."""
    from bignas_tf.api import cards

    split = cards.reporting_images(bignas.load(_MODEL_DIR.value).config.task)
    return next(iter(split.dataset.unbatch().batch(_IMAGES.value)))[0].numpy()


def _draw(measured: Mapping[str, Any], path: pathlib.Path) -> None:
    """Accuracy against multiply-adds and against each time."""
    models = measured["models"]
    axes: dict[str, list[float]] = {"multiply-adds of an image (M)": [m["mflops"] for m in models]}
    for size, times in measured["milliseconds"].items():
        axes[f"ms of an image, {size} a request"] = [times[m["name"]] for m in models]
    with drawing.saved(path, panels=len(axes), width=4.5, sharey=True) as plots:
        for plot, (label, costs) in zip(plots, axes.items(), strict=True):
            for alone, name, style in ((True, "children", "o-"), (False, "cascades", "s--")):
                kept = [index for index, m in enumerate(models) if (m["cascade"] is None) == alone]
                plot.errorbar(
                    [costs[index] for index in kept],
                    [100 * models[index]["top1"] for index in kept],
                    yerr=[100 * models[index]["error"] for index in kept],
                    fmt=style,
                    capsize=3,
                    label=name,
                )
            plot.set_xlabel(label)
        plots[0].set_ylabel("top-1 accuracy (%)")
        plots[0].legend()


if __name__ == "__main__":
    launch(main)
