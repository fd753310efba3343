"""What search.json and judgement.json may hold: whatever else is there is refused by name."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.selection import judgement as judgement_lib
from bignas_tf.selection import result
from bignas_tf.selection.judgement import Judgement
from bignas_tf.selection.result import SearchResult
from tests.selection import digits, made_up_judgements, made_up_searches

Change = Callable[[dict[str, Any]], Any]
RECORDED = pathlib.Path(__file__).parents[2] / "experiments" / "results" / "search"


def _first(found: dict[str, Any]) -> dict[str, Any]:
    return found["candidates"][0]


def _selected(found: dict[str, Any]) -> dict[str, Any]:
    return found["selected"][0]


def _data(found: dict[str, Any]) -> dict[str, Any]:
    return found["settings"]["train_data"]


def test_a_recorded_search_is_read_and_written_to_the_byte(tmp_path: pathlib.Path) -> None:
    found = result.read(RECORDED)
    assert [child.name for child in found.selected][-1] == "7"
    result.write(tmp_path, found)
    assert (tmp_path / result.FILE).read_bytes() == (RECORDED / result.FILE).read_bytes()


def test_what_is_written_is_read_as_it_was(tmp_path: pathlib.Path) -> None:
    search, judgement = made_up_searches.result(), made_up_judgements.judgement()
    result.write(tmp_path, search)
    assert result.read(tmp_path, digits.space()) == search
    judgement_lib.write(tmp_path / judgement_lib.FILE, judgement)
    assert judgement_lib.read(tmp_path / judgement_lib.FILE, digits.space()) == judgement


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found.pop("warnings"), "no 'warnings'"),
        (lambda found: found.update(warnings=[7]), "warnings[0] is 7; it takes text"),
        (lambda found: found.update(objectives=["mflops"]), "objectives is ['mflops']; it takes"),
        (lambda found: found["objectives"].update({"../x": {}}), "'../x' is not a name of an"),
        (lambda found: found["objectives"]["mflops"].pop("unit"), "objectives.mflops has no"),
        (lambda found: found.update(candidates={}), "candidates is {}; it takes a list"),
        (lambda found: _first(found).pop("costs"), "candidates[0] has no 'costs'"),
        (lambda found: _first(found).update(ranking_top1="high"), "is 'high'; it takes a number"),
        (lambda found: _first(found).update(ranking_top1=float("inf")), "is inf; it takes"),
        (lambda found: _first(found).update(ranking_top1=float("nan")), "is nan; it takes"),
        (lambda found: _first(found).update(ranking_top1=True), "is True; it takes a number"),
        (lambda found: _first(found).update(ranking_top1=1.5), "is 1.5; it takes 0 to 1"),
        (lambda found: _first(found).update(ranking_top1=10**400), "it takes a number"),
        (lambda found: _first(found).update(ranking_top1=None), "an accuracy or a failure"),
        (lambda found: _first(found).update(failure="why"), "an accuracy or a failure"),
        (lambda found: _first(found).update(phase="\ud800"), "candidates[0].phase is '\\ud800'"),
        (lambda found: _first(found)["costs"].pop("params_m"), "[0].costs has no 'params_m'"),
        (lambda found: _first(found)["costs"].update(mflops=None), "[0].costs.mflops is None"),
        (lambda found: _first(found)["costs"].update(mflops=-1), "mflops is -1; it takes 0"),
        (lambda found: _first(found)["architecture"].update(resolution=99), "resolution"),
        (lambda found: _first(found)["architecture"].update(depths="12"), "depths"),
        (lambda found: _first(found)["architecture"].pop("depths"), "[0].architecture: an archit"),
        (lambda found: found["fronts"].update(mflops=[1000]), "fronts.mflops is [1000]; the rest"),
        (lambda found: found["fronts"].update(mflops=[9]), "fronts.mflops is [9]; the rest"),
        (lambda found: found["fronts"].pop("mflops"), "fronts has no 'mflops'"),
        (lambda found: found.update(selected=[{}]), "selected[0] has no 'name'"),
        (lambda found: _selected(found)["architecture"].update(resolution=99), "resolution"),
        (lambda found: _selected(found).update(budget={"watts": 1.0}), "selected[0].name is"),
        (lambda found: _selected(found).update(budget={"watts": 1.0}, name="watts_1"),
         "selected[0].budget is {'watts': 1.0}; it limits some of"),
        (lambda found: _selected(found).update(name="../../x"), "selected[0].name is '../../x'"),
        (lambda found: _selected(found).update(ranking_error=0.5), "ranking_error is 0.5; rank"),
        (lambda found: _selected(found).update(ranking_top1=None, ranking_error=None), "ranked"),
        (lambda found: _selected(found).update(reporting_top1=None), "reporting_error is 0."),
        (lambda found: found["ranking"].pop("images"), "ranking has no 'images'"),
        (lambda found: found["ranking"].update(images=0), "ranking.images is 0; it takes 1"),
        (lambda found: found["reporting"].update(images=1.5), "images is 1.5; it takes a whole"),
        (lambda found: found["reporting"].update(split=None), "reporting.split is None"),
        (lambda found: found["settings"].pop("source"), "settings has no 'source'"),
        (lambda found: found["settings"]["source"].update(step="20"), "source.step is '20'"),
        (lambda found: found["settings"].update(budgets=[]), "settings.budgets is []; the rest"),
        (lambda found: found["settings"].update(objectives=[]), "settings.objectives is []; the"),
        (lambda found: found["settings"]["selection"].pop("strategy"), "no 'strategy'"),
        (lambda found: found["settings"]["selection"].update(prefer=7), "prefer is 7; choose from"),
        (lambda found: found["settings"].update(train_data=[]), "train_data is []; it takes an"),
        (lambda found: _data(found).update(seed=float("inf")), "train_data.seed is inf; it takes"),
        (lambda found: _data(found).update(input_path={"a": 1}), "is {'a': 1}; it takes text"),
        (lambda found: _data(found).update(input_path=["a", 1]), "input_path[1] is 1; it takes"),
        (lambda found: found.pop("tied"), "no 'tied'"),
        (lambda found: found["tied"].update({"0.04": [0]}), "tied.0.04 is [0]; the rest"),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_search_is_refused(
    tmp_path: pathlib.Path, change: Change, reason: str
) -> None:
    found = made_up_searches.result().to_json()
    change(found)
    # Not by `files`, which refuses infinity; `json` writes and reads it.
    (tmp_path / result.FILE).write_text(json.dumps(found))
    _refused(lambda: result.read(tmp_path, digits.space()), str(tmp_path / result.FILE), reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda found: found.pop("warnings"), "no 'warnings'"),
        (lambda found: found.update(warnings=[7]), "warnings[0] is 7; it takes text"),
        (lambda found: found.update(children=[]), "children is []; it takes one or more"),
        (lambda found: found.update(resolutions=[]), "resolutions is []; it takes one or more"),
        (lambda found: found.update(resolutions=[8, 99]), "has no '99'"),
        (lambda found: found["children"][0].update(name=7), "children[0].name is 7"),
        (lambda found: found["children"][0]["architecture"].update(stem_width=99), "stem_width"),
        (lambda found: found["children"][0]["top1"].pop("9"), "children[0].top1 has no '9'"),
        (lambda found: found["children"][0]["top1"].update({"9": 1.5}), "it takes 0 to 1"),
        (lambda found: found["children"][0]["macs"].update({"9": "many"}), "a whole number"),
        (lambda found: found["summary"].pop("front_distance"), "summary has no 'front_distance'"),
        (lambda found: found["summary"].update(random_mean=float("inf")), "is inf; it takes"),
        (lambda found: found["settings"].update(images=0), "settings.images is 0; it takes 1"),
        (lambda found: found["settings"].pop("source"), "settings has no 'source'"),
    ],
)  # fmt: skip
def test_a_damaged_or_foreign_judgement_is_refused(
    tmp_path: pathlib.Path, change: Change, reason: str
) -> None:
    found, path = made_up_judgements.judgement().to_json(), tmp_path / judgement_lib.FILE
    change(found)
    path.write_text(json.dumps(found))
    _refused(lambda: judgement_lib.read(path, digits.space()), str(path), reason)


@pytest.mark.parametrize("text", ["[]", "{}", "null", '"text"', "7"])
def test_another_file_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / result.FILE).write_text(text)
    _refused(
        lambda: result.read(tmp_path), f"{result.FILE} is damaged, or not what tools.search", ""
    )
    (tmp_path / judgement_lib.FILE).write_text(text)
    _refused(
        lambda: judgement_lib.read(tmp_path / judgement_lib.FILE, digits.space()),
        f"{judgement_lib.FILE} is damaged, or not what tools.judge",
        "",
    )


@pytest.mark.parametrize("content", [b"{", b"", b"[" * 100_000, b"\xff"], ids=lambda b: str(b[:2]))
def test_what_is_not_json_is_refused(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / result.FILE).write_bytes(content)
    _refused(lambda: result.read(tmp_path), f"{result.FILE} is not valid JSON", "")


def test_every_value_that_is_replaced_is_refused_or_harmless() -> None:
    """No value of a file of another type ends in anything but a `UsageError`."""
    for plain, read in [
        (made_up_searches.result(3).to_json(), SearchResult.from_json),
        (made_up_judgements.judgement().to_json(), Judgement.from_json),
    ]:
        text = json.dumps(plain)
        for place in list(_places(plain)):
            for wrong in (None, True, "text", -1, 1e999, [], {}):
                changed = json.loads(text)
                _put(changed, place, wrong)
                try:
                    found = read(changed)
                except errors.UsageError:
                    continue
                json.dumps(found.to_json(), allow_nan=False)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Any:
    """The keys that lead to each value within another."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in inside:
        yield (*place, key)
        if isinstance(each, dict | list):
            yield from _places(each, (*place, key))


def _put(value: Any, place: tuple[Any, ...], wrong: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = wrong


def _refused(read: Callable[[], object], name: str, reason: str) -> None:
    """Checks the message: it names the file and what is wrong, in short."""
    with pytest.raises(errors.UsageError) as caught:
        read()
    message = str(caught.value)
    assert name in message
    assert reason in message
    assert len(message) < 300
    assert "\n" not in message
    message.encode()
