"""The Python of README.md runs as it stands, but on a run that was trained before."""

from __future__ import annotations

import pathlib
import re
import shutil
from typing import Any

import pytest

import bignas_tf as bignas
from tests.tools.commands import BUDGETS

README = pathlib.Path(__file__).resolve().parent.parent / "README.md"
SMALL, LARGE = BUDGETS
# In the tests it goes on with the shared run on digits and its search, and downloads nothing.
SHORTER = {
    'bignas.prepare_data("fashion_mnist")': "",
    '["fashion_mnist.yaml"], "trainer.train_steps=500"': "[EXPERIMENT], SPACE",
    "judge(run, images=2000)": "judge(run, images=64, children=1)",
    '["mflops=1", "mflops=4"]': f'["mflops={SMALL}", "mflops={LARGE}"]',
    '["mflops=3"]': '["mflops=0.05"]',
    'found.child("mflops=4")': f'found.child("mflops={LARGE}")',
    'export(run, "runs/fashion/search/child_4.json"': (
        f'export(run, "runs/fashion/search/child_{LARGE}.json"'
    ),
    '["float32", "int8"]': '["float32"]',
}


@pytest.mark.slow
def test_the_python_of_the_readme_runs(
    run_dir: pathlib.Path,
    search_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left_out = shutil.ignore_patterns("export", "judgement.json", ".*")
    shutil.copytree(run_dir, tmp_path / "runs" / "fashion", ignore=left_out)
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for long, short in SHORTER.items():
        assert source.count(long) == 1, long
        source = source.replace(long, short)
    names: dict[str, Any] = {
        "EXPERIMENT": run_dir.parent / "experiment.yaml",
        "SPACE": f"task.model.search_space={run_dir.parent / 'space.yaml'}",
    }
    exec(compile(source, str(README), "exec"), names)
    assert [child.name for child in names["found"].selected] == list(map(str, BUDGETS))
    assert [child.name for child in names["again"].selected] == ["0.05"]
    assert names["found"].candidates == bignas.read_search(search_dir).candidates
    assert names["accuracy"] == names["found"].selected[-1].reporting
    assert names["model"].output_shape == (None, 10)
    assert len(names["judgement"].children) == 3
    assert (tmp_path / names["version"] / "converted" / "child_float32.tflite").is_file()
    assert (tmp_path / "runs" / "fashion" / "report.html").is_file()
