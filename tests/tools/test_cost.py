"""The cost tool: one line of JSON, or one line of error and exit code 2."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest

from bignas_tf import files
from bignas_tf.search_space import cost, presets, published
from tests.forks import Forks
from tests.interpreter import python
from tests.tools import commands


def _cost(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "tools.cost", *arguments)


def _printed(*arguments: str) -> dict[str, int]:
    done = _cost(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def test_a_published_child_with_the_defaults() -> None:
    space, child = presets.get("bignas_imagenet"), published.published("BigNASModel-S")
    expected = cost.count(space, child, num_classes=1000, input_channels=3)
    assert _printed("--architecture=BigNASModel-S") == expected._asdict()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_file_with_every_flag(tmp_path: pathlib.Path, wrapped: bool) -> None:
    space = presets.get("bignas_small")
    value = space.smallest().to_json()
    files.write_json(tmp_path / "child.json", {"architecture": value} if wrapped else value)
    printed = _printed(
        "--search_space=bignas_small",
        f"--architecture={tmp_path / 'child.json'}",
        "--num_classes=7",
        "--input_channels=1",
    )
    assert printed == cost.count(space, space.smallest(), 7, 1)._asdict()


@pytest.mark.parametrize("name", ["smallest", "biggest"])
def test_the_extremes_need_no_file(name: str) -> None:
    space = presets.get("bignas_small")
    printed = _printed("--search_space=bignas_small", f"--architecture={name}")
    assert printed == cost.count(space, presets.child(space, name), 1000, 3)._asdict()


@pytest.mark.slow
def test_a_run_says_its_space_classes_and_channels(forks: Forks, tmp_path: pathlib.Path) -> None:
    space = presets.get("bignas_small")
    (tmp_path / "search_space.yaml").write_text(presets.to_yaml(space))
    data = "{source: digits, tfds_split: train, global_batch_size: 8, num_classes: 7, channels: 1}"
    (tmp_path / "params.yaml").write_text(f"task: {{train_data: {data}}}\n")
    flags = {"model_dir": tmp_path, "architecture": "smallest"}
    printed = commands.run(forks, "cost", **flags)
    assert json.loads(printed) == cost.count(space, space.smallest(), 7, 1)._asdict()
    printed = commands.run(forks, "cost", **flags, num_classes=12)
    assert json.loads(printed) == cost.count(space, space.smallest(), 12, 1)._asdict()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "--architecture is missing; see --help"),
        (("--architecture=BigNASModel-XL",), "smallest, biggest, BigNASModel-S, BigNASModel-M"),
        (("--architecture=missing.json",), "missing.json cannot be read"),
        (("--architecture=BigNASModel-S", "--search_space=nowhere"), "nowhere"),
        (("--architecture=BigNASModel-S", "--search_space=bignas_small"), "resolution"),
        (
            ("--architecture=BigNASModel-S", f"--num_classes={10**30}"),
            "; it takes a whole number from 1 to 4194304",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: tuple[str, ...], named: str) -> None:
    done = _cost(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert named in done.stderr


@pytest.mark.slow
def test_a_run_has_its_own_space(forks: Forks, run_dir: pathlib.Path) -> None:
    both = {"model_dir": run_dir, "search_space": "bignas_small"}
    assert "a run has its own space" in commands.refuse(
        forks, "cost", architecture="smallest", **both
    )


def test_no_classes_exits_2_and_names_the_flag() -> None:
    done = _cost("--architecture=BigNASModel-S", "--num_classes=0")
    assert done.returncode == 2
    assert "num_classes" in done.stdout + done.stderr


def test_tensorflow_is_not_imported() -> None:
    done = python("-X", "importtime", "-m", "tools.cost", "--architecture=BigNASModel-S")
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "numpy" in imported
    assert "tensorflow" not in imported
