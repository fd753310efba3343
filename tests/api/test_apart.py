"""The images of a training, a search or a fine-tuning, and of the runs before it."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from bignas_tf import errors
from bignas_tf.api import apart
from bignas_tf.training.configs import BigNASConfig
from tests.selection import digits


@pytest.fixture
def task(tmp_path: pathlib.Path) -> BigNASConfig:
    """Trains on train[:1200], calibrates on train[:128], ranks on the rest, reports on test."""
    return digits.parse(tmp_path).task


def _earlier(folder: pathlib.Path, split: str, init_checkpoint: str = "") -> str:
    """The folder of a run that was trained on that split."""
    folder.mkdir()
    config = digits.parse(folder)
    config.task.train_data.tfds_split = split
    config.task.init_checkpoint = init_checkpoint
    (folder / "params.yaml").write_text(yaml.safe_dump(config.as_dict()))
    return str(folder)


def test_a_learning_curve_on_images_of_training_is_named(task: BigNASConfig) -> None:
    assert apart.check_training(task) == []
    task.evaluation.split = "train[1000:]"
    (warning,) = apart.check_training(task)
    assert "task.evaluation.split 'train[1000:]' have images in common (200)" in warning
    task.evaluation.children = ()
    assert apart.check_training(task) == []
    task.selection.calibration_split = "train[:2000]"  # more than there are; not needed to train
    assert apart.check_training(task) == []
    task.selection.calibration_split = "test[:5]"
    with pytest.raises(errors.UsageError, match=r"\(5\); a child calibrated on images"):
        apart.check_training(task)


def test_images_of_the_runs_before_are_not_reported_on(
    task: BigNASConfig, tmp_path: pathlib.Path
) -> None:
    first = _earlier(tmp_path / "first", "train+test[:10]")
    task.init_checkpoint = _earlier(tmp_path / "second", "train[:1200]", first)
    for check in (
        lambda: apart.check_training(task),
        lambda: apart.check_search(task, task),
        lambda: apart.check_finetuning(task, task),
    ):
        with pytest.raises(errors.UsageError, match=rf"^task.init_checkpoint {first}: .*\(10\)"):
            check()
    (tmp_path / "first" / "params.yaml").unlink()  # its folder is gone: nothing is known of it
    assert apart.check_training(task) == []


def test_ranking_on_images_of_the_run_is_named(task: BigNASConfig, tmp_path: pathlib.Path) -> None:
    trained = digits.parse(tmp_path).task
    task.selection.ranking_split = "train[1100:]"
    (warning,) = apart.check_search(trained, task)
    assert "(100); accuracies on images of training are too good" in warning
    # Of another data set nothing is known.
    trained.train_data.source = "tfds"
    assert apart.check_search(trained, task) == []


def test_a_child_is_not_reported_on_images_of_its_run(
    task: BigNASConfig, tmp_path: pathlib.Path
) -> None:
    trained = digits.parse(tmp_path).task
    apart.check_finetuning(trained, task)
    trained.train_data.tfds_split = "test[:5]"
    with pytest.raises(errors.UsageError, match=r"^the run that the child comes from: .*\(5\); an"):
        apart.check_finetuning(trained, task)
