"""A campaign's arithmetic and tables on figures made up for them, and the whole command."""

from __future__ import annotations

import collections
import itertools
import json
import pathlib
import shutil
import signal
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from bignas_tf.search_space import presets
from experiments.claim_parts import ablations, alone, ranking, recipes, summaries, uniform
from experiments.journal import Entry, Journal, digest
from tests.experiments.campaigns import SETTINGS, mflops, of_part
from tests.processes import Process
from tests.selection import digits

SMALL, BIG = presets.bignas_small().smallest(), presets.bignas_small().biggest()


def test_errors_over_seeds_are_of_the_mean() -> None:
    # Deviations of -0.1 and 0.1: a standard deviation of sqrt(0.02), over the root of two.
    assert summaries.over_seeds([0.1, 0.3]) == {
        "mean": pytest.approx(0.2),
        "error": pytest.approx(0.1),
        "values": [0.1, 0.3],
    }
    assert summaries.over_seeds([0.4])["error"] is None
    ours, theirs = summaries.over_seeds([0.5, 0.6]), summaries.over_seeds([0.4, 0.7])
    assert summaries.differences(ours, theirs)["values"] == pytest.approx([0.1, -0.1])
    assert summaries.mean_of([ours, theirs])["values"] == pytest.approx([0.45, 0.65])
    assert summaries.percent(summaries.over_seeds([0.1, 0.3]), "+") == "+20.00 ± 10.00"


def test_tau_counts_pairs_in_order() -> None:
    figures = [(1.0, 0.1, 0.2), (2.0, 0.2, 0.1), (3.0, 0.3, 0.3), (4.0, 0.4, 0.4)]
    rows = [dict(zip(("mflops", "sliced", "alone"), each, strict=True)) for each in figures]
    found = ranking.agreement(rows)
    # Five of six pairs are in order, one is not.
    assert found["all"]["tau"] == pytest.approx(4 / 6)
    assert found["top_quarter"] == {"children": 2, "tau": pytest.approx(1.0), "p": 1.0}
    equal = [row | {"sliced": 0.5} for row in rows]
    assert ranking.agreement(equal)["all"] == {"children": 4, "tau": None, "p": None}
    assert "| best quarter | 2 | supernet | 1 | 1 |" in ranking.table(found | {"steps_alone": 5})


def test_children_to_rank_are_spread_over_cost() -> None:
    drawn = ranking.spread_over_cost(presets.bignas_small(), 6, mflops)
    costs = [mflops(child) for child in drawn]
    assert len(set(drawn)) == 6
    assert costs == sorted(costs)
    ratios = [after / before for before, after in itertools.pairwise(costs)]
    assert min(ratios) > 0.5 * max(ratios)
    assert drawn == ranking.spread_over_cost(presets.bignas_small(), 6, mflops)


def test_uniform_children_grow_in_everything_and_the_best_keeps_its_budget() -> None:
    space = presets.bignas_small()
    children = uniform.children(space)
    costs = [mflops(child) for child in children]
    assert costs == sorted(costs)
    assert children[0] == space.with_resolution(space.smallest(), space.eval_resolutions[0])
    assert children[-1] == space.with_resolution(space.biggest(), space.eval_resolutions[-1])
    scores = [
        {"mflops": 1.0, "ranking_top1": 0.5, "reporting_top1": 0.9},
        {"mflops": 2.0, "ranking_top1": 0.6, "reporting_top1": 0.1},
        {"mflops": 3.0, "ranking_top1": 0.6, "reporting_top1": 0.2},
        {"mflops": 4.1, "ranking_top1": 0.9, "reporting_top1": 0.9},
    ]
    assert uniform.best_within(scores, 4.0) == 1


def accuracies(ranking_top1: float, reporting_top1: float) -> dict[str, float]:
    return {"ranking_top1": ranking_top1, "reporting_top1": reporting_top1, "mflops": 0.5}


