"""Which changes of the code the tests notice: how that is found out."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import pytest

from experiments.mutation import code_mutants

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = """\
def first(values: list[int | None], start: int = 1 - 1) -> int | None:
    found: int | None = values[start]
    return found
"""

TRIALS = """
import multiprocessing, pathlib, sys
from experiments.mutation import trial

def show(tests, limit_s):
    try:
        ended = trial.run(copy, tests, limit_s)
        print(f"{ended.ended}: {ended.said}", flush=True)
    except RuntimeError as error:
        print(error, flush=True)

if __name__ == "__main__":
    copy, tests = pathlib.Path(sys.argv[1]), ["tests/selection/test_hypervolume.py"]
    show(tests, 300)
    path = copy / "bignas_tf" / "selection" / "hypervolume.py"
    source = path.read_text()
    path.write_text(source.replace("np.log2", "np.log"))
    show(tests, 300)
    path.write_text(source.replace("def ", "while True: pass\\ndef ", 1))
    show(tests, 1)
    path.write_text(source)
    show(["tests/selection/test_hypervolume.py::test_that_is_gone"], 300)
    multiprocessing.forkserver._forkserver._stop()
    trial.PRELOADED[:] = ["bignas_tf.errors"]
    show(tests, 300)
"""


def test_annotations_are_left_alone() -> None:
    lines = SOURCE.splitlines()
    places = sorted(code_mutants.annotated(SOURCE))
    texts = [lines[line - 1][start:end] for (line, start), (_, end) in places]
    assert texts == ["list[int | None]", "int", "int | None", "int | None"]


def test_a_sample_has_each_place_once_and_the_same_ones_again(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("cosmic_ray", reason="cosmic-ray is not installed")
    (tmp_path / "code.py").write_text(SOURCE)
    mutants = code_mutants.sample(tmp_path, ["."], 100, seed=0)
    assert mutants == code_mutants.sample(tmp_path, ["."], 100, seed=0)
    changed = [code_mutants.changed(SOURCE, mutant) for mutant in mutants]
    assert len(changed) == len(set(changed)) == 3  # both numbers, and the minus


@pytest.mark.slow
def test_a_mutant_is_caught_by_a_test_of_its_line(tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "copy"
    kept = shutil.ignore_patterns(".*", "runs", "__pycache__", "results")
    shutil.copytree(ROOT, copy, ignore=kept)
    # In a process of its own, whose forkserver has not imported the project for other tests.
    ran = subprocess.run(
        [sys.executable, "-c", TRIALS, str(copy)], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    survived, caught, hung, wrong, late = ran.stdout.splitlines()
    assert survived.startswith("survived: 8 passed")
    assert caught.startswith("caught: FAILED tests/selection/test_hypervolume.py")
    assert hung == "hung: "
    assert "the trial failed with exit code 4; see " in wrong
    assert "the trial failed with exit code 99; see " in late
