"""A search on other images than its run's, and all that follows from it."""

from __future__ import annotations

import json
import pathlib
import shutil

import pytest

import bignas_tf as bignas
from tests.data import photos
from tests.forks import Forks
from tests.selection import digits
from tests.tools import commands

pytestmark = pytest.mark.slow

BUDGET = "mflops=0.08"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Pictures that are no digits, 10 for training and 3 for tests of each class."""
    folders = {f"train/{each}": 10 for each in range(digits.CLASSES)}
    folders |= {f"test/{each}": 3 for each in range(digits.CLASSES)}
    return photos.write(tmp_path_factory.mktemp("elsewhere") / "photos", folders, side=8)


@pytest.fixture(scope="module")
def run(run_dir: pathlib.Path) -> bignas.Run:
    return bignas.load(run_dir)


@pytest.fixture(scope="module")
def search_dir(
    run: bignas.Run, images: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("search")
    override = {
        "train_data": {"source": "folder", "input_path": str(images), "cache": False},
        "selection": {
            "calibration_split": "train[:64]",
            "ranking_split": "train[64:]",
            "strategy": "random",
            "evaluations": 2,
        },
    }
    text = json.dumps({"task": override})
    bignas.search(run, [BUDGET], folder, params_override=text, show=None)
    return folder


def test_a_search_records_which_images_were_not_its_runs(
    images: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    settings = json.loads((search_dir / "search.json").read_text())["settings"]
    recorded = {"source": "folder", "input_path": str(images), "cache": False}
    assert settings["train_data"] == recorded
    again = bignas.select(search_dir, [BUDGET], tmp_path, show=None)
    assert bignas.read_search(tmp_path).train_data == again.train_data == recorded


def test_images_of_training_that_rank_are_told_for_good(
    run: bignas.Run, tmp_path: pathlib.Path
) -> None:
    few = {"strategy": "random", "evaluations": 2, "ranking_split": "train[1100:1300]"}
    override = json.dumps({"task": {"selection": few}})
    told = "task.train_data.tfds_split 'train[:1200]' and task.selection.ranking_split 'train[1100"
    lines: list[str] = []
    found = bignas.search(
        run, [BUDGET], tmp_path / "s", params_override=override, show=lines.append
    )
    assert len([line for line in lines if told in line]) == 1
    again = bignas.select(tmp_path / "s", [BUDGET], tmp_path / "again", show=None)
    for each in (found, again, bignas.read_search(tmp_path / "again")):
        assert each.warnings[0].startswith(told)


def test_scores_on_images_of_training_are_told(
    run: bignas.Run, forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    split, told = "train[1150:1250]", "and split 'train[1150:1250]' have images in common"
    judged = bignas.judge(run, children=1, split=split, output=tmp_path / "j.json", show=None)
    assert told in judged.warnings[0]
    flags = {"model_dir": run_dir, "architecture": "smallest"}
    for more in ({}, {"confusion": tmp_path / "c.csv"}):
        line = commands.arguments({**flags, "split": split, **more})
        done = forks.run("tools.evaluate", *line)
        assert done.returncode == 0
        assert told in done.stderr
        assert json.loads(done.stdout)["images"] == 100
    done = forks.run("tools.evaluate", *commands.arguments(flags))
    assert "warning" not in done.stderr


@pytest.fixture(scope="module")
def version_dir(
    run: bignas.Run, search_dir: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    (version,) = bignas.export_family(run, search_dir, tmp_path_factory.mktemp("e"), show=None)
    return version


def test_a_family_is_calibrated_and_scored_on_the_images_of_the_search(
    images: pathlib.Path, search_dir: pathlib.Path, version_dir: pathlib.Path
) -> None:
    card = json.loads((version_dir / "child.json").read_text())
    (selected,) = bignas.read_search(search_dir).selected
    assert selected.reporting is not None
    assert card["data"] == str(images)
    assert card["accuracy"] == {
        "split": "test",
        "top1": selected.reporting.top1,
        "images": 3 * digits.CLASSES,
    }
    assert card["calibration"] == {"split": "train[:64]", "images": 64}


def test_the_child_that_was_exported_is_converted_and_measured_on_the_same_images(
    run: bignas.Run, version_dir: pathlib.Path
) -> None:
    # Other statistics would be refused: its logits would differ from the graph's.
    bignas.convert(run, version_dir, "float32", show=None)
    report = json.loads((version_dir / "converted" / "report.json").read_text())
    assert (report["split"], report["images"]) == ("test", 3 * digits.CLASSES)
    card = json.loads((version_dir / "child.json").read_text())
    assert report["formats"]["saved_model"]["top1"] == card["accuracy"]["top1"]
    assert report["formats"]["float32"]["agreement"] == 1


def test_an_export_without_weights_or_images_is_to_be_made_again(
    run: bignas.Run, version_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for name in ("child.json", "labels.json"):
        shutil.copy(version_dir / name, tmp_path)
    with pytest.raises(bignas.UsageError, match=r"before exports had .* \(weights\.npz\); export"):
        bignas.convert(run, tmp_path, "float32", show=None)
    card = json.loads((version_dir / "child.json").read_text())
    card["train_data"]["input_path"] = str(tmp_path / "gone")
    (tmp_path / "child.json").write_text(json.dumps(card))
    with pytest.raises(bignas.UsageError, match=r"child\.json is of other images.*export again$"):
        bignas.convert(run, tmp_path, "float32", show=None)


def test_images_of_a_search_that_are_gone_are_named(
    run: bignas.Run, images: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    found = json.loads((search_dir / "search.json").read_text())
    found["settings"]["train_data"]["input_path"] = str(tmp_path / "gone")
    (tmp_path / "search.json").write_text(json.dumps(found))
    for export in (bignas.export_family, bignas.export_cascade):
        with pytest.raises(bignas.UsageError) as caught:
            export(run, tmp_path, tmp_path / "models", show=None)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path}/search.json is of other images than the run's")
        assert f"input_path: {tmp_path}/gone is no" in message
        assert message.endswith("put them back, or search again in another folder")
    assert not (tmp_path / "models").exists()