def _write_alone(journal: Journal) -> None:
    """Two children and two seeds; the slice is better by 0.02 and 0.04, then by 0 and 0.02."""
    children = [child.to_json() for child in (SMALL, BIG)]

    def add(kind: str, result: Any, **what: Any) -> None:
        journal.add({"kind": kind, **what}, Entry(result, 1.0))

    found = [
        {"budget": budget, "architecture": child}
        for budget, child in zip(SETTINGS.budgets_mflops, children, strict=True)
    ]
    add("search", found, budgets=[1.0, 4.0])
    for seed in range(2):
        add("supernet", {"step": 100}, seed=seed)
        scores = [accuracies(0.9, 0.8 + 0.02 * seed), accuracies(0.9, 0.9 + 0.02 * seed)]
        add("sliced", scores, seed=seed, children=digest(children))
        for index, child in enumerate(children):
            fine = accuracies(0.9, 0.91)
            what = {"child": digest(child), "seed": seed}
            add("fine-tuned", fine, **what, steps=10, rate=0.1)
            for number, settings in enumerate(recipes.ALONE.values()):
                # The second setting is best by ranking; by reporting it would be the third.
                ranked, reported = [(0.5, 0.1), (0.7, 0.78 + 0.1 * index), (0.6, 0.99)][number]
                result = accuracies(ranked, reported)
                add("trained alone", result, **what, settings=list(settings), steps=100)


def test_the_table_of_children_alone(tmp_path: pathlib.Path, journal: Journal) -> None:
    _write_alone(journal)
    made = of_part(tmp_path, journal, alone)
    result = alone.measure(made)
    assert made.left == 0
    assert [row["setting"] for row in result["children"]] == ["crop", "crop"]
    assert result["difference"]["values"] == pytest.approx([0.02, 0.04])
    table = alone.table(result).splitlines()
    # Sliced 80 and 82, 90 and 92; alone 78 and 88.
    assert table[2:5] == [
        "| 1 M | 0.50 M | 81.00 ± 1.00 | 91.00 ± 0.00 | 78.00 ± 0.00 | crop | +3.00 ± 1.00 |",
        "| 4 M | 0.50 M | 91.00 ± 1.00 | 91.00 ± 0.00 | 88.00 ± 0.00 | crop | +3.00 ± 1.00 |",
        "| all |  | 86.00 ± 1.00 | 91.00 ± 0.00 | 83.00 ± 0.00 |  | +3.00 ± 1.00 |",
    ]
    alone.plot(result, tmp_path / "alone.png")
    assert (tmp_path / "alone.png").read_bytes().startswith(b"\x89PNG")


def test_a_unit_that_several_parts_need_is_planned_once() -> None:
    both = alone.plan(SETTINGS) | uniform.plan(SETTINGS) | ranking.plan(SETTINGS)
    assert collections.Counter(kind for kind, *_ in both) == {
        "supernet": 2,  # of each seed
        "search": 1,
        "sliced": 5,  # searched and uniform children of each seed, and those that are ranked
        "fine-tuned": 4,
        "trained alone": 2 * 4 + 4,  # two budgets with three settings and a second seed; ranked
    }


def test_the_table_of_ablations_names_what_diverged(
    tmp_path: pathlib.Path, journal: Journal
) -> None:
    for seed in range(2):
        journal.add({"kind": "supernet", "seed": seed}, Entry({"step": 100}, 1.0))
        base = {"smallest": 0.8, "biggest": 0.9, "random": 0.85}
        journal.add({"kind": "judged", "seed": seed}, Entry(base, 1.0))
        for name in SETTINGS.ablations:
            text = (ablations.FOLDER / f"{name}.yaml").read_text()
            what = {"seed": seed, "sources": [], "stretch": 1, "ablation": yaml.safe_load(text)}
            worse = {group: top1 - 0.01 * (1 + seed) for group, top1 in base.items()}
            diverged = name == "naive_init" and seed == 1
            result: Mapping[str, Any] = {"diverged": "at step 7"} if diverged else worse
            journal.add({"kind": "ablation", **what}, Entry(result, 1.0))
    made = of_part(tmp_path, journal, ablations)
    result = ablations.measure(made)
    assert made.left == 0
    lost = "-1.50 ± 0.50"
    assert ablations.table(result).splitlines()[2:] == [
        "| base | 80.00 ± 0.00 | 90.00 ± 0.00 | 85.00 ± 0.00 |  |  |  |",
        "| naive init | diverged | diverged | diverged |  |  |  |",
        "| no distillation | 78.50 ± 0.50 | 88.50 ± 0.50 | 83.50 ± 0.50 |" + f" {lost} |" * 3,
        "",
        "- naive_init: seed 1: at step 7",
    ]
    ablations.plot(result, tmp_path / "ablations.png")


