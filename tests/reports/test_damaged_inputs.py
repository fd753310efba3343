"""Damaged files of a run, and those of another space, are refused by a report."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from bignas_tf import errors, files
from bignas_tf.reports import inputs
from bignas_tf.search_space import presets
from bignas_tf.selection import judgement as judgement_lib
from tests.selection import digits, made_up_judgements, made_up_searches


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shares": [1]}, "the cascade has 2 children"),
        ({"cascade": {"children": ["a"], "thresholds": [0.5]}}, "a threshold for all but the last"),
        ({"mean_cost": 0}, "mean_cost is 0; it takes a number above 0"),
    ],
)
def test_a_damaged_cascade_is_refused(
    tmp_path: pathlib.Path, changed: dict[str, Any], message: str
) -> None:
    folder = made_up_searches.run(tmp_path)
    files.write_json(folder / "cascade" / "1" / "cascade.json", made_up_searches.CASCADE | changed)
    (folder / "cascade" / "1" / "saved_model.pb").touch()
    with pytest.raises(errors.UsageError, match=message):
        inputs.read(str(folder), [])


def test_a_damaged_search_or_judgement_is_refused(tmp_path: pathlib.Path) -> None:
    run = made_up_searches.run(tmp_path, search=made_up_searches.result())
    for name in ("search/search.json", "judgement.json"):
        files.write_json(run / name, {"settings": {}})
        with pytest.raises(errors.UsageError, match=f"{name} is damaged, or not what tools"):
            inputs.read(str(run), [])
        (run / name).unlink()


def test_a_search_or_judgement_of_another_space_is_refused(tmp_path: pathlib.Path) -> None:
    other = dataclasses.replace(digits.space(), head_widths=(32,))
    run = made_up_searches.run(tmp_path, search=made_up_searches.result())
    files.write_text(run / "search_space.yaml", presets.to_yaml(other))
    with pytest.raises(errors.UsageError, match=r"search\.json is damaged.*head_width"):
        inputs.read(str(run), [])
    (run / "search" / "search.json").unlink()
    judgement_lib.write(run / "judgement.json", made_up_judgements.judgement())
    with pytest.raises(errors.UsageError, match=r"judgement\.json is damaged.*head_width"):
        inputs.read(str(run), [])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("learning_curves.json", {"step": 1}),
        ("learning_curves.json", [{"step": 1, "top1": {"smallest": "high"}}]),
        ("command.json", ["python"]),
        ("judgement.json", []),
        ("export/1/child.json", []),
        ("export/1/child.json", {"accuracy": {"top1": "high", "images": 1}}),
    ],
)
def test_another_damaged_file_is_refused(tmp_path: pathlib.Path, file: str, content: Any) -> None:
    run = made_up_searches.run(tmp_path)
    files.write_json(run / file, content)
    (run / file).with_name("saved_model.pb").touch()
    with pytest.raises(errors.UsageError, match=f"{file} is damaged"):
        inputs.read(str(run), [])
