"""Prepares tools.quickstart for a folder of your own images.

Chooses a configuration by `bignas.recipe` and how fast this machine trains, and writes it into the
folder of the run.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable

import bignas_tf as bignas
from bignas_tf import commands, files, scratch

_CONFIG_FILE = "quickstart.yaml"
# A trial would take longer than a run this short.
_LEAST_MEASURED_MINUTES = 1.0
_TRIAL_STEPS, _TRIAL_LOOP = 30, 10
_SPEED = re.compile(r"  (\d+) images/s  ")

RunTool = Callable[..., str]


def prepare(
    images: str, run_dir: str, minutes: float, run: RunTool
) -> tuple[str, tuple[float, ...]]:
    """Chooses a run for a folder of images, or finds the choice that was made before.

    Args:
      images: the folder, `images/split/class/*.jpg` or `images/class/*.jpg`.
      run_dir: folder of the run.
      minutes: how long it may train.
      run: runs a tool and returns what it printed.

    Returns:
      The path of the YAML file for `--config_file`, and budgets in millions of multiply-adds.

    Raises:
      UsageError: the images cannot be used, see `bignas.recipe`.
    """
    chosen = bignas.recipe(images, minutes)
    path = os.path.join(run_dir, _CONFIG_FILE)
    if os.path.exists(path):
        print(f"continuing the run of {path}; choose another --run_dir for a new one")
        return path, chosen.budgets
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
    return path, chosen.budgets


def next_steps(config_file: str, run_dir: str) -> str:
    """Returns lines that say how to continue training from this run."""
    flags = [
        f"--experiment={bignas.Recipe.experiment}",
        f"--config_file={config_file}",
        f"--params_override=task.init_checkpoint={run_dir},trainer.train_steps=5000",
        f"--model_dir={run_dir}_longer",
    ]
    return (
        f"configuration:  {config_file}\n"
        f"train further:  {commands.spelling('train')} {shlex.join(flags)}"
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
            params_override=",".join(f"trainer.{name}={value}" for name, value in steps.items()),
        )
    return float(_SPEED.findall(printed)[-1])
