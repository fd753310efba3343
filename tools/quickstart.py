"""Runs all steps in one command: data, training, search, export, prediction and report.

  python -m tools.quickstart
  python -m tools.quickstart --images=photos --minutes=8

Runs the other tools as a user would, and prints each command first. Everything goes to --run_dir:
the supernet, search/, export/, images/, judgement.json and report.html. --images is a folder of
your own, photos/<split>/<class>/*.jpg or photos/<class>/*.jpg (or *.png); the settings chosen for
it are printed and written to quickstart.yaml, and the children are compared with a plain Keras
model that trained for the same time. Where Fashion-MNIST is not available, scikit-learn's digits
take its place, in a folder of their own (runs/quickstart_scikit_digits).
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shlex
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from absl import flags

import bignas_tf as bignas
from bignas_tf import commands, files, run_folder

from . import own_images, training_time
from .cli import launch

if TYPE_CHECKING:
    from official.core.config_definitions import ExperimentConfig

_IMAGES = flags.DEFINE_string("images", "", "Folder of your own images; Fashion-MNIST if unset.")
_MINUTES = flags.DEFINE_float("minutes", 8.0, "How many minutes the supernet of --images trains.")
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "Folder of the results; runs/quickstart, or runs/quickstart_NAME of --images."
)
_DATA_DIR = flags.DEFINE_string("data_dir", "runs/data", "Where TFDS keeps its data sets.")
_BUDGETS = flags.DEFINE_list(
    "budgets_mflops",
    ["1", "4", "6", "8"],
    "Millions of multiply-adds; with --images, by default what suits them.",
)
_EXPERIMENT = "bignas_small"
_FASHION, _DIGITS = "experiments/fashion_mnist.yaml", "experiments/digits.yaml"
_MODELS = "bignas_small", 10, 1  # of both: their space, classes and channels
_SHOWN_IMAGES, _JUDGED_IMAGES = 5, 2000


class _Failed(bignas.RunError):
    """A tool said itself that it failed; nobody stopped it."""


def main() -> None:
    images = os.path.abspath(os.path.expanduser(_IMAGES.value)) if _IMAGES.value else ""
    config_file, run_dir, budgets = _prepared(images, _run_dir(images))
    override = own_images.override({"task.train_data.tfds_data_dir": _DATA_DIR.value})
    with training_time.noted(run_dir):
        _run(
            "train",
            experiment=_EXPERIMENT,
            config_file=config_file,
            model_dir=run_dir,
            params_override=override,
        )
    search_dir = f"{run_dir}/search"
    listed = ",".join(f"{budget:.12g}" for budget in budgets)
    _run("search", model_dir=run_dir, budgets_mflops=listed, output_dir=search_dir)
    middle = bignas.budget(f"mflops={budgets[len(budgets) // 2]}")
    child = f"{search_dir}/child_{middle.name}.json"
    answer = _run("export", model_dir=run_dir, architecture=child, output_dir=f"{run_dir}/export")
    export = answer.splitlines()[-1]
    _predict(bignas.configure(_EXPERIMENT, [config_file], override), export, f"{run_dir}/images")
    _run("judge", model_dir=run_dir, images=str(_JUDGED_IMAGES))
    _run("report", model_dir=run_dir)
    plain = ""
    if images:
        plain = _train_plain(run_dir)
        _run("report", model_dir=run_dir)  # with that model
    _print_table(search_dir)
    if plain:
        print(plain)
        print(own_images.next_steps(config_file, run_dir))
    print(f"report:         {run_dir}/report.html\nexported child: {export}")


def _run_dir(images: str) -> str:
    """The folder of the run; without the slash at the end that a completed path has.

    Folders beside it get its name and an ending.

    Raises:
      UsageError: it is remote, where the export at the end cannot be, or not apart from the images.
    """
    run_dir = _RUN_DIR.value or "_".join(["runs/quickstart", *pathlib.Path(images).parts[-1:]])
    files.refuse_remote(run_dir, "--run_dir")
    run_dir, place = os.path.normpath(run_dir), os.path.abspath(run_dir)
    if images and os.path.commonpath([images, place]) in (images, place):
        raise bignas.UsageError(
            f"--run_dir={run_dir} and --images={images}: one is in the other, and the run's files "
            "would be among the images; name another --run_dir"
        )
    return run_dir


def _budgets() -> list[float]:
    """Millions of multiply-adds, checked before anything is trained."""
    if not _BUDGETS.value:
        raise bignas.UsageError("no budget; give --budgets_mflops=2,4,8")
    checked = [bignas.budget(f"mflops={value}") for value in _BUDGETS.value]
    return [budget.limits["mflops"] for budget in checked]


def _prepared(images: str, run_dir: str) -> tuple[str, str, Sequence[float]]:
    """Prepares the user's images, or those that take their place.

    Args:
      images: the user's folder; "" if there is none.
      run_dir: where the run is wanted.

    Returns:
      The YAML file of the experiment, the folder of the run, and the budgets in millions of
      multiply-adds.

    Raises:
      UsageError: the images or a flag cannot be used.
    """
    budgets = _budgets()
    if images:
        given = budgets if flags.FLAGS["budgets_mflops"].present else ()
        config_file, chosen = own_images.prepare(images, run_dir, _MINUTES.value, _run, given)
        _run("check_images", config_file=config_file)
        return config_file, run_dir, chosen
    if flags.FLAGS["minutes"].present:
        raise bignas.UsageError(
            "--minutes is for --images, and none are given; Fashion-MNIST has its own length"
        )
    own_images.check_budgets(budgets, *_MODELS)
    return *_prepare_data(run_dir), budgets


def _prepare_data(run_dir: str) -> tuple[str, str]:
    """Puts Fashion-MNIST on disk; returns its experiment and the run's folder, or the fallback's.

    The digits get a folder of their own: once Fashion-MNIST is available, it must not continue from
    weights that know digits.
    """
    try:
        _run("prepare_data", dataset="fashion_mnist", data_dir=_DATA_DIR.value)
    except _Failed as error:
        folder = f"{run_dir}_scikit_digits"
        print(
            f"\n{error}: Fashion-MNIST is missing; training on scikit-learn's digits instead, in "
            f"{folder}"
        )
        return _DIGITS, folder
    return _FASHION, run_dir


def _train_plain(run_dir: str) -> str:
    """Trains the biggest child's architecture alone, as long as the supernet; returns its line.

    What it reached before in as many minutes stays.
    """
    known = training_time.minutes_of(run_dir)
    minutes = round(_MINUTES.value if known is None else known, 4)
    if known is None or not _has_baseline(run_dir, minutes):
        _run("plain_keras", model_dir=run_dir, minutes=f"{minutes:.4f}")
    alone = bignas.read_baseline(run_dir)
    assert alone is not None  # the tool has written it
    how_long = (
        "as many as the supernet took"
        if known is not None
        else "how long the supernet took is not known"
    )
    return (
        f"{'plain Keras':>11} {alone.macs / 1e6:17.3f}  {alone.params / 1e6:14.3f}  "
        f"{alone.accuracy}  (the biggest child's architecture, {alone.steps} steps of fit in "
        f"{minutes:.1f} minutes; {how_long})"
    )


def _has_baseline(run_dir: str, minutes: float) -> bool:
    """Whether the biggest child's architecture has been trained alone for so many minutes."""
    alone = bignas.read_baseline(run_dir)
    space = bignas.search_space_of(os.path.join(run_dir, run_folder.SPACE_FILE))
    return alone is not None and (alone.minutes, alone.architecture) == (minutes, space.biggest())


