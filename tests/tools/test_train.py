"""The training tool: a mistake is one line of error and exit code 2."""

from __future__ import annotations

import pathlib

import pytest

from tests.forks import Forks
from tests.tools import commands

pytestmark = pytest.mark.slow

DIGITS = "experiments/digits.yaml"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--experiment=bignas_big", "experiment is 'bignas_big'; choose from"),
        ("--params_override=task.sandwitch.biggest=true", "did you mean 'sandwich'"),
        ("--params_override=task.selection.ranking_split='test[:9]'", "images in common (9)"),
        ("--params_override=runtime.num_gpus=1000", "num_gpus is 1000; TensorFlow finds "),
        (
            "--params_override=runtime.distribution_strategy=tpu",
            "no TPU is named: give --tpu=local on its only host, --tpu=NAME for a slice",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    forks: Forks, tmp_path: pathlib.Path, argument: str, words: str
) -> None:
    flags = {"config_file": DIGITS, "model_dir": tmp_path / "run"}
    assert words in commands.refuse(forks, "train", argument, **flags)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_written(forks: Forks, tmp_path: pathlib.Path) -> None:
    # Below a file, for root may write wherever permissions forbid it.
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "run"
    error = commands.refuse(forks, "train", config_file=DIGITS, model_dir=folder)
    assert f"{folder} is not a writable folder" in error