def _campaign(folder: pathlib.Path, name: str, *flags: str) -> Process:
    return Process(
        "experiments.claims",
        "--parts=ranking",
        f"--config_file={folder / 'experiment.yaml'}",
        f"--params_override=task.model.search_space={folder / 'space.yaml'}",
        "--ranking_children=2",
        "--seeds=1",
        "--train_steps=4",
        f"--work_dir={folder / name}",
        f"--results_dir={folder / name / 'results'}",
        *flags,
    )


@pytest.mark.slow
def test_a_killed_campaign_ends_with_the_results_of_one_never_interrupted(
    tmp_path: pathlib.Path,
) -> None:
    _prepare(tmp_path)
    with _campaign(tmp_path, "whole") as whole:
        code, problem = whole.end()
        assert code == 0, problem
    _copy_without_the_last_unit(tmp_path)
    with _campaign(tmp_path, "killed") as first:
        first.until("unit 4/4: trained alone, child 2")
        first.until("step 2/4")
        first.send(signal.SIGKILL)
        # Reading to the end returns only when the unit's process has ended, too.
        assert first.end()[0] == -signal.SIGKILL
    with _campaign(tmp_path, "killed") as again:
        code, problem = again.end()
        assert code == 0, problem
        assert again.lines[0].startswith("unit 4/4: trained alone, child 2")
        assert any(line.startswith("resuming from ") for line in again.lines)
    results = [tmp_path / name / "results" for name in ("whole", "killed")]
    for file in ("ranking.json", "ranking.md"):
        assert results[0].joinpath(file).read_text() == results[1].joinpath(file).read_text()
    assert len(json.loads(results[0].joinpath("ranking.json").read_text())["children"]) == 2
    # Of all runs only the supernet is kept.
    kept = [path.name for path in (tmp_path / "killed").iterdir() if path.is_dir()]
    assert sorted(name.rpartition("_")[0] for name in kept) == ["", "supernet"]
    _check_report_only(tmp_path)


def _prepare(folder: pathlib.Path) -> None:
    """Writes a space of one block, and an experiment of two children a step."""
    task = digits.EXPERIMENT["task"]
    steps = {"steps_per_loop": 1, "checkpoint_interval": 1, "summary_interval": 1}
    experiment = {
        "task": task | {"evaluation": {"children": []}, "sandwich": {"num_random": 0}},
        "trainer": digits.EXPERIMENT["trainer"] | steps,
    }
    (folder / "space.yaml").write_text(presets.to_yaml(digits.one_block()))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))


def _copy_without_the_last_unit(folder: pathlib.Path) -> None:
    """Copies "whole" to "killed" as if all units but the last had ended, without results."""
    shutil.copytree(folder / "whole", folder / "killed")
    shutil.rmtree(folder / "killed" / "results")
    journal = folder / "killed" / "journal.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))


def _check_report_only(folder: pathlib.Path) -> None:
    table = folder / "killed" / "results" / "ranking.md"
    table.unlink()
    with _campaign(folder, "killed", "--report_only") as report:
        assert report.end()[0] == 0
        assert not any(line.startswith("unit ") for line in report.lines)
    assert table.exists()
