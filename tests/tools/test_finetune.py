"""A child learns other classes, or the user is told why it cannot, before it is trained."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
import tensorflow as tf
import yaml

from bignas_tf.data import config as config_lib
from tests.forks import Forks
from tests.selection import digits
from tests.tools import commands

pytestmark = pytest.mark.slow

CLASSES = ("circle", "bar")  # noughts and ones
STEPS = 100


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Digits as a folder of class folders: 'train' and 'test'."""
    folder = tmp_path_factory.mktemp("images")
    for name, split in (("train", "train[:200]"), ("test", "test[:100]")):
        for number, (patches, labels) in enumerate(digits.batches(split, 1)):
            if int(labels[0]) < len(CLASSES):
                path = folder / name / CLASSES[int(labels[0])] / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(tf.io.encode_png(patches[0]).numpy())
    return folder


def _arguments(
    run_dir: pathlib.Path, images: pathlib.Path, folder: pathlib.Path, **changes: Any
) -> dict[str, object]:
    """The flags of a short run; `changes` are of its images."""
    # tfds_name is left to be that of the experiment: the card must not name it.
    data = {
        name: value
        for name, value in digits.EXPERIMENT["task"]["train_data"].items()
        if name != "tfds_name"
    } | {
        "source": "folder",
        "input_path": str(images),
        "tfds_split": "train",
        "num_classes": len(CLASSES),
    }
    task = {
        "train_data": data | changes,
        "selection": {"reporting_split": "test"},
    }
    config = folder / "shapes.yaml"
    # The quickstart averages its weights, and so does what is fine-tuned with its settings.
    averaged = {"ema": {"average_decay": 0.9}}
    trainer = {"train_steps": STEPS, "optimizer_config": averaged}
    config.write_text(yaml.safe_dump({"task": task, "trainer": trainer}))
    return {
        "model_dir": run_dir,
        "architecture": "smallest",
        "config_file": config,
        "output_dir": folder / "export",
    }


def test_a_fine_tuned_child_is_exported_and_converted(
    forks: Forks, run_dir: pathlib.Path, images: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = _arguments(run_dir, images, tmp_path) | {
        "formats": "float32",  # needs images for calibration
        "params_override": "task.selection.calibration_split=train",
    }
    done = forks.run("tools.finetune", *commands.arguments(flags))
    assert done.returncode == 0, done.stderr
    version = tmp_path / "export" / "1"
    card = json.loads((version / "child.json").read_text())
    count = len(list((images / "test").rglob("*.png")))
    assert (card["accuracy"]["split"], card["accuracy"]["images"]) == ("test", count)
    assert card["accuracy"]["top1"] in [right / count for right in range(count + 1)]
    assert card["data"] == str(images)
    assert card["finetuned"] == {"steps": STEPS, "split": "train", "calibration_split": "train"}
    assert json.loads((version / "labels.json").read_text()) == sorted(CLASSES)
    # Chance is a half.
    assert card["accuracy"]["top1"] > 0.8
    report = json.loads((version / "converted" / "report.json").read_text())
    assert (report["split"], report["images"]) == ("test", count)
    # Keras' evaluation and the SavedModel's own answers count the same images right.
    top1 = report["formats"]["saved_model"]["top1"]
    assert card["accuracy"]["top1"] == top1
    # Later, too, though the run has other classes and images.
    again = {"model_dir": run_dir, "export_dir": version, "formats": "float32,int8"}
    done = forks.run("tools.convert", *commands.arguments(again))
    assert done.returncode == 0, done.stderr
    figures = json.loads((version / "converted" / "report.json").read_text())["formats"]
    assert figures["float32"]["top1"] == pytest.approx(top1, abs=1e-6)
    assert figures["int8"]["top1"] > 0.8


@pytest.mark.parametrize(
    ("changes", "override", "words"),
    [
        ({"num_classes": 1}, "", "num_classes is 1; it takes 2 or more"),
        (
            {"channels": 3},
            "task.selection.calibration_split=train",
            "train_data.channels is 3; the run's children take 1",
        ),
        ({}, "task.selection.reporting_split='train[50%:]'", "images in common"),
        ({}, "task.selection.reporting_split=valid", "'valid'"),
        ({}, "task.selection.calibration_split=valid", "'valid'"),
    ],
    ids=["one class", "colour", "seen in training", "no such split", "no such calibration"],
)
def test_mistakes_are_found_before_training(
    forks: Forks,
    run_dir: pathlib.Path,
    images: pathlib.Path,
    tmp_path: pathlib.Path,
    changes: dict[str, Any],
    override: str,
    words: str,
) -> None:
    flags = _arguments(run_dir, images, tmp_path, **changes)
    flags |= {"params_override": override, "formats": "int8"}
    assert words in commands.refuse(forks, "finetune", **flags)
    assert not (tmp_path / "export").exists()


def test_images_without_a_place_have_no_data_dir(
    forks: Forks, run_dir: pathlib.Path, images: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = _arguments(run_dir, images, tmp_path) | {"data_dir": tmp_path}
    said = commands.refuse(forks, "finetune", **flags)
    assert "images of source='digits' are in no data_dir" in said


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_image_that_cannot_be_read_is_named(
    forks: Forks, run_dir: pathlib.Path, images: pathlib.Path, tmp_path: pathlib.Path, split: str
) -> None:
    broken = tmp_path / "images"
    for path in images.rglob("*.png"):
        copy = broken / path.relative_to(images)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    path = sorted((broken / split / "circle").iterdir())[-1]
    path.write_bytes(path.read_bytes()[:40])
    flags = _arguments(run_dir, broken, tmp_path, cache=False)
    done = forks.run("tools.finetune", *commands.arguments(flags))
    assert done.returncode == 2, done.stdout
    assert f"{path} cannot be read" in done.stderr.splitlines()[-1]
    # Training ends with a line of Keras; what the accuracy is reported on is read before it.
    assert "loss" not in done.stdout


def test_a_loss_that_is_not_finite_ends_the_run(
    forks: Forks, run_dir: pathlib.Path, images: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    rate = "trainer.optimizer_config.learning_rate.constant_ending.initial_learning_rate=1e38"
    override = f"{rate},trainer.train_steps=9"
    flags = _arguments(run_dir, images, tmp_path) | {"params_override": override}
    done = forks.run("tools.finetune", *commands.arguments(flags))
    assert done.returncode == 1, done.stdout
    assert "error: the loss is not finite" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("source", "named"),
    [("folder", "photos"), ("tfrecord", "photos"), ("tfds", "mnist"), ("digits", "digits")],
)
def test_data_are_called_what_they_were_read_from(source: str, named: str) -> None:
    config = config_lib.DataConfig(source=source, tfds_name="mnist", input_path="photos")
    assert config_lib.images_name(config) == named
