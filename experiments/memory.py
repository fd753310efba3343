"""Is host memory flat? A training run and a search, their memory read as they go.

  python -m experiments.memory --steps=5000 --candidates=500

Runs tools.train and tools.search on scikit-learn's digits at 8 pixels, in the
blocks of `bignas_small`, under `experiments.memory_gauge`. Flat means, for lines
fitted to the second half of the readings:
- what is allocated rises by 1 KiB a step at most, or by 10 KiB a candidate;
- what is resident rises by 1% in that half at most. It holds freed memory that
  the allocator keeps as well, and moves in steps of some MiB.
oneDNN builds a kernel for each shape that it meets and keeps 1,024 of a kind, so
a search rises until it has met most of its shapes; a second search runs without
oneDNN and shows what else rises.
Expected: training and the second search are flat.
Result: experiments/results/memory.json and memory.png.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from absl import flags

from bignas_tf import errors, files, machine
from bignas_tf.search_space import cost, presets
from experiments import drawing, memory_gauge
from tools.cli import launch

_STEPS = flags.DEFINE_integer("steps", 5000, "Updates of the supernet.", lower_bound=500)
_CANDIDATES = flags.DEFINE_integer(
    "candidates", 500, "Minimum number of candidates.", lower_bound=50
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", "experiments/results", "Folder of the results.")

_SIDES = (8, 10, 12)
_BATCH, _LOOP, _CHECKPOINT, _MUTANTS = 16, 25, 250, 16
_MOST_KIB = {"step": 1.0, "candidate": 10.0}
_MOST_PERCENT = 1.0


def main() -> None:

    folder = files.ensure_writable(_OUTPUT_DIR.value)
    with tempfile.TemporaryDirectory() as scratch:
        configuration, megaflops = _configure(pathlib.Path(scratch))
        run = f"--model_dir={scratch}/run"
        training = ["train", "--config_file=experiments/digits.yaml", configuration, run]
        search = ["search", run, f"--budgets_mflops={megaflops}"]
        result = {"training": _measure("step", training, scratch)}
        for name, onednn in (("search", "1"), ("search without oneDNN", "0")):
            command = [*search, f"--output_dir={scratch}/{name}"]
            environment = {"TF_ENABLE_ONEDNN_OPTS": onednn}
            result[name] = _measure("candidate", command, scratch, environment)
    for name, found in result.items():
        print(
            f"{name}, {found['done']} {found['unit']}s: "
            f"allocated {found['allocated_kib_each']:+.2f} KiB a {found['unit']}, "
            f"resident {found['resident_mib'][1]:.0f} MiB, {found['resident_percent']:+.2f}% in "
            f"the second half: {'flat' if found['flat'] else 'NOT FLAT'}"
        )
    files.write_json(folder / "memory.json", {"machine": machine.describe()} | result)
    _plot(result, folder / "memory.png")


def _configure(folder: pathlib.Path) -> tuple[str, float]:
    """Writes space and configuration; returns a flag of training, and the search's budget."""
    space = dataclasses.replace(
        presets.bignas_small(),
        train_resolutions=_SIDES, eval_resolutions=_SIDES, base_resolution=_SIDES[0],
    )  # fmt: skip
    (folder / "space.yaml").write_text(presets.to_yaml(space))
    task = {
        "model": {"search_space": str(folder / "space.yaml")},
        "train_data": {"base_size": _SIDES[0], "global_batch_size": _BATCH},
        "selection": {
            "resolutions": list(_SIDES),
            "rounds": -(-_CANDIDATES.value // _MUTANTS),
            "mutants": _MUTANTS,
        },
    }
    trainer = {
        "train_steps": _STEPS.value,
        "steps_per_loop": _LOOP,
        "summary_interval": _LOOP,
        "checkpoint_interval": _CHECKPOINT,
    }
    path = folder / "memory.yaml"
    path.write_text(yaml.safe_dump({"task": task, "trainer": trainer}))
    return f"--config_file={path}", cost.count(space, space.biggest(), 10, 1).macs / 1e6


def _measure(
    unit: str, command: Sequence[str], scratch: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs a tool in its own process, and sums up its readings."""
    output = f"{scratch}/readings.json"
    lines = memory_gauge.PROGRESS[unit]
    gauge = [sys.executable, "-m", "experiments.memory_gauge", output, lines, *command]
    done = subprocess.run(gauge, env=os.environ | (environment or {}), check=False)
    if done.returncode:
        raise errors.RunError(f"tools.{command[0]} stopped with exit code {done.returncode}")
    return _summary(unit, files.read_json(output))


def _summary(unit: str, readings: list[list[int]]) -> dict[str, Any]:
    done, resident, allocated = np.array(readings).T
    late = done > done[-1] / 2
    tenth = np.argmax(done >= done[-1] / 10)
    allocated_each, resident_each = (
        float(np.polyfit(done[late], kib[late], 1)[0]) for kib in (allocated, resident)
    )
    percent = 100 * resident_each * float(np.ptp(done[late])) / float(resident[late].mean())
    return {
        "unit": unit,
        "done": int(done[-1]),
        "resident_mib": [float(resident[tenth] / 1024), float(resident[-1] / 1024)],
        "allocated_mib": [float(allocated[tenth] / 1024), float(allocated[-1] / 1024)],
        "allocated_kib_each": allocated_each,
        "resident_kib_each": resident_each,
        "resident_percent": percent,
        "flat": allocated_each <= _MOST_KIB[unit] and percent <= _MOST_PERCENT,
        "columns": ["done", "resident_kib", "allocated_kib"],
        "readings": readings,
    }


def _plot(result: dict[str, dict[str, Any]], path: pathlib.Path) -> None:
    """Draws memory against steps or candidates."""
    with drawing.saved(path, panels=len(result), width=4, sharey=True) as panels:
        for axes, (name, found) in zip(panels, result.items(), strict=True):
            done, resident, allocated = np.array(found["readings"]).T
            axes.plot(done, resident / 1024, label="resident")
            axes.plot(done, allocated / 1024, label="allocated")
            axes.axvspan(done[-1] / 2, done[-1], color="grey", alpha=0.1, label="judged")
            axes.set(title=name, xlabel=f"{found['unit']}s")
        panels[0].set(ylabel="memory of the process (MiB)", ylim=(0, None))
        panels[0].legend(loc="center right")


if __name__ == "__main__":
    launch(main)
