"""The training tool: a mistake is one line of error and exit code 2."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

# Each starts Python and imports TensorFlow.
pytestmark = pytest.mark.slow

DIGITS = "--config_file=experiments/digits.yaml"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def _train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.train", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def _refused(done: subprocess.CompletedProcess[str], words: str) -> None:
    """TensorFlow may write lines of its own; of ours there is one."""
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    ours = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(ours) == 1
    assert words in ours[0]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--experiment=bignas_big", "unknown experiment 'bignas_big'; choose from"),
        ("--params_override=task.sandwitch.biggest=true", "nearest is 'task.sandwich'"),
        ("--params_override=task.selection.ranking_split='test[:9]'", "images in common (9)"),
        ("--params_override=runtime.num_gpus=1000", "num_gpus is 1000; TensorFlow finds "),
        (
            "--params_override=runtime.distribution_strategy=tpu",
            "tpu: Please provide a TPU Name to connect to.",
        ),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_folder(
    tmp_path: pathlib.Path, argument: str, words: str
) -> None:
    _refused(_train(DIGITS, argument, f"--model_dir={tmp_path / 'run'}"), words)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    # Below a file, for root may write wherever permissions forbid it.
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "run"
    _refused(_train(DIGITS, f"--model_dir={folder}"), f"{folder} is not a writable folder")
