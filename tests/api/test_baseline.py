"""An architecture trained alone: what is refused before training, and a loss that explodes."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import numpy as np
import pytest
import tf_keras

from bignas_tf import errors
from bignas_tf.api import baseline, cards, stock_training
from bignas_tf.training import checkpoints
from tests.data import photos
from tests.selection import digits

MOMENT = 1e-6  # minutes: one step


@pytest.fixture
def run(tmp_path: pathlib.Path) -> checkpoints.Run:
    """A run as it is loaded, with random weights."""
    config = digits.parse(tmp_path)
    return checkpoints.Run(str(tmp_path), config, digits.space(), digits.supernet(), "", 0, "")


def test_a_folder_that_cannot_be_written_is_refused_before_training(
    run: checkpoints.Run, tmp_path: pathlib.Path
) -> None:
    run.config.task.train_data.tfds_split = "nothing"  # training would fail by this
    (tmp_path / "file").touch()
    elsewhere = dataclasses.replace(run, model_dir=str(tmp_path / "file" / "run"))
    with pytest.raises(errors.UsageError, match=r"file/run is not a writable folder"):
        baseline.baseline(elsewhere, "smallest", MOMENT)


def test_images_that_are_not_there_are_refused_before_training(run: checkpoints.Run) -> None:
    run.config.task.train_data.tfds_split = "nothing"
    run.config.task.selection.reporting_split = "later"
    with pytest.raises(errors.UsageError, match="'later'"):
        baseline.baseline(run, "smallest", MOMENT)


def test_an_image_of_the_reporting_split_is_found_before_training(
    run: checkpoints.Run, tmp_path: pathlib.Path
) -> None:
    classes = range(digits.CLASSES)
    folder = photos.write(tmp_path / "photos", {f"test/{each}": 2 for each in classes}, side=8)
    (folder / "test" / "9" / "001.png").write_bytes(b"not an image")
    data = {"source": "folder", "input_path": str(folder), "cache": False}
    run.config.task.train_data.override(data | {"tfds_split": "nothing"})  # training would fail
    with pytest.raises(errors.UsageError, match=r"test/9/001\.png cannot be read"):
        baseline.baseline(run, "smallest", MOMENT)


@pytest.mark.slow
def test_a_loss_that_explodes_in_training_is_no_accuracy(
    run: checkpoints.Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "_RATE", 1e38)
    with pytest.raises(errors.RunError, match=r"loss is not finite; .* the plain Keras model"):
        baseline.baseline(run, "smallest", minutes=1.0)
    assert not (tmp_path / "plain_keras.json").exists()


@pytest.mark.slow
def test_progress_is_told_now_and_then(
    run: checkpoints.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "_SHOWN_S", 0.0)
    lines: list[str] = []
    found = baseline.baseline(run, "smallest", minutes=0.1, show=lines.append)
    pattern = re.compile(r"step [\d,]+: loss \d+\.\d{3}, \d+ s left")
    assert all(map(pattern.fullmatch, lines))
    assert len(lines) == found.steps - 1  # the last one ends it


@pytest.mark.slow
def test_weights_that_the_last_step_has_spoilt_have_no_accuracy(run: checkpoints.Run) -> None:
    model, task = baseline._model(run, run.space.smallest()), run.config.task
    reporting = cards.reporting_images(task)
    adam = tf_keras.optimizers.Adam()
    stock_training.fit(model, adam, task.train_data, steps=1, way_out="try again")
    assert 0 <= stock_training.score(model, reporting, "try again").top1 <= 1
    classifier = model.get_layer("classifier")
    classifier.set_weights([np.full_like(each, np.nan) for each in classifier.get_weights()])
    with pytest.raises(errors.RunError, match="the loss is not finite; try again"):
        stock_training.score(model, reporting, "try again")
