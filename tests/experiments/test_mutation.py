"""Which changes of the code the tests notice: how that is found out."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from experiments.mutation import code_mutants, trial

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = """\
def first(values: list[int | None], start: int = 1 - 1) -> int | None:
    found: int | None = values[start]
    return found
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
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True)
    tests = ["tests/selection/test_hypervolume.py"]
    assert trial.run(copy, tests, limit_s=300).ended == trial.SURVIVED
    path = copy / "bignas_tf" / "selection" / "hypervolume.py"
    source = path.read_text()
    assert source.count("np.log2") == 1
    path.write_text(source.replace("np.log2", "np.log"))
    ended = trial.run(copy, tests, limit_s=300)
    assert ended.ended == trial.CAUGHT
    assert ended.said.startswith("FAILED tests/selection/test_hypervolume.py")
    path.write_text(source.replace("def ", "while True: pass\ndef ", 1))
    assert trial.run(copy, tests, limit_s=5).ended == trial.HUNG
    path.write_text(source)
    with pytest.raises(RuntimeError, match="no test was found"):
        trial.run(copy, [*tests, "--deselect=tests"], limit_s=300)
