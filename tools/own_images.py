"""Prepares tools.quickstart for a folder of your own images.

Chooses a configuration by `bignas.recipe` and how fast this machine trains, and writes it into the
folder of the run.
"""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

import bignas_tf as bignas
from bignas_tf import commands, files, scratch, strict_yaml
from bignas_tf.plain import Value

_CONFIG_FILE = "quickstart.yaml"
# A trial would take longer than a run this short.
_LEAST_MEASURED_MINUTES = 1.0
_TRIAL_STEPS, _TRIAL_LOOP = 30, 10
_LONGER = 4  # times a run's steps, which the supernet of the quickstart needs
_PLAIN = re.compile(r"[\w ./~@=-]+")  # values that an override takes without quotes
_SPEED = re.compile(r"  (\d+) images/s  ")

RunTool = Callable[..., str]


def prepare(
    images: str, run_dir: str, minutes: float, run: RunTool, budgets: Sequence[float] = ()
) -> tuple[str, Sequence[float]]:
    """Chooses a run for a folder of images, or finds the choice that was made before.

    Args:
      images: the folder, `images/split/class/*.jpg` or `images/class/*.jpg`.
      run_dir: folder of the run.
      minutes: how long it may train.
      run: runs a tool and returns what it printed.
      budgets: in millions of multiply-adds; those that suit the images if empty.

    Returns:
      The path of the YAML file for `--config_file`, and budgets in millions of multiply-adds.

    Raises:
      UsageError: the images cannot be used, see `bignas.recipe`; the folder has a run on others;
        or a budget is outside what the children cost.
    """
    path = os.path.join(run_dir, _CONFIG_FILE)
    continued = _Values.read(path) if os.path.exists(path) else None
    if continued and os.path.realpath(continued.images) != os.path.realpath(images):
        raise bignas.UsageError(
            f"{path} is of a run on {continued.images}, and --images is {images}; give another "
            "--run_dir, or if the images have only moved, set "
            "task.train_data.input_path in that file"
        )
    print(f"looking at the images of {images}", flush=True)
    chosen = bignas.recipe(images, minutes)
    budgets = budgets or chosen.budgets
    values = continued or _Values.of(chosen.values)
    check_budgets(budgets, values.space, values.classes, values.channels)
    if continued:
        print(
            f"continuing the run of {path} on {images}, for as many steps as it says, whatever "
            "--minutes is; choose another --run_dir for a new one"
        )
        return path, budgets
    files.ensure_writable(run_dir)
    if minutes >= _LEAST_MEASURED_MINUTES:
        print("measuring how fast this machine trains")
        chosen = chosen.at_speed(measured_speed(chosen, run))
    print(*chosen.reasons, sep="\n")
    files.write_text(path, chosen.to_yaml())
    print(
        f"written to {path}; to change it, edit a copy and give that to "
        f"{commands.spelling('train')} --config_file"
    )
    return path, budgets


class _Values(NamedTuple):
    """What of a configuration is asked before its training.

    Attributes:
      images: the folder.
      space: a preset, or a YAML file.
      classes: of the images.
      channels: of the images.
    """

    images: str
    space: str
    classes: int
    channels: int

    @classmethod
    def of(cls, values: object) -> _Values:
        task = Value(values)["task"]
        data = task["train_data"]
        return cls(
            data["input_path"].text(),
            task["model"]["search_space"].text(),
            data["num_classes"].count(),
            data["channels"].count(),
        )

    @classmethod
    def read(cls, path: str) -> _Values:
        """Reads what `prepare` has written, or its user has edited."""
        with files.written_by(commands.spelling("quickstart"), path):
            try:
                return cls.of(strict_yaml.load(files.read_text(path)))
            except yaml.YAMLError as error:
                raise bignas.UsageError(f"not valid YAML ({error})") from error


def check_budgets(budgets: Sequence[float], space: str, classes: int, channels: int) -> None:
    """Refuses budgets that the search would refuse after the training.

    Args:
      budgets: in millions of multiply-adds.
      space: a preset, or a YAML file.
      classes: of the images.
      channels: of the images.

    Raises:
      UsageError: names the budget, and the range of the children's costs.
    """
    limits = [f"mflops={budget:.12g}" for budget in budgets]
    bignas.check_budgets(space, limits, classes, channels)


def override(values: Mapping[str, str | int]) -> str:
    """What --params_override takes to set these fields, whatever characters a path has."""
    texts = {value for value in values.values() if isinstance(value, str)}
    if all(_PLAIN.fullmatch(text) and yaml.safe_load(text) == text for text in texts):
        return ",".join(f"{field}={value}" for field, value in values.items())
    nested: dict[str, Any] = {}
    for field, value in values.items():
        *groups, name = field.split(".")
        group = nested
        for each in groups:
            group = group.setdefault(each, {})
        group[name] = value
    return yaml.safe_dump(nested, default_flow_style=True, width=math.inf).strip()


def next_steps(config_file: str, run_dir: str) -> str:
    """Returns lines that say how to continue training from this run."""
    config = bignas.configure(bignas.Recipe.experiment, [config_file], show=None)
    longer = {
        "task.init_checkpoint": run_dir,
        "trainer.train_steps": _LONGER * config.trainer.train_steps,
    }
    flags = [
        f"--experiment={bignas.Recipe.experiment}",
        f"--config_file={config_file}",
        f"--params_override={override(longer)}",
        f"--model_dir={run_dir}_longer",
    ]
    return (
        f"configuration:  {config_file}\n"
        f"train further, {_LONGER} times as long:\n"
        f"  {commands.spelling('train')} {shlex.join(flags)}"
    )


def measured_speed(chosen: bignas.Recipe, run: RunTool) -> float:
    """Returns images per second of a short trial; the first loop traces and does not count."""
    with scratch.temporary() as folder:
        path = os.path.join(folder, _CONFIG_FILE)
        files.write_text(path, chosen.to_yaml())
        steps = {
            "train_steps": _TRIAL_STEPS,
            "steps_per_loop": _TRIAL_LOOP,
            "summary_interval": _TRIAL_LOOP,
            "checkpoint_interval": _TRIAL_STEPS,
        }
        printed = run(
            "train",
            experiment=chosen.experiment,
            config_file=path,
            model_dir=os.path.join(folder, "run"),
            params_override=override({f"trainer.{name}": value for name, value in steps.items()}),
        )
    return float(_SPEED.findall(printed)[-1])
