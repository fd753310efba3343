"""Broken runs and files: one line that says how to fix it, from whichever tool meets them."""

from __future__ import annotations

import json
import pathlib
import shutil

import pytest
import yaml

from tests.data import samples
from tests.forks import Forks
from tests.selection import digits
from tests.selection.digits import STEPS
from tests.tools import commands

pytestmark = pytest.mark.slow


def test_training_writes_the_learning_curves(run_dir: pathlib.Path) -> None:
    (row,) = json.loads((run_dir / "learning_curves.json").read_text())
    assert row["step"] == STEPS
    assert set(row["top1"]) == {"smallest", "biggest"}


def test_a_missing_run_is_refused(forks: Forks, tmp_path: pathlib.Path) -> None:
    error = commands.refuse(forks, "evaluate", model_dir=tmp_path / "none", architecture="smallest")
    assert f"{tmp_path / 'none'} is not the folder of a training run" in error


@pytest.mark.parametrize(
    ("tool", "flags"),
    [
        ("evaluate", {"architecture": "smallest"}),
        ("judge", {}),
        ("search", {"budgets_mflops": 1, "output_dir": "none"}),
    ],
)
def test_a_tpu_that_is_not_there_is_refused(
    forks: Forks, run_dir: pathlib.Path, tool: str, flags: dict[str, object]
) -> None:
    error = commands.refuse(forks, tool, model_dir=run_dir, tpu="local", **flags)
    assert error.startswith("error: TPU 'local' cannot be reached from here (")


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_a_corrupt_checkpoint_is_refused(forks: Forks, copy_dir: pathlib.Path, suffix: str) -> None:
    path = copy_dir / f"ckpt-{STEPS}.{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = commands.refuse(forks, "evaluate", model_dir=copy_dir, architecture="smallest")
    assert f"checkpoint {copy_dir}/ckpt-{STEPS}" in error


def test_a_run_without_a_checkpoint_is_refused(forks: Forks, copy_dir: pathlib.Path) -> None:
    flags = {"model_dir": copy_dir, "budgets_mflops": 0.03, "output_dir": copy_dir / "s"}
    (copy_dir / f"ckpt-{STEPS}.index").unlink()
    error = commands.refuse(forks, "search", **flags)
    assert f"checkpoint names ckpt-{STEPS}, which does not exist" in error
    (copy_dir / "checkpoint").unlink()
    error = commands.refuse(forks, "search", **flags)
    assert "holds no checkpoint; train first" in error


def test_a_checkpoint_of_another_space_is_refused(forks: Forks, copy_dir: pathlib.Path) -> None:
    other = digits.SPACE | {"name": "other", "head_widths": [16]}
    (copy_dir / "search_space.yaml").write_text(yaml.safe_dump(other))
    error = commands.refuse(forks, "evaluate", model_dir=copy_dir, architecture="smallest")
    assert "was trained in another search space than 'other'" in error


def test_an_architecture_outside_the_space_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    architecture = digits.space().smallest().to_json() | {"stem_width": 5}
    path = tmp_path / "child.json"
    path.write_text(json.dumps(architecture))
    error = commands.refuse(
        forks, "export", model_dir=run_dir, architecture=path, output_dir=tmp_path / "e"
    )
    assert "'stem_width' is 5; choose from [4, 8]" in error
    assert not (tmp_path / "e").exists()


def test_a_corrupt_architecture_file_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "child.json"
    path.write_text('{"resolution": 8, ')
    error = commands.refuse(forks, "evaluate", model_dir=run_dir, architecture=path)
    assert f"{path} is not valid JSON" in error


def test_an_empty_split_is_refused(forks: Forks, run_dir: pathlib.Path) -> None:
    error = commands.refuse(
        forks, "evaluate", model_dir=run_dir, architecture="smallest", split="test[:0]"
    )
    assert "split 'test[:0]' is empty" in error


def _edit(run: pathlib.Path, part: str, **changes: object) -> None:
    """Changes what a run's configuration says of its data or its selection."""
    path = run / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["task"][part].update(changes)
    path.write_text(yaml.safe_dump(values))
    (run / "images.json").unlink(missing_ok=True)  # of the images that it had


@pytest.mark.parametrize("tool", ["search", "evaluate"])
def test_an_image_that_cannot_be_read_is_named(
    forks: Forks, copy_dir: pathlib.Path, tool: str
) -> None:
    root = samples.write_folder(copy_dir / "photos")
    # As many classes as the run has.
    for number in range(samples.CLASSES, 10):
        shutil.copytree(root / "train" / "class_0", root / "train" / f"class_{number}")
    broken = root / "train" / "class_2" / "6.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    photos = {"source": "folder", "input_path": str(root), "tfds_split": "train[:4]"}
    _edit(copy_dir, "train_data", cache=False, **photos)
    parts = {"calibration": "train[:4]", "ranking": "train[4:10]", "reporting": "train[10:]"}
    named = {f"{use}_split": split for use, split in parts.items()}
    _edit(copy_dir, "selection", calibration_images=4, batch_size=2, **named)
    flags = {"model_dir": copy_dir, "budgets_mflops": 0.03, "output_dir": copy_dir / "s"}
    if tool == "evaluate":
        flags = {"model_dir": copy_dir, "architecture": "smallest", "split": "train"}
    error = commands.refuse(forks, tool, **flags)
    assert "class_2/6.jpg cannot be read; JPEG or PNG images are needed" in error


@pytest.mark.parametrize("tool", ["search", "export"])
def test_an_unwritable_output_folder_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path, tool: str
) -> None:
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "below"
    flags = {"budgets_mflops": 0.03} if tool == "search" else {"architecture": "smallest"}
    error = commands.refuse(forks, tool, model_dir=run_dir, output_dir=output, **flags)
    assert f"{output} is not a writable folder" in error


def test_a_quickstart_in_a_bucket_is_refused_before_anything_is_trained(forks: Forks) -> None:
    error = commands.refuse(forks, "quickstart", run_dir="gs://bucket/run")
    assert "gs://bucket/run is remote; name a local folder as --run_dir" in error
