"""What a run keeps of its images, and that it is not resumed with others."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Callable

import pytest
import yaml
from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.data import identity
from bignas_tf.training import learnt, models, resuming, run_files
from tests.data import photos, samples
from tests.training import runs


@pytest.mark.parametrize("remote", [False, True])
def test_what_is_kept_is_read_again(tmp_path: pathlib.Path, remote: bool) -> None:
    folder = "ram://learnt/run" if remote else str(tmp_path)
    data = samples.digits()
    assert learnt.read(folder) is None
    learnt.save(folder, data)
    assert learnt.read(folder) == identity.read(data)
    learnt.forget(folder)
    assert learnt.read(folder) is None


def test_a_list_of_patterns_is_kept(tmp_path: pathlib.Path) -> None:
    patterns = (samples.write_records(tmp_path), str(tmp_path / "part-*"))
    data = samples.digits(source="tfrecord", input_path=patterns)
    learnt.save(str(tmp_path), data)
    assert learnt.read(str(tmp_path)) == identity.read(data)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"splits": 3}',
        '{"splits": {"all": {"images": -1, "sha256": ""}}}',
    ],
)
def test_a_damaged_file_is_named(tmp_path: pathlib.Path, content: str) -> None:
    path = tmp_path / learnt.FILE
    path.write_text(content)
    with pytest.raises(
        errors.UsageError, match=f"^{path} is damaged, or not what tools.train writes: "
    ):
        learnt.read(str(tmp_path))


def test_a_run_of_weights_alone_keeps_nothing_of_the_images_before_it(
    tmp_path: pathlib.Path,
) -> None:
    config = runs.parse(tmp_path)
    learnt.save(str(tmp_path), config.task.train_data)
    space = runs.space_of(tmp_path)
    run_files.save(models.build_supernet(config.task, space), 0, config, space, str(tmp_path))
    assert learnt.read(str(tmp_path)) is None


@pytest.fixture
def begun(tmp_path: pathlib.Path) -> Callable[[str], cfg.ExperimentConfig]:
    """Configurations of a run in `tmp_path`, begun with 20 photos of which 14 are for training."""
    root = photos.write(tmp_path / "photos", {"cat": 10, "dog": 10}, side=16)

    def config(root: str) -> cfg.ExperimentConfig:
        data = {"source": "folder", "input_path": root, "tfds_split": "all[:14]", "num_classes": 2}
        selection = {"ranking_split": "all[14:17]", "reporting_split": "all[17:]"}
        task = {"train_data": data, "selection": selection}
        return runs.parse(tmp_path, json.dumps({"task": task}))

    first = config(str(root))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(first.as_dict()))
    learnt.save(str(tmp_path), first.task.train_data)
    return config


def test_a_run_is_not_resumed_where_its_images_have_changed(
    begun: Callable[[str], cfg.ExperimentConfig], tmp_path: pathlib.Path
) -> None:
    config = begun(str(tmp_path / "photos"))
    assert resuming.changes(str(tmp_path), config) == []
    (tmp_path / "photos" / "cat" / "003.png").unlink()
    expected = rf"^the run in {tmp_path} cannot be resumed: split 'all' .* \(20 then, 19 now\)"
    with pytest.raises(errors.UsageError, match=expected):
        resuming.changes(str(tmp_path), config)
    # A run that kept nothing, as those of older versions.
    (tmp_path / learnt.FILE).unlink()
    assert resuming.changes(str(tmp_path), config) == []


def test_a_run_is_not_resumed_with_what_would_hide_its_images(
    begun: Callable[[str], cfg.ExperimentConfig], tmp_path: pathlib.Path
) -> None:
    config = begun(str(tmp_path / "photos"))
    photos.write(tmp_path / "others", {"cat": 9, "dog": 9}, side=16)
    split, parent = copy.deepcopy(config), copy.deepcopy(config)
    split.task.train_data.tfds_split = "all[:10]"
    parent.task.init_checkpoint = str(tmp_path / "parent")
    for changed, was in (
        (begun(str(tmp_path / "others")), rf"data set was 'folder {tmp_path}/photos'"),
        (split, r"task\.train_data\.tfds_split was 'all\[:14\]'"),
        (parent, "task.init_checkpoint was ''"),
    ):
        hint = f"another model_dir, task.init_checkpoint={tmp_path}$"
        with pytest.raises(errors.UsageError, match=f"^{was} .* nothing would say .* {hint}"):
            resuming.changes(str(tmp_path), changed)
    # Files may move, and a run that kept nothing, such as an imported one, may learn from others.
    (tmp_path / "photos").rename(tmp_path / "moved")
    moved = begun(str(tmp_path / "moved"))
    (line,) = resuming.changes(str(tmp_path), moved)
    assert line.startswith("  changed: task.train_data.input_path was ")
    moved.task.train_data.tfds_split = "all[0:14]"  # the same ones
    assert len(resuming.changes(str(tmp_path), moved)) == 2
    (tmp_path / learnt.FILE).unlink()
    assert resuming.changes(str(tmp_path), split)


def test_a_run_that_started_from_another_may_name_it_in_other_words(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, other = (runs.parse(tmp_path) for _ in range(2))
    first.task.init_checkpoint, other.task.init_checkpoint = "parent", f"{tmp_path}/parent/"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(first.as_dict()))
    learnt.save(str(tmp_path), first.task.train_data)
    (line,) = resuming.changes(str(tmp_path), other)
    assert line.startswith("  changed: task.init_checkpoint was 'parent', ")


def test_a_folder_that_has_moved_may_have_a_new_split(tmp_path: pathlib.Path) -> None:
    names = {f"{split}/{name}": 2 for split in ("train", "test") for name in ("cat", "dog")}
    root = photos.write(tmp_path / "photos", names, side=16)
    data = samples.digits(source="folder", input_path=str(root), tfds_split="train", num_classes=2)
    before = identity.read(data)
    root.rename(tmp_path / "moved")
    moved = data.replace(input_path=str(tmp_path / "moved"))
    photos.write(tmp_path / "moved", {"more/cat": 2, "more/dog": 2}, side=16)
    assert identity.is_same(data, moved, before)
    (tmp_path / "moved" / "train" / "cat" / "000.png").unlink()
    assert not identity.is_same(data, moved, before)
