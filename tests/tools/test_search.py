"""Searches as a user types them: results, kills, new selections, and each mistake on the way."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import signal

import pytest

from tests.forks import Forks
from tests.processes import Process, free_hosts
from tests.tools import commands
from tests.tools.commands import BUDGETS

pytestmark = pytest.mark.slow


def _flags(run: pathlib.Path, output: pathlib.Path) -> dict[str, object]:
    """A search for one budget."""
    return {"model_dir": run, "budgets_mflops": 0.03, "output_dir": output}


def _both_budgets(run: pathlib.Path, output: pathlib.Path) -> list[str]:
    """The command line of the search in `search_dir`, for another folder."""
    budgets = ",".join(map(str, BUDGETS))
    return commands.arguments(_flags(run, output) | {"budgets_mflops": budgets})


def test_search_writes_what_it_promises(run_dir: pathlib.Path, search_dir: pathlib.Path) -> None:
    result = json.loads((search_dir / "search.json").read_text())
    counted = {"mflops", "params_m", "activation_mb"}
    assert set(result["objectives"]) == set(result["fronts"]) == counted
    # Of the 360 digits 47 are of the most frequent class.
    assert result["reporting"] == {"split": "test", "images": 360, "majority": 47 / 360}
    for candidate in result["candidates"]:
        assert set(candidate["costs"]) == counted
        assert candidate["phase"] in ("coarse", "fine")
    assert [entry["budget"] for entry in result["selected"]] == [{"mflops": b} for b in BUDGETS]
    for entry, budget in zip(result["selected"], BUDGETS, strict=True):
        assert entry["costs"]["mflops"] <= budget
        assert 0 <= entry["ranking_top1"] <= 1
        assert 0 <= entry["reporting_top1"] <= 1
        child = json.loads((search_dir / f"child_{budget}.json").read_text())
        assert child == entry
    how = json.loads((search_dir / "command.json").read_text())
    assert how["command"].startswith(f"python -m tools.search --model_dir={run_dir}")
    assert set(how["versions"]) >= {"python", "tensorflow"}


def test_a_search_that_is_killed_ends_as_the_others_do(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = _both_budgets(run_dir, tmp_path)
    with Process("tools.search", *flags) as search:
        for _ in range(3):
            search.until("coarse ")
        search.send(signal.SIGKILL)
        assert search.end()[0] == -signal.SIGKILL
    scored = sum("top-1" in line for line in search.lines)
    assert scored >= 3
    assert not (tmp_path / "search.json").exists()
    again = forks.run("tools.search", *flags)
    assert again.returncode == 0, again.stderr
    # A kill may come after the next candidate has been recorded, but not printed.
    assert again.stdout.count("(known)") >= scored
    assert (tmp_path / "search.json").read_text() == (search_dir / "search.json").read_text()


def _by_two(
    run_dir: pathlib.Path, output_dir: pathlib.Path
) -> tuple[list[tuple[int, str]], Process, Process]:
    """A search for both budgets by two processes: how each ended, and both, the chief first."""
    flags = [*_both_budgets(run_dir, output_dir), "--multi_worker"]
    hosts = free_hosts(2)
    with (
        Process("tools.search", *flags, hosts=hosts, index=0) as chief,
        Process("tools.search", *flags, hosts=hosts, index=1) as other,
    ):
        return [chief.end(), other.end()], chief, other


def test_two_processes_find_what_one_does(
    run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """They find a third of a journal, which only the chief reads."""
    lines = (search_dir / "journal.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_text("".join(lines[: len(lines) // 3]))
    ends, chief, other = _by_two(run_dir, tmp_path)
    assert [code for code, _ in ends] == [0, 0], "\n".join(stderr for _, stderr in ends)
    assert other.lines == []
    assert sum("(known)" in line for line in chief.lines) == len(lines) // 3 - 1
    assert (tmp_path / "search.json").read_text() == (search_dir / "search.json").read_text()
    found = sorted((tmp_path / "journal.jsonl").read_text().splitlines(keepends=True))
    assert found == sorted(lines)


def test_the_journal_of_another_search_is_refused_by_all_processes(
    run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Which the chief alone reads; the others would wait for it."""
    (tmp_path / "journal.jsonl").write_text('{"source": "another"}\n')
    ends, _, _ = _by_two(run_dir, tmp_path)
    for code, stderr in ends:
        assert code == 2
        assert "journal.jsonl belongs to a search of another checkpoint" in stderr


