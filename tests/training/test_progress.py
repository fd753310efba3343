"""What a training shows."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf.training import trainer
from bignas_tf.training.progress import Progress
from bignas_tf.training.task import BigNASTask
from tests.selection import digits
from tests.training import runs

pytestmark = pytest.mark.slow

ALONE = "task.sandwich.smallest=false,task.sandwich.num_random=0,"
EAGER = f"{ALONE}{runs.EAGER}"


def test_classes_that_no_training_image_is_of_are_told(tmp_path: pathlib.Path) -> None:
    few = "task.train_data.source=digits,task.train_data.tfds_split='train[:5]',"
    few += "task.train_data.num_classes=10"
    config, lines = runs.parse(tmp_path, f"{runs.EAGER}{few}"), list[str]()
    Progress(trainer.SupernetTrainer(config, BigNASTask(config.task)), str(tmp_path), lines.append)
    present = {int(label) for _, labels in digits.batches("train[:5]") for label in labels}
    absent = [repr(str(label)) for label in range(10) if label not in present]
    (line,) = lines
    expected = f"warning: no image of train[:5] is of classes {', '.join(absent[:5])}"
    assert line.startswith(expected)
    assert line.endswith(": never an answer")


def test_progress_shows_warnings_among_its_lines(tmp_path: pathlib.Path) -> None:
    config = runs.parse(tmp_path, EAGER)
    run, lines = trainer.SupernetTrainer(config, BigNASTask(config.task)), list[str]()
    run.loop_steps = 20
    progress = Progress(run, str(tmp_path), lines.append)
    for loss in [0.7] * 5 + [2.6] * 5:
        logs = dict.fromkeys(("training_loss", "loss_biggest"), loss)
        rates = dict.fromkeys(("learning_rate", "steps_per_second", "images_per_second"), 1.0)
        progress(logs | rates)
    progress.finished()
    first, last = [line for line in lines if not line.startswith("step ")]
    assert first.startswith("warning: the loss of the biggest child was 0.700 ")
    assert last.startswith("warning: what was learnt ")


def test_progress_says_step_losses_and_rate(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = runs.parse(tmp_path, ALONE)
    runs.train(config, tmp_path / "run")
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == trainer.BUILDING
    assert len(lines) == 2
    assert last == f"checkpoint: {tmp_path}/run/ckpt-6, step 6 of 6"
    for step, line in zip((3, 6), lines, strict=True):
        assert line.startswith(f"step {step}/6  loss: biggest ")
        assert "random" not in line
        assert f"lr {0.006 * 0.97 ** (50 / 13) * step / 50:.5f}" in line
