"""What the folder of a training by the Model Garden says of its child, and what may continue it."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from official.core import config_definitions as cfg

import bignas_tf as bignas
from bignas_tf.api import garden_run

CARD = {"search_space": "tiny", "architecture": {"depths": [1, 1]}, "licence": "of A"}


def _child(folder: pathlib.Path, **changes: object) -> pathlib.Path:
    folder.mkdir()
    (folder / "child.json").write_text(json.dumps(CARD | changes))
    return folder


def _config(child: pathlib.Path, *more: str) -> cfg.ExperimentConfig:
    backbone = f"task.model.backbone.bignas_child.export_dir={child}"
    return bignas.configure_garden("retinanet_bignas", [], ",".join([backbone, *more]))


@pytest.fixture
def run_dir(tmp_path: pathlib.Path) -> pathlib.Path:
    """Of a training that began with child A."""
    config, folder = _config(_child(tmp_path / "A")), tmp_path / "run"
    folder.mkdir()
    garden_run.write(str(folder), config, new=True, trains=True)
    return folder


def _exported(run_dir: pathlib.Path, child: str = "A") -> dict[str, object] | None:
    """The card that an export gets, with the child where it is now."""
    version = run_dir.parent / "version"
    version.mkdir()
    backbone = _config(run_dir.parent / child).task.model.backbone.get()
    garden_run.copy_card(str(run_dir), backbone, version)
    path = version / "backbone.json"
    return json.loads(path.read_text()) if path.exists() else None


def test_the_card_is_of_the_child_that_the_training_began_with(
    run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    later = _config(_child(tmp_path / "B", licence="of B"))
    (line,) = garden_run.check(str(run_dir), later)
    assert line.startswith("  changed: task.model.backbone.bignas_child.export_dir was ")
    garden_run.write(str(run_dir), later, new=False, trains=True)
    assert _exported(run_dir) == CARD


def test_random_weights_have_no_card_whatever_is_said_later(
    run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    random = _config(tmp_path / "A", "task.model.backbone.bignas_child.pretrained=false")
    garden_run.write(str(run_dir), random, new=True, trains=False)
    assert _exported(run_dir) is None  # params.yaml has pretrained=true


def test_a_training_that_kept_no_card_has_that_of_its_configuration(run_dir: pathlib.Path) -> None:
    (run_dir / "backbone.json").unlink()
    (run_dir.parent / "A").rename(run_dir.parent / "moved")
    garden_run.check(str(run_dir), _config(run_dir.parent / "moved"))
    assert _exported(run_dir, "moved") == CARD


def test_a_forgotten_child_is_asked_for(run_dir: pathlib.Path) -> None:
    forgotten = bignas.configure_garden("retinanet_bignas")
    with pytest.raises(bignas.UsageError, match=r"^no child is named; set .*\.export_dir to the"):
        garden_run.check(str(run_dir), forgotten)


@pytest.mark.parametrize(
    ("file", "content"), [("backbone.json", "[1]"), ("child.json", "5"), ("child.json", "[1, 2]")]
)
def test_a_damaged_card_is_refused(run_dir: pathlib.Path, file: str, content: str) -> None:
    child = run_dir.parent / "A"
    ((child if file == "child.json" else run_dir) / file).write_text(content)
    with pytest.raises(bignas.UsageError, match=rf"{re.escape(file)} is damaged"):
        garden_run.check(str(run_dir), _config(child))


@pytest.mark.parametrize("change", [{"architecture": {"depths": [1, 2]}}, {"search_space": "big"}])
def test_another_child_is_refused(
    run_dir: pathlib.Path, tmp_path: pathlib.Path, change: dict[str, object]
) -> None:
    other = _config(_child(tmp_path / "B", **change))
    with pytest.raises(bignas.UsageError, match=f"the child's {next(iter(change))} was .*not for"):
        garden_run.check(str(run_dir), other)


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ("head.num_convs=1", False),
        ("num_classes=3", False),
        ("detection_generator.max_num_detections=7", True),
        ("norm_activation.norm_momentum=0.8", True),
    ],
)
def test_what_weights_depend_on_stays(
    run_dir: pathlib.Path, tmp_path: pathlib.Path, change: str, fits: bool
) -> None:
    config = _config(tmp_path / "A", f"task.model.{change}")
    if fits:
        assert len(garden_run.check(str(run_dir), config)) == 1
        return
    with pytest.raises(
        bignas.UsageError, match=r"which its weights are not for; give .*params\.yaml"
    ):
        garden_run.check(str(run_dir), config)


def test_a_value_that_an_older_version_did_not_write_is_no_change_of_the_model(
    run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = run_dir / "params.yaml"
    kept = [line for line in path.read_text().splitlines() if "norm_epsilon" not in line]
    path.write_text("\n".join(kept))
    lines = garden_run.check(str(run_dir), _config(tmp_path / "A"))
    assert any("norm_epsilon was not set, is now 0.001" in line for line in lines)
