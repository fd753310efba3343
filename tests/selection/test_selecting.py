"""Another selection from a finished search."""

from __future__ import annotations

import json
import pathlib

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors, files
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import result, selecting
from bignas_tf.selection.budgets import Budget
from tests.selection.made_up_candidates import CHEAP, DEAR, DEAREST, FOUND, select


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A finished search."""
    result.write(tmp_path, select(FOUND, {"mflops": 50}))
    return tmp_path


def test_selecting_again_needs_no_evaluation(folder: pathlib.Path) -> None:
    wanted = [Budget({"mflops": 50}), Budget({"mflops": 22}), Budget({"ms": 1.0})]
    again = selecting.select_again(result.read(folder), wanted)
    known, cheap, fast = again.selected
    assert [again.child(each) for each in ("mflops=50", wanted[1], "ms=1")] == [known, cheap, fast]
    with pytest.raises(
        errors.UsageError, match=r"selected for mflops=30; there are children for mflops=50, "
    ):
        again.child("mflops=30")
    with pytest.raises(errors.UsageError, match=r"^budget 30: write it as in 'mflops=4'$"):
        again.child(30)  # type: ignore[arg-type]
    both = Budget({"ms": 3.0, "mflops": 40})
    two = selecting.select_again(result.read(folder), [both])
    assert two.child("mflops=40,ms=3") == two.child(both) == two.selected[0]
    assert "candidates=" not in str(again)  # there are hundreds
    assert known.architecture == DEAREST.architecture
    assert known.reporting == Accuracy(0.8, 100)
    assert cheap.architecture == CHEAP.architecture
    assert cheap.reporting is None
    assert cheap.to_json()["reporting_top1"] is cheap.to_json()["reporting_error"] is None
    assert fast.architecture == DEAR.architecture
    assert again.to_json()["settings"]["budgets"] == [{"mflops": 50}, {"mflops": 22}, {"ms": 1.0}]
    lines: list[str] = []
    result.write(folder / "again", again, lines.append)
    assert result.read(folder / "again") == again
    assert lines == []
    assert json.loads((folder / "again" / "child_22.json").read_text()) == cheap.to_json()
    assert Architecture.load(folder / "again" / "child_ms_1.json") == DEAR.architecture
    result.write(folder / "again", two, lines.append)
    gone = ["child_22.json", "child_50.json", "child_ms_1.json"]
    assert lines == [f"removed children of other budgets: {', '.join(gone)}"]
    kept = sorted(path.name for path in (folder / "again").glob("child_*"))
    assert kept == ["child_mflops_40_ms_3.json"]


def test_a_kill_while_children_are_replaced_leaves_none_of_other_budgets(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = (select(FOUND, {"mflops": limit}) for limit in (22, 50))
    result.write(tmp_path, before)
    with monkeypatch.context() as killed:
        _stop_at_the_last_file(killed)
        with pytest.raises(KeyboardInterrupt):
            result.write(tmp_path, after)
    result.write(tmp_path, after)
    assert [path.name for path in tmp_path.glob("child_*")] == ["child_50.json"]


def _stop_at_the_last_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write_json

    def stopped(path: str, content: object) -> None:
        write(path, content)
        if path.endswith(result.FILE):
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_json", stopped)


def test_what_holds_whatever_is_selected_stays_and_may_be_absent(folder: pathlib.Path) -> None:
    path, told = folder / "search.json", "ranked on images of training"
    plain = json.loads(path.read_text())
    assert "caveats" not in plain["settings"]  # as in files from before there were any
    plain["settings"]["caveats"] = [told]
    path.write_text(json.dumps(plain))
    again = selecting.select_again(result.read(folder), [Budget({"mflops": 22})])
    assert again.warnings[0] == told
    assert result.SearchResult.from_json(again.to_json()) == again
    plain["settings"]["caveats"] = [5]
    path.write_text(json.dumps(plain))
    with pytest.raises(errors.UsageError, match=r"search\.json is damaged.*caveats"):
        result.read(folder)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"mflops": 19.0}, r"mflops=19 is outside what was searched: from 20 to 50 M"),
        ({"mflops": 51.0}, r"mflops=51 is outside what was searched: from 20 to 50 M"),
        ({"ms": 3.5}, r"ms=3.5 is outside what was searched: from 1 to 3 ms"),
        (
            {"params_m": 1.0},
            r"objective in this search is 'params_m'; choose from \['mflops', 'ms'\]",
        ),
        ({"mflops": 20.0, "ms": 1.0}, "no candidate of the search is within budget mflops_20_ms_1"),
    ],
)
def test_selecting_outside_the_search_is_refused(
    folder: pathlib.Path, limits: dict[str, float], message: str
) -> None:
    with pytest.raises(errors.UsageError, match=message):
        selecting.select_again(result.read(folder), [Budget(limits)])
