"""docs/tutorial.ipynb runs from its first cell to its last, without Jupyter."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import matplotlib
import pytest
import tensorflow as tf

NOTEBOOK = pathlib.Path(__file__).resolve().parent.parent / "docs" / "tutorial.ipynb"
# In the tests it trains for a moment, two children and without tracing, and ranks fewer children
# after fewer images.
SHORTER = {
    "  train_steps: 100\n": (
        "  train_steps: 1\n  train_tf_while_loop: false\n  train_tf_function: false\n"
    ),
    "  selection:\n": "  sandwich:\n    num_random: 0\n  selection:\n",
    "calibration_split: 'train[:500]'\n    calibration_images: 500\n": (
        "calibration_split: 'train[:64]'\n    calibration_images: 64\n"
    ),
    "    mutants: 4\n": (
        "    mutants: 1\n    resolutions: [20]\n    kernel_patterns: [smallest]\n"
    ),
}


def _code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    sources = ["".join(cell["source"]) for cell in _code_cells()]
    for long, short in SHORTER.items():
        assert sum(long in source for source in sources) == 1
        sources = [source.replace(long, short) for source in sources]
    names = {}
    for number, source in enumerate(sources, 1):
        exec(compile(source, f"cell {number}", "exec"), names)
    assert [child.name for child in names["found"].selected] == ["1", "3", "8"]
    assert len(names["names"]) == len(names["shown"])
    assert tf.saved_model.contains_saved_model(str(names["version"]))


def test_its_pictures_are_in_it() -> None:
    outputs = [output for cell in _code_cells() for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert not [output for output in outputs if output["output_type"] == "error"]
