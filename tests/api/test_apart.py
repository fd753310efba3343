"""The images of a training, a search or a fine-tuning, and of the runs before it."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import pytest
import yaml

from bignas_tf import errors
from bignas_tf.api import apart
from bignas_tf.data import identity
from bignas_tf.training import learnt
from bignas_tf.training.configs import BigNASConfig
from tests.data import photos, samples
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
    (warning,) = apart.check_training(task)
    assert warning.startswith("task.selection.calibration_split, which all that scores a child wil")
    assert "'train[:2000]' cannot be read" in warning
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
    (warning,) = apart.check_training(task)
    gone = "what it has learnt from cannot be compared: "
    assert warning.startswith(f"task.init_checkpoint {first}: {gone}{first} is not the folder of")


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


@pytest.mark.parametrize("use", ["ranking", "calibration"])
def test_a_child_is_not_reported_on_images_that_chose_or_calibrated_it(
    task: BigNASConfig, tmp_path: pathlib.Path, use: str
) -> None:
    trained = digits.parse(tmp_path).task
    trained.selection.override({f"{use}_split": "test[:5]"})
    why = {"ranking": "an accuracy that chose", "calibration": "a child calibrated on"}[use]
    expected = rf"^the run that the child comes from: task.selection.{use}_split.*\(5\); {why}"
    with pytest.raises(errors.UsageError, match=expected):
        apart.check_finetuning(trained, task)


def test_fine_tuning_needs_no_images_for_calibration(
    task: BigNASConfig, tmp_path: pathlib.Path
) -> None:
    """The default, train[:2000], is more than a small data set has."""
    trained = digits.parse(tmp_path).task
    task.selection.calibration_split = "train[:2000]"
    assert apart.check_finetuning(trained, task) == []


@pytest.fixture
def photo_task(task: BigNASConfig, tmp_path: pathlib.Path) -> BigNASConfig:
    """Trains on train, calibrates on it, ranks on val and reports on test, two images each."""
    names = {f"{split}/{name}": 1 for split in ("train", "val", "test") for name in ("cat", "dog")}
    task.train_data.override({"source": "folder", "input_path": str(photos.write(tmp_path, names))})
    task.train_data.override({"tfds_split": "train", "num_classes": 2})
    task.evaluation.children = ()
    task.selection.override(
        {"calibration_split": "train", "ranking_split": "val", "reporting_split": "test"}
    )
    return task


def _learnt(task: BigNASConfig, folder: pathlib.Path, **data: Any) -> str:
    """The folder of a run of the same task but for its images."""
    folder.mkdir()
    config = digits.parse(folder)
    config.task.train_data = task.train_data.replace(**data)
    (folder / "params.yaml").write_text(yaml.safe_dump(config.as_dict()))
    return str(folder)


def test_a_data_set_of_tfds_is_the_same_in_any_version(task: BigNASConfig) -> None:
    named = task.train_data.replace(source="tfds", tfds_name="fashion_mnist")
    assert identity.same_data_set(named, named.replace(tfds_name="fashion_mnist:3.0.1"))
    assert not identity.same_data_set(named, named.replace(tfds_name="mnist:3.0.1"))


def test_a_folder_is_the_same_however_it_is_named(
    photo_task: BigNASConfig, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = str(photo_task.train_data.input_path)
    # The name of a TFDS data set says nothing about a folder.
    for number, path in enumerate((".", "~", f"{folder}/")):
        photo_task.init_checkpoint = _learnt(
            photo_task, tmp_path / f"run{number}", input_path=path, tfds_name="mnist",
            tfds_split="train+test",
        )  # fmt: skip
        with pytest.raises(errors.UsageError, match=r"^task.init_checkpoint .* in common \(2\)"):
            apart.check_training(photo_task)


def test_a_folder_that_has_moved_is_known_by_its_images(
    photo_task: BigNASConfig, tmp_path: pathlib.Path
) -> None:
    root = pathlib.Path(str(photo_task.train_data.input_path))
    photo_task.init_checkpoint = _learnt(photo_task, tmp_path / "run", tfds_split="train+test")
    learnt.save(photo_task.init_checkpoint, photo_task.train_data.replace(tfds_split="train+test"))
    moved = tmp_path / "moved"
    moved.mkdir()
    for split in ("train", "val", "test"):
        (root / split).rename(moved / split)
    photo_task.train_data.input_path = str(moved)
    with pytest.raises(errors.UsageError, match=r"^task.init_checkpoint .* in common \(2\)"):
        apart.check_training(photo_task)


@pytest.mark.parametrize("listed", [False, True])
def test_tfrecords_are_the_same_however_they_are_named(
    task: BigNASConfig, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, listed: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [samples.write_records(tmp_path, files=2), str(tmp_path / "part-*")]
    task.train_data.override({"source": "tfrecord", "tfds_split": "all[:4]"})
    task.evaluation.children = ()
    task.train_data.input_path = records if listed else ",".join(records)
    task.selection.override(
        {
            "calibration_split": "all[:4]",
            "ranking_split": "all[4:7]",
            "reporting_split": "all[7:]",
        }
    )
    relative = "part-*, part-*.tfrecord"
    task.init_checkpoint = _learnt(
        task, tmp_path / "run", input_path=relative, tfds_split="all[5:8]"
    )
    with pytest.raises(errors.UsageError, match=r"^task.init_checkpoint .* in common \(1\)"):
        apart.check_training(task)


def test_a_split_that_is_gone_does_not_stop_those_that_start_from_it(
    photo_task: BigNASConfig, tmp_path: pathlib.Path
) -> None:
    photo_task.init_checkpoint = _learnt(photo_task, tmp_path / "run", tfds_split="photos")
    gone = "the images learnt from cannot be compared: their split 'photos' of "
    (warning,) = apart.check_training(photo_task)
    assert warning.startswith(f"task.init_checkpoint {photo_task.init_checkpoint}: {gone}")
    trained = digits.parse(tmp_path).task
    trained.train_data = photo_task.train_data.replace(tfds_split="photos")
    (warning,) = apart.check_finetuning(trained, photo_task)
    assert warning.startswith(f"the run that the child comes from: {gone}")
    # A search's own splits must be there all the same.
    photo_task.selection.ranking_split = "val[:9]"
    with pytest.raises(errors.UsageError, match=r"val\[:9\]"):
        apart.check_search(trained, photo_task)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a", "b"], ""),
        (["a", "c"], "^task.train_data has not the classes .*: class 1 is 'c' here, 'b' there"),
        (["00", "01"], "is not known: they have numbers alone"),
    ],
)
def test_a_child_is_scored_on_the_classes_that_it_answers_with(
    task: BigNASConfig, tmp_path: pathlib.Path, names: list[str], words: str
) -> None:
    """Its exports would answer with the labels of others."""
    whole = {"calibration_split": "all", "ranking_split": "all[:20]", "reporting_split": "all[20:]"}

    def on(folder: str, names: list[str], side: int) -> BigNASConfig:
        changed = copy.deepcopy(task)
        root = photos.write(tmp_path / folder, dict.fromkeys(names, 20), side=side)
        data = {"source": "folder", "input_path": str(root), "tfds_split": "all", "num_classes": 2}
        changed.train_data.override(data)
        changed.selection.override(whole)
        return changed

    trained, searched = on("learnt", ["a", "b"], 8), on("searched", names, 9)
    if words.startswith("^"):
        with pytest.raises(errors.UsageError, match=words):
            apart.check_search(trained, searched)
    else:
        warnings = apart.check_search(trained, searched)
        assert [words in each for each in warnings] == [True] * bool(words)
