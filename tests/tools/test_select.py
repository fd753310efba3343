"""Children selected again from a finished search, and what a selection leaves alone."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

import bignas_tf as bignas
from tests.forks import Forks
from tests.tools import commands
from tests.tools.commands import ROOT

pytestmark = pytest.mark.slow


def test_selecting_again_takes_no_tensorflow(
    search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = {"select": search_dir, "budgets_mflops": 0.05, "output_dir": tmp_path}
    blocked = "import sys, runpy; sys.modules['tensorflow'] = None; sys.argv = sys.argv[1:]"
    run = f"{blocked}; runpy.run_module('tools.search', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", run, "tools/search.py", *commands.arguments(flags)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0.05: ")
    entry = json.loads((tmp_path / "child_0.05.json").read_text())
    candidates = json.loads((search_dir / "search.json").read_text())["candidates"]
    within = [c["ranking_top1"] for c in candidates if c["costs"]["mflops"] <= 0.05]
    assert entry["ranking_top1"] == max(within)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"budgets_mflops": 0.05, "rerank": "int8:2"}, "search again in its folder with"),
        ({"budgets_mflops": 90}, "outside what was searched"),
        ({"budget": "litert_ms=1"}, "objective in this search is 'litert_ms'"),
        (
            {"budgets_mflops": 0.05, "model_dir": "runs/a"},
            "give exactly one of --model_dir and --se",
        ),
        ({}, "no budget; give --budgets_mflops"),
        ({"budgets_mflops": 0.05, "params_override": "task.seed=1"}, "--select takes budgets, "),
        ({"budgets_mflops": 0.05, "threads": 1}, "what it selects from has been measured"),
    ],
)
def test_a_selection_that_cannot_be_made_is_refused(
    forks: Forks,
    search_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    flags: dict[str, object],
    words: str,
) -> None:
    places = {"select": search_dir, "output_dir": tmp_path / "new"}
    assert words in commands.refuse(forks, "search", **places | flags)
    assert list(tmp_path.iterdir()) == []


def test_the_cheapest_of_those_alike_can_be_selected_again(
    search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    found = bignas.select(search_dir, ["mflops=0.08"], tmp_path, prefer="cheapest", show=None)
    (selected,) = found.selected
    tied = [found.candidates[place] for place in found.tied(selected.budget)]
    assert len(tied) > 1
    assert selected.architecture == tied[0].architecture
    assert (
        json.loads((tmp_path / "search.json").read_text())["settings"]["selection"]["prefer"]
        == "cheapest"
    )
    with pytest.raises(bignas.UsageError, match="prefer is 'dearest'; choose from"):
        bignas.select(search_dir, ["mflops=0.08"], tmp_path, prefer="dearest")


def test_a_selection_leaves_no_child_of_the_one_before(
    search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "child_mine.json").write_text("{}")
    for budget in ("mflops=0.08", "mflops=0.05"):
        bignas.select(search_dir, [budget], tmp_path, show=None)
    names = sorted(path.name for path in tmp_path.glob("*.json"))
    assert names == ["child_0.05.json", "child_mine.json", "search.json"]


def test_a_selection_never_replaces_a_search_of_other_weights(
    search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = json.loads((search_dir / "search.json").read_text())
    other["settings"]["source"]["index_sha256"] = "0" * 64
    content = json.dumps(other)
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(bignas.UsageError, match=r"holds children of other weights, .*ckpt-"):
        bignas.select(search_dir, ["mflops=0.05"], tmp_path)
    assert (tmp_path / "search.json").read_text() == content


def test_a_selection_never_replaces_its_search(forks: Forks, search_dir: pathlib.Path) -> None:
    flags = {"select": search_dir, "output_dir": search_dir, "budgets_mflops": 0.05}
    assert "choose another" in commands.refuse(forks, "search", **flags)