def _run(tool: str, *arguments: str, **flag_values: str) -> str:
    """Runs another tool and shows its output as it appears; returns that output.

    Raises:
      UsageError: it was a mistake of the user's (exit code 2).
      RunError: it failed.
    """
    arguments = (*(f"--{name}={value}" for name, value in flag_values.items()), *arguments)
    print(f"\n$ {commands.spelling(tool)} {shlex.join(arguments)}", flush=True)
    command = [*commands.process(tool), *arguments]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with _handed_on(signal.SIGTERM, process):
            try:
                lines.extend(_relayed(process.stdout))
            except KeyboardInterrupt:  # which the tool has got, too: a training saves its step
                lines.extend(_relayed(process.stdout))
                raise
    if process.returncode:
        kinds = {kind.exit_code: kind for kind in (bignas.UsageError, _Failed)}
        raise kinds.get(process.returncode, bignas.RunError)(
            f"{tool} stopped with exit code {process.returncode}"
        )
    return "".join(lines)


@contextlib.contextmanager
def _handed_on(number: signal.Signals, process: subprocess.Popen[str]) -> Iterator[None]:
    """Sends a signal that this process gets to another one, whose end is waited for."""
    before = signal.signal(number, lambda *_: process.send_signal(number))
    try:
        yield
    finally:
        signal.signal(number, before)


def _relayed(output: Iterable[str]) -> Iterator[str]:
    """Prints lines as they come."""
    for line in output:
        print(line, end="", flush=True)
        yield line


def _predict(config: ExperimentConfig, export: str, folder: str) -> None:
    """Saves a few test images as PNG, named after their true class, and classifies them."""
    shown = map(str, bignas.save_images(config, folder, images=_SHOWN_IMAGES))
    for line in _run("predict", *shown, export_dir=export).splitlines():
        prediction = json.loads(line)
        print(f"{prediction['image']}: predicted {prediction['name']}")


def _print_table(search_dir: str) -> None:
    print("\nbudget (M)  multiply-adds (M)  parameters (M)  test accuracy")
    for child in bignas.read_search(search_dir).selected:
        mflops, params, reporting = child.costs["mflops"], child.costs["params_m"], child.reporting
        accuracy = reporting or "unknown"
        print(f"{child.name:>10}  {mflops:17.3f}  {params:14.3f}  {accuracy}")


if __name__ == "__main__":
    launch(main)
