"""A run that is killed at any moment, and started again, ends as one that never was."""

from __future__ import annotations

import pathlib
import re
import signal

import numpy as np
import pytest

from tests.processes import Process
from tests.training import runs
from tests.training.processes import training

# A random child alone, which the step draws, with dropout, which it seeds; each process traces it.
SMALL = (
    "task.sandwich.biggest=false,task.sandwich.smallest=false,task.sandwich.num_random=1,"
    "task.distillation.weight=0.0,task.regularisation.children=all,trainer.train_steps=40"
)
EVERY_STEP = "trainer.steps_per_loop=1,trainer.summary_interval=1,trainer.checkpoint_interval="


def _is_saving(model_dir: pathlib.Path) -> bool:
    """Whether files of a checkpoint are there that the folder's list does not name yet."""
    names = " ".join(path.name for path in model_dir.iterdir())
    newest = max(map(int, re.findall(r"ckpt-(\d+)", names)))
    return f'"ckpt-{newest}"' not in (model_dir / "checkpoint").read_text()


def _kill_in_a_save(run: Process, model_dir: pathlib.Path) -> None:
    """Stops the process at the sight of a half written checkpoint; kills it if it still is."""
    while run.running:
        if _is_saving(model_dir):
            run.stand_still()
            if _is_saving(model_dir):
                run.send(signal.SIGKILL)
                return
            run.send(signal.SIGCONT)
    raise AssertionError(f"no save was seen: {run.end()}")


@pytest.mark.slow
def test_killed_runs_end_bit_equal_to_one_never_interrupted(tmp_path: pathlib.Path) -> None:
    runs.parse(tmp_path)
    model_dir, always = tmp_path / "run", f"{SMALL},{EVERY_STEP}1,trainer.max_to_keep=40"
    with training(tmp_path, tmp_path / "whole", always) as whole:
        with training(tmp_path, model_dir, f"{SMALL},{EVERY_STEP}12") as run:
            # Many steps from the next checkpoint: the run goes on until the signal arrives.
            run.until("step 15/")
            run.send(signal.SIGKILL)
            assert run.end()[0] == -signal.SIGKILL
        with training(tmp_path, model_dir, f"{SMALL},{EVERY_STEP}1") as run:
            # Steps 14 and 15 are lost.
            run.until(f"resuming from {model_dir / 'ckpt-13'}")
            _kill_in_a_save(run, model_dir)
            assert run.end()[0] == -signal.SIGKILL
        with training(tmp_path, model_dir, f"{SMALL},{EVERY_STEP}100") as run:
            run.until("step ")
            run.send(signal.SIGTERM)
            code, errors = run.end()
        assert whole.end()[0] == 0
    assert code == 1
    (stopped,) = re.findall(r"^error: stopped by SIGTERM; step (\d+) is saved", errors, re.M)
    assert run.lines[-1].startswith(f"step {stopped}/40")
    expected = runs.tensors(str(tmp_path / "whole" / f"ckpt-{stopped}"))
    found = runs.tensors(str(model_dir / f"ckpt-{stopped}"))
    assert list(found) == list(expected)
    assert sum("/.OPTIMIZER_SLOT/" in name for name in found) > 20
    assert [name for name in found if not np.array_equal(found[name], expected[name])] == []


@pytest.mark.slow
def test_ctrl_c_saves_the_step_that_was_reached(tmp_path: pathlib.Path) -> None:
    runs.parse(tmp_path)
    model_dir, many = tmp_path / "run", 100_000
    rarely = f"{SMALL},{EVERY_STEP}{many},trainer.train_steps={many}"
    with training(tmp_path, model_dir, rarely) as run:
        run.until("step 15/")
        run.send(signal.SIGINT)
        run.until("interrupted: ending this loop and saving; Ctrl-C again stops at once")
        code, errors = run.end()
    assert code == 130
    assert errors.endswith("error: interrupted\n")
    (saved,) = re.findall(r"last checkpoint: .*ckpt-(\d+), from which", run.lines[-1])
    assert int(saved) >= 15
    assert (model_dir / f"ckpt-{saved}.index").exists()
