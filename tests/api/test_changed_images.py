"""No use of a run takes images that it has learnt from for others, after its folder changed."""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import yaml

import bignas_tf as bignas
from bignas_tf import errors
from bignas_tf.api import apart
from bignas_tf.data import folders, identity
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.provenance import Source
from bignas_tf.training import learnt, run_files
from bignas_tf.training.checkpoints import Run
from tests.data import photos
from tests.forks import Forks
from tests.selection import digits, made_up_searches
from tests.tools import commands

CHANGED = r"split 'all' of '.*photos' has other images .*\(100 then, 99 now\)"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run as if it were trained on seven tenths of a folder; then an image was removed."""
    folder = tmp_path_factory.mktemp("changed")
    classes = dict.fromkeys("0123456789", 10)
    root = photos.write(folder / "photos", classes, side=8, coloured=False)
    config = digits.parse(folder)
    config.task.train_data.override(
        {"source": "folder", "input_path": str(root), "tfds_split": "all[:70]"}
    )
    config.task.evaluation.children = ()
    config.task.selection.override(
        {
            "calibration_split": "all[:64]",
            "ranking_split": "all[70:85]",
            "reporting_split": "all[85:]",
        }
    )
    net = digits.supernet()
    (folder / "run").mkdir()
    run_files.save(net, 1, config, net.space, str(folder / "run"))
    learnt.save(str(folder / "run"), config.task.train_data)
    loaded = bignas.load(folder / "run")
    bignas.export(loaded, "smallest", folder / "exported", show=None)  # nothing has changed yet
    found = dataclasses.replace(
        made_up_searches.result(),
        source=Source.from_json(loaded.source),
        selection=json.loads(json.dumps(config.task.selection.as_dict())),
        train_data={},  # the run's own
    )
    result_lib.write(folder / "run" / "search", found)
    (root / "3" / "004.png").unlink()
    return loaded


def _finetuned(run: Run) -> Any:
    return bignas.finetune(run, "smallest", run.config, pathlib.Path(run.model_dir, "tuned"))


def _family(run: Run) -> Any:
    search = pathlib.Path(run.model_dir, "search")
    return bignas.export_family(run, search, pathlib.Path(run.model_dir, "family"))


def _cascade(run: Run) -> Any:
    search = pathlib.Path(run.model_dir, "search")
    return bignas.export_cascade(run, search, pathlib.Path(run.model_dir, "cascade"))


USES: dict[str, Callable[[Run], Any]] = {
    "evaluate": lambda run: bignas.evaluate(run, "smallest"),
    "judge": lambda run: bignas.judge(run, children=1, show=None),
    "search": lambda run: bignas.search(run, ["mflops=0.1"], f"{run.model_dir}/new", show=None),
    "export": lambda run: bignas.export(run, "smallest", f"{run.model_dir}/export"),
    "export_family": _family,
    "export_cascade": _cascade,
    "convert": lambda run: bignas.convert(run, f"{run.model_dir}/../exported/1", ["float32"]),
    "finetune": _finetuned,
}


@pytest.mark.parametrize("use", USES)
def test_every_use_of_a_run_is_refused_once_its_images_changed(run: Run, use: str) -> None:
    before = sorted(pathlib.Path(run.model_dir).iterdir())
    with pytest.raises(errors.UsageError, match=CHANGED):
        USES[use](run)
    assert sorted(pathlib.Path(run.model_dir).iterdir()) == before


def test_images_that_have_moved_are_the_same_where_they_are_now(
    run: Run, forks: Forks, tmp_path: pathlib.Path
) -> None:
    moved = shutil.copytree(run.config.task.train_data.input_path, tmp_path / "photos")
    with pytest.raises(errors.UsageError, match=CHANGED):
        bignas.evaluate(bignas.load(run.model_dir, data_dir=moved), "smallest")
    shutil.copy(moved / "3" / "005.png", moved / "3" / "004.png")  # contents are not compared
    accuracy = bignas.evaluate(bignas.load(run.model_dir, data_dir=moved), "smallest")
    assert accuracy.images == 15
    flags = {"model_dir": run.model_dir, "data_dir": moved, "architecture": "smallest"}
    printed = commands.run(forks, "evaluate", **flags)
    assert json.loads(printed.splitlines()[-1])["images"] == 15
    # A search goes on where they are, too.
    again = shutil.copytree(moved, tmp_path / "again" / "photos")
    search = f"{run.model_dir}/other"
    alone = {"selection.strategy": "random", "selection.evaluations": 2}
    override = ",".join(f"task.{name}={value}" for name, value in alone.items())
    journal, journals, found = pathlib.Path(search, "journal.jsonl"), [], []
    for images in (moved, again):
        loaded = bignas.load(run.model_dir, data_dir=images)
        found.append(bignas.search(loaded, ["mflops=0.1"], search, params_override=override))
        journals.append(journal.read_text())
    assert found[0] == found[1]
    assert journals[0] == journals[1]
    with pytest.raises(errors.UsageError, match=r"gone is not a folder"):
        bignas.evaluate(bignas.load(run.model_dir, data_dir=tmp_path / "gone"), "smallest")


def test_a_run_that_starts_from_it_is_refused_too(run: Run, tmp_path: pathlib.Path) -> None:
    task = copy.deepcopy(run.config.task)
    task.init_checkpoint = run.model_dir
    expected = f"^task.init_checkpoint {run.model_dir}: {CHANGED}"
    with pytest.raises(errors.UsageError, match=expected):
        apart.check_training(task)
    # Its own training was after the change; that of the run before it was not.
    config = copy.deepcopy(run.config)
    config.task = task
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(config.as_dict()))
    now = identity.read(task.train_data)
    later = dataclasses.replace(run, model_dir=str(tmp_path), config=config, images=now)
    with pytest.raises(errors.UsageError, match=expected):
        bignas.evaluate(later, "smallest")


def test_images_of_a_split_that_has_not_changed_can_be_used(
    run: Run, tmp_path: pathlib.Path
) -> None:
    root = photos.write(tmp_path, {f"{s}/{c}": 2 for s in ("train", "test") for c in "ab"})
    task = copy.deepcopy(run.config.task)
    task.train_data.override({"input_path": str(root), "tfds_split": "train", "num_classes": 2})
    task.selection.override(
        {"calibration_split": "train", "ranking_split": "test[:1]", "reporting_split": "test[1:]"}
    )
    images = identity.read(task.train_data)
    photos.write(root, {"train/a/more": 1}, side=8)
    (root / "train" / "a" / "more" / "000.png").rename(root / "train" / "a" / "new.png")
    assert apart.check_search(task, task, images) == []
    task.selection.ranking_split = "train[4:]"
    with pytest.raises(errors.UsageError, match=r"split 'train' of .*\(4 then, 5 now\)"):
        apart.check_search(task, task, images)
    # Nothing is known of a run that kept nothing, nor of another data set.
    (warning,) = apart.check_search(task, task)
    assert "accuracies on images of training are too good" in warning
    other = copy.deepcopy(task)
    other.train_data.input_path = str(photos.write(tmp_path / "other", {"a": 5, "b": 5}, side=20))
    other.selection.override(
        {"calibration_split": "all", "ranking_split": "all[:5]", "reporting_split": "all[5:]"}
    )
    (incomplete,) = apart.check_search(task, other, images)
    assert incomplete.startswith("not all images learnt from can be compared: ")
    task.train_data.tfds_split = "test"  # which has not changed
    assert apart.check_search(task, other, images) == []
    task.train_data.tfds_split = "train"
    other.train_data.input_path = "elsewhere"
    (warning,) = apart.check_search(other, task, images)
    assert warning.startswith("the images learnt from cannot be compared: data: input_path: elsewh")


def test_images_learnt_from_are_known_in_a_copy_with_other_classes(
    run: Run, tmp_path: pathlib.Path
) -> None:
    """Their places in it are others, so that slices of the copy mix what was apart."""
    root = shutil.copytree(run.config.task.train_data.input_path, tmp_path / "copy")
    (root / "3").rename(root / "three")
    (root / "7" / "000.png").rename(root / "7" / "renamed.png")
    task = copy.deepcopy(run.config.task)
    task.init_checkpoint = run.model_dir
    task.train_data.input_path = str(root)
    original = folders.scan(str(run.config.task.train_data.input_path)).splits["all"]
    contents = {pathlib.Path(path).read_bytes() for path, _ in original[:70]}
    there = [pathlib.Path(path) for path, _ in folders.scan(str(root)).splits["all"]]
    ranked = sum(path.read_bytes() in contents for path in there[70:85])
    reported = [path for path in there[85:] if path.read_bytes() in contents]
    assert ranked
    words = rf"reporting_split: {len(reported)} of 14 images, such as {root}"
    for check in (apart.check_training, lambda task: apart.check_search(run.config.task, task)):
        with pytest.raises(errors.UsageError, match=f"{words}.*; an accuracy on images of trai"):
            check(task)
    for path in reported:
        path.write_bytes(path.read_bytes() + b"\0")  # another image
    warning, incomplete = apart.check_training(task)
    assert f"ranking_split: {ranked} of 15 images" in warning
    assert "not all images learnt from can be compared: " in incomplete  # one was removed
    seen = apart.seen_in_training(dataclasses.replace(run, config=_at(run, root)), "all[70:85]")
    assert f"split: {ranked} of 15 images" in seen[0]


def _at(run: Run, root: pathlib.Path) -> Any:
    """The configuration of a run that starts from another one, on images elsewhere."""
    config = copy.deepcopy(run.config)
    config.task.init_checkpoint = run.model_dir
    config.task.train_data.input_path = str(root)
    return config


def test_a_run_may_be_in_a_folder_of_any_name(run: Run, tmp_path: pathlib.Path) -> None:
    folder = shutil.copytree(run.model_dir, tmp_path / "Ünï 目录 \N{GRINNING FACE} & 'it'")
    config = bignas.configure("bignas_small", [folder / "params.yaml"], run=bignas.load(folder))
    assert config.task.model.search_space == str(folder / "search_space.yaml")