def test_the_file_that_ships_chooses_among_the_best_children(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "search"
    folder.mkdir()
    shutil.copy(search_dir / "journal.jsonl", folder)
    flags = _flags(run_dir, folder) | {"budgets_mflops": 0.05, "rerank": "int8:2"}
    done = forks.run("tools.search", *commands.arguments(flags))
    assert done.returncode == 0, done.stderr
    assert re.search(r" int8 2/2: top-1 \d+\.\d\d ± ", done.stdout.replace("\n", " "))
    result = json.loads((folder / "search.json").read_text())
    files = [c["converted"] for c in result["candidates"] if "converted" in c]
    assert len(files) == 2
    (selected,) = result["selected"]
    assert selected["converted"]["top1"] == max(each["top1"] for each in files)
    lost = selected["ranking_top1"] - selected["converted"]["top1"]
    assert selected["converted"]["top1_lost"] == pytest.approx(lost)
    assert json.loads((folder / "child_0.05.json").read_text()) == selected
    again = flags | {"output_dir": tmp_path / "again", "select": folder}
    del again["model_dir"]
    assert forks.run("tools.search", *commands.arguments(again)).returncode == 0
    assert json.loads((tmp_path / "again" / "child_0.05.json").read_text()) == selected


@pytest.mark.parametrize(
    ("rerank", "words"),
    [("int8", "as in int8:8"), ("onnx:4", "rerank's format is 'onnx'; choose from ['float32'")],
)
def test_files_that_cannot_be_compared_are_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path, rerank: str, words: str
) -> None:
    error = commands.refuse(forks, "search", **_flags(run_dir, tmp_path / "s"), rerank=rerank)
    assert words in error
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_the_run_is_no_place_for_a_search(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path
) -> None:
    """The command of the training would be replaced by that of the search."""
    words = "is the folder of a training run, whose files would be replaced; name one in it"
    assert words in commands.refuse(forks, "search", **_flags(run_dir, run_dir))
    selection = {"select": search_dir, "output_dir": run_dir, "budgets_mflops": 0.05}
    assert words in commands.refuse(forks, "search", **selection)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("task.selection.strategy=greedy", "task.selection.strategy is 'greedy'; choose from"),
        ("task.selection.strategy=random", "set task.selection.evaluations"),
        ("task.selection.evaluations=2", "is 2; the coarse grid alone takes"),
        ("task.selection.sead=1", "did you mean 'seed'"),
        ("task.model.execution=mask", "follows its run in all but task.selection"),
        ("task.selection.ranking_split='test[:100]'", "have images in common (100)"),
        ("task.selection.reporting_split='train[1100:1200]'", "(100); an accuracy on images of"),
        ("task.train_data.base_size=16", "base_size is 16; the supernet is made for 8"),
        ("task.train_data.channels=3", "channels is 3; the supernet is made for 1"),
        ("task.train_data.num_classes=11", "num_classes is 11, but digits has 10 classes; set"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path, override: str, words: str
) -> None:
    flags = _flags(run_dir, tmp_path / "s") | {"params_override": override}
    assert words in commands.refuse(forks, "search", **flags)
    assert not (tmp_path / "s").exists()


def test_an_infeasible_budget_is_refused_with_the_range(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = _flags(run_dir, tmp_path / "s") | {"budgets_mflops": 0.001}
    error = commands.refuse(forks, "search", **flags)
    assert "no child fits budget mflops=0.001;" in error
    assert "multiply-adds of the children of 'digits': from 0.013" in error
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("budgets", ["0.03,much", "-1"])
def test_a_budget_that_is_no_number_is_refused(
    forks: Forks, run_dir: pathlib.Path, budgets: str
) -> None:
    flags = {"model_dir": run_dir, "budgets_mflops": budgets, "output_dir": "none"}
    assert "is not a positive number" in commands.refuse(forks, "search", **flags)


def test_more_gpus_than_there_are_are_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    error = commands.refuse(forks, "search", **_flags(run_dir, tmp_path / "s"), num_gpus=1000)
    assert "num_gpus is 1000; TensorFlow finds " in error


def test_the_folder_of_a_search_with_other_splits_is_refused(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path
) -> None:
    before = (search_dir / "search.json").read_text()
    override = "task.selection.ranking_split='train[1300:]'"
    flags = _flags(run_dir, search_dir) | {"params_override": override}
    error = commands.refuse(forks, "search", **flags)
    assert "belongs to a search of another checkpoint, or with other splits" in error
    assert "(seen.ranking_split was 'train[1200:]', is now 'train[1300:]')" in error
    assert (search_dir / "search.json").read_text() == before
