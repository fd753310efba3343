"""Runs all steps in one command: data, training, search, export, prediction and report.

  python -m tools.quickstart
  python -m tools.quickstart --images=photos --minutes=8

Runs the other tools as a user would, and prints each command first. Everything goes to --run_dir:
the supernet, search/, export/, images/, judgement.json and report.html. --images is a folder of
your own, photos/<split>/<class>/*.jpg or photos/<class>/*.jpg (or *.png); the settings chosen for
it are printed and written to quickstart.yaml, and the children are compared with a plain Keras
model that trained for the same time.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from absl import flags

import bignas_tf as bignas
from bignas_tf import commands

from . import own_images
from .cli import launch

_IMAGES = flags.DEFINE_string("images", "", "Folder of your own images; Fashion-MNIST if unset.")
_MINUTES = flags.DEFINE_float("minutes", 8.0, "How many minutes the supernet of --images trains.")
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "Folder of the results; runs/quickstart, or runs/quickstart_NAME of --images."
)
_DATA_DIR = flags.DEFINE_string("data_dir", "runs/data", "Where TFDS keeps its data sets.")
_BUDGETS = flags.DEFINE_list("budgets_mflops", ["1", "4", "6", "9"], "Millions of multiply-adds.")
_FASHION, _DIGITS = "experiments/fashion_mnist.yaml", "experiments/digits.yaml"
_SHOWN_IMAGES, _JUDGED_IMAGES = 5, 2000


def main(argv: Sequence[str]) -> None:
    del argv
    images = os.path.abspath(os.path.expanduser(_IMAGES.value)) if _IMAGES.value else ""
    run_dir = _RUN_DIR.value or "_".join(["runs/quickstart", *pathlib.Path(images).parts[-1:]])
    budgets = _budgets()
    override = f"task.train_data.tfds_data_dir={_DATA_DIR.value}"
    if images:
        config_file, chosen = own_images.prepare(images, run_dir, _MINUTES.value, _run)
        budgets = budgets if flags.FLAGS["budgets_mflops"].present else list(chosen)
    else:
        config_file = _prepare_data()
    resumed, began = os.path.exists(f"{run_dir}/checkpoint"), time.monotonic()
    _run(
        "train",
        experiment="bignas_small",
        config_file=config_file,
        model_dir=run_dir,
        params_override=override,
    )
    minutes = _MINUTES.value if resumed else (time.monotonic() - began) / 60
    search_dir = f"{run_dir}/search"
    listed = ",".join(f"{budget:g}" for budget in budgets)
    _run("search", model_dir=run_dir, budgets_mflops=listed, output_dir=search_dir)
    middle = budgets[len(budgets) // 2]
    child = f"{search_dir}/child_{middle:g}.json"
    answer = _run("export", model_dir=run_dir, architecture=child, output_dir=f"{run_dir}/export")
    export = answer.splitlines()[-1]
    shown = _write_test_images(config_file, override, pathlib.Path(run_dir, "images"))
    for line in _run("predict", *shown, export_dir=export).splitlines():
        prediction = json.loads(line)
        print(f"{prediction['image']}: predicted {prediction['name']}")
    _run("judge", model_dir=run_dir, images=str(_JUDGED_IMAGES))
    _run("report", model_dir=run_dir)
    plain = _run("plain_keras", model_dir=run_dir, minutes=f"{minutes:.4f}") if images else ""
    _print_table(search_dir)
    if plain:
        _print_plain(json.loads(plain.splitlines()[-1]))
        print(own_images.next_steps(config_file, run_dir))
    print(f"report:         {run_dir}/report.html\nexported child: {export}")


def _budgets() -> list[float]:
    """Millions of multiply-adds, checked before anything is trained."""
    if not _BUDGETS.value:
        raise bignas.UsageError("no budget; give --budgets_mflops=2,4,8")
    checked = [bignas.budget(f"mflops={value}") for value in _BUDGETS.value]
    return [budget.limits["mflops"] for budget in checked]


def _prepare_data() -> str:
    """Puts Fashion-MNIST on disk; returns its experiment, or that of the fallback."""
    try:
        _run("prepare_data", dataset="fashion_mnist", data_dir=_DATA_DIR.value)
    except bignas.RunError as error:
        print(f"\n{error}: Fashion-MNIST is missing; training on scikit-learn's digits instead")
        return _DIGITS
    return _FASHION


def _run(tool: str, *files: str, **flag_values: str) -> str:
    """Runs another tool and shows its output as it appears; returns that output."""
    arguments = [*(f"--{name}={value}" for name, value in flag_values.items()), *files]
    print(f"\n$ {commands.spelling(tool)} {' '.join(arguments)}", flush=True)
    command = [*commands.process(tool), *arguments]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise bignas.RunError(f"{tool} stopped with exit code {process.returncode}")
    return "".join(lines)


def _write_test_images(config_file: str, override: str, folder: pathlib.Path) -> list[str]:
    """Saves a few test images as PNG, named after their true class; returns their paths."""
    from PIL import Image

    from bignas_tf.data import sources
    from bignas_tf.selection import splits

    task = bignas.configure("bignas_small", [config_file], override).task
    names, split = sources.class_names(task.train_data), task.selection.reporting_split
    batches = splits.open_split(task.train_data, split, _SHOWN_IMAGES, _SHOWN_IMAGES)
    patches, labels = (part.numpy() for part in next(iter(batches)))
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, (patch, label) in enumerate(zip(patches, labels, strict=True)):
        name = names[label].replace("/", "-").replace(" ", "-").lower()
        paths.append(str(folder / f"{index}_{name}.png"))
        Image.fromarray(patch.squeeze()).save(paths[-1])
    return paths


def _print_table(search_dir: str) -> None:
    from bignas_tf.selection import result

    print("\nbudget (M)  multiply-adds (M)  parameters (M)  test accuracy")
    for child in result.read(search_dir).selected:
        mflops, params, reporting = child.costs["mflops"], child.costs["params_m"], child.reporting
        accuracy = f"{reporting.top1:.2%} ± {reporting.error:.2%}" if reporting else "unknown"
        print(f"{child.name:>10}  {mflops:17.3f}  {params:14.3f}  {accuracy}")


def _print_plain(scored: dict[str, Any]) -> None:
    """A line of the same table for the biggest child's architecture, trained alone by Keras."""
    accuracy = f"{scored['top1']:.2%} ± {scored['error']:.2%}"
    print(
        f"{'plain Keras':>11} {scored['macs'] / 1e6:17.3f}  {scored['params'] / 1e6:14.3f}  "
        f"{accuracy}  (the biggest child's architecture, {scored['steps']} steps of fit in the "
        f"{scored['minutes']:.1f} minutes that the supernet took)"
    )


if __name__ == "__main__":
    launch(main)
