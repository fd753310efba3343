"""A search with a strategy and objectives of the user's own, and of a part of the space."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import yaml

import bignas_tf as bignas
from bignas_tf.selection.config import SelectionConfig, unread
from bignas_tf.selection.pool import Pool
from bignas_tf.selection.strategies import STRATEGIES

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "searching.md"


@pytest.fixture(scope="module")
def run(run_dir: pathlib.Path) -> bignas.Run:
    return bignas.load(run_dir)


def _three(pool: Pool, settings: SelectionConfig) -> None:
    pool.score([pool.space.smallest(), pool.space.biggest()], "ends")
    for budget in pool.budgets:
        pool.score(pool.fresh(lambda: pool.space.biggest(), budget, 1), "again")


def _layers(child: bignas.Architecture) -> bignas.Measurement:
    return bignas.Measurement(sum(child.depths))


def test_the_python_of_the_page_runs(
    run: bignas.Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    given = [("mflops=4", "mflops=0.1"), ("widest_kb=60", "widest_kb=1"), ("=100", "=5")]
    for old, new in [*given, ('"runs/photos/climbed"', repr(f"{tmp_path}/climbed"))]:
        assert source.count(old) == 1
        source = source.replace(old, new)
    monkeypatch.setattr(bignas, "load", lambda folder: run)
    names: dict[str, Any] = {}
    exec(compile(source, str(PAGE), "exec"), names)
    found = names["found"]
    assert found.strategy == "own:climb"
    assert {each.phase for each in found.candidates} == {"start", "climb"}
    assert len(found.candidates) == 5
    for each in found.candidates:
        assert each.costs["widest_kb"] == pytest.approx(names["kilobytes"](each.architecture).value)
    assert (tmp_path / "climbed" / "child_widest_kb_1.json").is_file()
    assert bignas.read_search(tmp_path / "climbed") == found
    again = bignas.select(tmp_path / "climbed", "widest_kb=1", tmp_path / "again", show=None)
    assert [child.name for child in again.selected] == ["widest_kb_1"]


def test_a_measured_objective_is_remembered(run: bignas.Run, tmp_path: pathlib.Path) -> None:
    asked: list[bignas.Architecture] = []

    def joules(child: bignas.Architecture) -> bignas.Measurement:
        asked.append(child)
        return bignas.Measurement(0.5 * sum(child.depths), 0.01)

    energy = bignas.Objective("joules", "energy", "J", joules, counted=False)
    give: dict[str, Any] = {"objectives": [energy], "strategy": _three, "show": None}
    found = bignas.search(run, "joules=1.2", tmp_path, **give)
    assert {each.costs["joules"] for each in found.candidates} == {
        0.5 * sum(child.depths) for child in asked
    }
    measured = len(asked)
    assert bignas.search(run, "joules=1.2", tmp_path, **give) == found
    assert len(asked) == measured  # the journal knows them


@pytest.mark.parametrize(
    ("objective", "budget", "problem"),
    [
        (bignas.Objective("mflops", "", "", _layers), "mflops=1", "there is an objective 'mflops'"),
        (bignas.Objective("a b", "", "", _layers), "mflops=1", "the name of an objective is 'a b'"),
        (bignas.Objective("ranking_top1", "", "", _layers), "mflops=1", "no _top1 at the end"),
        (bignas.Objective("hypervolume", "", "", _layers), "mflops=1", "and not hypervolume"),
        (bignas.Objective("kb", 5, "", _layers), "mflops=1", "the title of kb is 5"),  # type: ignore[arg-type]
        (bignas.Objective("kb", "", "", None), "mflops=1", "measure of kb is None; it takes a fun"),  # type: ignore[arg-type]
        (bignas.Objective("kb", "", "", _layers, "no"), "mflops=1", "counted of kb is 'no'; it"),  # type: ignore[arg-type]
        (_layers, "mflops=1", "an objective is .* it takes a bignas.Objective"),
        (
            bignas.Objective("layers", "", "", _layers, counted=False),
            "mflops=1",
            "layers would be measured for no budget",
        ),
        (bignas.Objective("layers", "", "", _layers), "layer=1", "objective is 'layer'; choose"),
    ],
)
def test_an_objective_that_cannot_be_used_is_refused(
    run: bignas.Run, tmp_path: pathlib.Path, objective: Any, budget: str, problem: str
) -> None:
    with pytest.raises(bignas.UsageError, match=problem):
        bignas.search(run, budget, tmp_path / "s", objectives=[objective])
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("measure", "problem"),
    [
        (lambda child: 3.0, r"layers: what it gives is 3\.0; it takes a Measurement"),
        (
            lambda child: bignas.Measurement(0.0),
            r"its value is 0\.0; it takes a number above 1e-06",
        ),
        (lambda child: bignas.Measurement(float("nan")), "layers: its value is nan"),
        (lambda child: bignas.Measurement(10**400), "layers: its value is 1000"),
        (lambda child: bignas.Measurement(3.0, -1.0), r"its spread is -1\.0; it takes 0 or more"),
    ],
)
def test_a_cost_that_is_none_ends_the_search(
    run: bignas.Run, tmp_path: pathlib.Path, measure: Callable[..., Any], problem: str
) -> None:
    own = bignas.Objective("layers", "layers", "", measure)
    with pytest.raises(bignas.RunError, match=problem):
        bignas.search(run, "layers=5", tmp_path / "s", objectives=[own])


@pytest.mark.parametrize("resolutions", [(), (8, 10), (8,)])
@pytest.mark.parametrize("name", [*STRATEGIES, "own"])
def test_every_strategy_keeps_to_a_part(
    run: bignas.Run, tmp_path: pathlib.Path, name: str, resolutions: tuple[int, ...]
) -> None:
    """Whatever resolutions the coarse grid of the run has."""
    side = 10
    (tmp_path / "part.yaml").write_text(yaml.safe_dump({"eval_resolutions": [side]}))
    biggest = run.space.with_resolution(run.space.biggest(), side)
    most = bignas.cost(run, biggest).macs / 1e6
    changes: dict[str, Any] = {
        "evaluations": 24,
        "mutants": 2,
        "rounds": 2,
        "resolutions": resolutions,
    }
    if name in STRATEGIES:
        changes["strategy"] = name
    found = bignas.search(
        run,
        f"mflops={most}",
        tmp_path / "search",
        params_override={"task": {"selection": changes}},
        strategy=_three if name == "own" else None,
        within=tmp_path / "part.yaml",
        show=None,
    )
    assert len(found.candidates) > 1
    assert {each.architecture.resolution for each in found.candidates} == {side}
    with pytest.raises(bignas.UsageError, match=f"every child fits .* to {most:.6g}"):
        bignas.search(run, f"mflops={1.01 * most}", tmp_path / "s", within=tmp_path / "part.yaml")


def test_a_strategy_cannot_leave_the_part_or_write_to_what_is_recorded(
    run: bignas.Run, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "part.yaml").write_text("eval_resolutions: [10]")

    def beyond(pool: Pool, settings: SelectionConfig) -> None:
        pool.score([run.space.with_resolution(run.space.smallest(), 8)], "beyond")

    given: dict[str, Any] = {"within": tmp_path / "part.yaml", "show": None}
    with pytest.raises(bignas.UsageError, match=r"'resolution' is 8; choose from \[10\]"):
        bignas.search(run, "mflops=0.1", tmp_path / "s", strategy=beyond, **given)

    def scribbled(pool: Pool, settings: SelectionConfig) -> None:
        settings.prefer = "zzz"
        pool.score([pool.space.smallest()], "start")

    found = bignas.search(run, "mflops=0.1", tmp_path / "s", strategy=scribbled, **given)
    assert found.prefer == "best"
    assert found.selection["part"]["eval_resolutions"] == [10]
    assert bignas.read_search(tmp_path / "s") == found
    with pytest.raises(bignas.UsageError, match=r"children of 'digits within /.*part\.yaml': from"):
        bignas.search(run, "mflops=5", tmp_path / "t", **given)


def test_children_are_taken_as_the_space_writes_them(
    run: bignas.Run, tmp_path: pathlib.Path
) -> None:
    """A strategy computes with NumPy: files with its numbers, or 8.0, could not be read again."""
    small = run.space.smallest()
    others = {
        "resolution": np.int64(small.resolution),
        "stem_width": float(small.stem_width),
        "depths": [True, *small.depths[1:]] if small.depths[0] == 1 else list(small.depths),
    }

    def numeric(pool: Pool, settings: SelectionConfig) -> None:
        for name, value in others.items():
            pool.score([dataclasses.replace(small, **{name: value})], name)

    found = bignas.search(run, "mflops=0.1", tmp_path, strategy=numeric, show=None)
    assert [child.architecture for child in found.candidates] == [small]
    assert bignas.read_search(tmp_path) == found
    assert bignas.search(run, "mflops=0.1", tmp_path, strategy=numeric, show=None) == found


@pytest.mark.parametrize(
    ("scored", "phase", "problem"),
    [
        ("smallest", "start", r"what is scored is .* it takes a list of architectures"),
        (["smallest"], "\ud800", "the phase of a search"),
        (["smallest"], 3, "the phase of a search"),
        ([{"resolution": 8}], "start", "what is scored is {'resolution': 8}; it takes an archit"),
        ([np.zeros(3)], "start", "what is scored is .* it takes an architecture"),
    ],
)
def test_what_a_strategy_cannot_score_is_named(
    run: bignas.Run, tmp_path: pathlib.Path, scored: Any, phase: Any, problem: str
) -> None:
    small = run.space.smallest()
    given = small if scored == "smallest" else [small if isinstance(x, str) else x for x in scored]
    with pytest.raises(bignas.UsageError, match=problem):
        bignas.search(
            run, "mflops=0.1", tmp_path, show=None,
            strategy=lambda pool, settings: pool.score(given, phase),
        )  # fmt: skip


def test_a_strategy_that_scores_nothing_is_told_so(run: bignas.Run, tmp_path: pathlib.Path) -> None:
    with pytest.raises(bignas.RunError, match="the strategy of the search scored no child"):
        bignas.search(run, "mflops=0.1", tmp_path, strategy=lambda *given: None, show=None)


def test_settings_that_a_strategy_does_not_read_are_named(
    run: bignas.Run, tmp_path: pathlib.Path
) -> None:
    lines: list[str] = []
    changes = {"task": {"selection": {"strategy": "random", "evaluations": 2, "rounds": 3}}}
    bignas.search(run, "mflops=0.1", tmp_path, params_override=changes, show=lines.append)
    (line,) = (line for line in lines if "does not read" in line)
    assert line == "warning: the strategy 'random' does not read task.selection's rounds"


def test_the_usual_settings_are_read() -> None:
    usual = SelectionConfig(rounds=7)
    for name in STRATEGIES:
        given = SelectionConfig(strategy=name, evaluations=5, seed=3, prefer="cheapest", rounds=7)
        assert unread(given, usual) == []
    for name, field in (
        ("evolution", "trusted_tau"),
        ("predictor", "rounds"),
        ("random", "rounds"),
    ):
        given = dataclasses.replace(usual, **{"strategy": name, field: 1})
        assert unread(given, usual) == [field]
    given = dataclasses.replace(usual, population=9, resolutions=(8,))
    assert unread(given, usual) == ["population"]
