"""Judging a real run: what it writes and prints, and each mistake on the way."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
import yaml

from bignas_tf.selection import judgement as judgement_lib
from bignas_tf.selection import judging
from bignas_tf.training import checkpoints
from tests.forks import Forks
from tests.selection import digits
from tests.tools import commands

pytestmark = pytest.mark.slow

SIDES = ["8", "9", "10"]
NAMES = ["smallest", *(f"random {number}" for number in range(1, 6)), "biggest"]


def _result(run: pathlib.Path) -> dict[str, Any]:
    return json.loads((run / judgement_lib.FILE).read_text())


def _cells(printed: str, name: str) -> list[str]:
    """The figures of a row of the table."""
    (row,) = [line for line in printed.splitlines() if line.startswith(f"{name}  ")]
    return row.split()[-len(SIDES) :]


def test_every_child_is_judged_at_every_resolution(run_dir: pathlib.Path, judged: str) -> None:
    result = _result(run_dir)
    assert result["resolutions"] == [8, 9, 10]
    assert [child["name"] for child in result["children"]] == NAMES
    for child in result["children"]:
        assert list(child["macs"]) == list(child["top1"]) == SIDES
        assert _cells(judged, child["name"]) == [
            f"{100 * child['top1'][side]:.2f}" for side in SIDES
        ]
    settings = result["settings"]
    assert settings["source"] == checkpoints.load_run(str(run_dir)).source
    assert (settings["split"], settings["images"], settings["seed"]) == ("test", 360, 0)
    random = [child["top1"]["9"] for child in result["children"][1:-1]]
    assert _cells(judged, "random, mean")[1] == f"{100 * sum(random) / 5:.2f}"
    lines = [line for line in judged.splitlines() if line.startswith("warning: ")]
    assert lines == [f"warning: {each}" for each in result["warnings"]]
    assert "warning: no child was trained at 9 px" in lines
    assert judged.startswith("7 children at 3 resolutions, 360 images of test\n")


def test_output_names_the_file(forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    output = tmp_path / "new" / "mine.json"
    flags = {"model_dir": run_dir, "children": 1, "images": 50, "seed": 3, "output": output}
    printed = commands.run(forks, "judge", **flags, split="train[1200:]")
    assert printed.startswith("3 children at 3 resolutions, 50 images of train[1200:]\n")
    assert list(output.parent.iterdir()) == [output]
    result = json.loads(output.read_text())
    assert [child["name"] for child in result["children"]] == ["smallest", "random 1", "biggest"]
    settings = result["settings"]
    assert (settings["images"], settings["random_children"], settings["seed"]) == (50, 1, 3)
    assert settings["split"] == "train[1200:]"
    drawn = judging.sample_children(digits.space(), 1, 3)["random 1"]
    assert result["children"][1]["architecture"] == drawn.to_json()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"model_dir": "none"}, "none is not the folder of a training run"),
        ({"split": "best"}, "best"),
        ({"split": "test[:0]"}, "split 'test[:0]' is empty"),
        ({"children": -1}, "--children=-1"),
        ({"children": 0}, "--children=0"),
        ({"images": -1}, "--images=-1"),
        ({"seed": -1}, "--seed=-1"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    forks: Forks,
    run_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    flags: dict[str, object],
    words: str,
) -> None:
    output = tmp_path / "judgement.json"
    error = commands.refuse(forks, "judge", **{"model_dir": run_dir, "output": output} | flags)
    assert words in error
    assert not output.exists()


def test_an_output_that_cannot_be_written_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "judgement.json"
    error = commands.refuse(forks, "judge", model_dir=run_dir, output=below)
    assert f"{tmp_path / 'file'} is not a writable folder" in error
    error = commands.refuse(forks, "judge", model_dir=run_dir, output=tmp_path)
    assert f"output={tmp_path} is a folder; name a file" in error


def test_a_child_trained_alone_is_no_supernet(forks: Forks, copy_dir: pathlib.Path) -> None:
    path = copy_dir / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["task"]["sandwich"]["alone"] = "biggest"
    path.write_text(yaml.safe_dump(values))
    error = commands.refuse(forks, "judge", model_dir=copy_dir)
    assert "trained one child alone (task.sandwich.alone is 'biggest'), not a supernet" in error
    assert not (copy_dir / judgement_lib.FILE).exists()
