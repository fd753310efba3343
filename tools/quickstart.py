"""From images to a child that answers, in one command: data, training, search, export, prediction.

  python -m tools.quickstart

Runs the other tools as a user would, each command printed first. Everything
lies under --run_dir: the model itself, search/, export/, images/ and a plot.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from bignas_tf import errors
from tools.cli import launch

_RUN_DIR = flags.DEFINE_string("run_dir", "runs/quickstart", "Where everything goes.")
_DATA_DIR = flags.DEFINE_string("data_dir", "runs/data", "Where TFDS keeps its data sets.")
_CONFIG_FILE = flags.DEFINE_string("config_file", "experiments/fashion_mnist.yaml", "Experiment.")
_BUDGETS = flags.DEFINE_list("budgets_mflops", ["0.6", "1.5", "4", "8"], "Millions, ascending.")
_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
_SHOWN_IMAGES = 5


def main(argv: Sequence[str]) -> None:
    del argv
    run_dir, data_dir = _RUN_DIR.value, _DATA_DIR.value
    _run("prepare_data", dataset="fashion_mnist", data_dir=data_dir)
    _run(
        "train",
        experiment="bignas_small",
        config_file=_CONFIG_FILE.value,
        model_dir=run_dir,
        params_override=f"task.train_data.tfds_data_dir={data_dir}",
    )
    search_dir = f"{run_dir}/search"
    budgets = ",".join(_BUDGETS.value)
    _run("search", model_dir=run_dir, budgets_mflops=budgets, output_dir=search_dir)
    middle = _BUDGETS.value[len(_BUDGETS.value) // 2]
    child = f"{search_dir}/child_{float(middle):g}.json"
    export = _run("export", model_dir=run_dir, architecture=child, output_dir=f"{run_dir}/export")
    images = _write_test_images(data_dir, pathlib.Path(run_dir, "images"))
    answers = _run("predict", export_dir=export.split()[-1], images=",".join(images))
    for line in answers.splitlines():
        answer = json.loads(line)
        print(f"{answer['image']}: predicted {_CLASSES[answer['label']]}")
    result = json.loads(pathlib.Path(search_dir, "search.json").read_text())
    plot = pathlib.Path(run_dir, "accuracy_against_macs.png")
    _plot(result, plot)
    _print_table(result["selected"])
    print(f"every candidate: {plot}\nexported child:  {export.split()[-1]}")


def _run(tool: str, **flag_values: str) -> str:
    """Runs another tool, its output shown as it comes; returns that output."""
    arguments = [f"--{name}={value}" for name, value in flag_values.items()]
    print(f"\n$ python -m tools.{tool} {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", f"tools.{tool}", *arguments]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise errors.RunError(f"tools.{tool} stopped with exit code {process.returncode}")
    return "".join(lines)


def _write_test_images(data_dir: str, folder: pathlib.Path) -> list[str]:
    """Saves a few test images as PNG, named after their true class."""
    import tensorflow_datasets as tfds
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    test = tfds.load("fashion_mnist", split=f"test[:{_SHOWN_IMAGES}]", data_dir=data_dir)
    paths = []
    for index, example in enumerate(tfds.as_numpy(test)):
        name = _CLASSES[example["label"]].replace("/", "-").replace(" ", "-").lower()
        path = folder / f"{index}_{name}.png"
        Image.fromarray(example["image"][..., 0]).save(path)
        paths.append(str(path))
    return paths


def _print_table(selected: Sequence[dict[str, Any]]) -> None:
    print("\n budget (M)  multiply-adds  parameters  test accuracy")
    for entry in selected:
        print(
            f"{entry['budget_mflops']:11g}  {entry['macs']:13,}  {entry['params']:10,}  "
            f"{entry['reporting_top1']:13.2%}"
        )


def _plot(result: dict[str, Any], path: pathlib.Path) -> None:
    """Draws ranking accuracy against multiply-adds: candidates, and the selected ones."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    groups = [(phase, result["candidates"]) for phase in ("coarse", "fine")]
    for phase, candidates in groups:
        points = [c for c in candidates if c["phase"] == phase]
        _scatter(axes, points, label=f"{phase} ({len(points)})", s=14, alpha=0.6)
    _scatter(
        axes, result["selected"], label="selected", s=90, facecolors="none", edgecolors="black"
    )
    axes.set(xscale="log", xlabel="multiply-adds (millions)", ylabel="ranking top-1 accuracy")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def _scatter(axes: Any, points: Sequence[dict[str, Any]], **style: Any) -> None:
    macs = [point["macs"] / 1e6 for point in points]
    axes.scatter(macs, [point["ranking_top1"] for point in points], **style)


if __name__ == "__main__":
    launch(main)
