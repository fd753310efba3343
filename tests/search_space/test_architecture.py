"""An architecture is plain, frozen data with a JSON form."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import pytest

from bignas_tf import errors, files
from bignas_tf.search_space.architecture import Architecture


def _architecture() -> Architecture:
    return Architecture(
        resolution=12,
        stem_width=4,
        depths=(1, 2),
        kernels=((3,), (5, 3)),
        widths=((4,), (6, 8)),
        expands=((1,), (2, 3)),
        head_width=16,
    )


def test_json_text_round_trip() -> None:
    text = json.dumps(_architecture().to_json())
    assert Architecture.from_json(json.loads(text)) == _architecture()


def test_equal_architectures_are_one_key() -> None:
    assert len({_architecture(), Architecture.from_json(_architecture().to_json())}) == 1


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        _architecture().resolution = 14  # type: ignore[misc]


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Architecture)])
def test_a_missing_field_is_named(field: str) -> None:
    value = _architecture().to_json()
    del value[field]
    with pytest.raises(errors.UsageError, match=f"'{field}'"):
        Architecture.from_json(value)


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(errors.UsageError, match="'resolutoin'"):
        Architecture.from_json(_architecture().to_json() | {"resolutoin": 12})


@pytest.mark.parametrize("value", [[1, 2], None, "resolution"])
def test_something_else_than_a_mapping_is_refused(value: Any) -> None:
    with pytest.raises(errors.UsageError, match=type(value).__name__):
        Architecture.from_json(value)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("resolution", 12.0, "12.0 is not an integer"),
        ("resolution", True, "True is not an integer"),
        ("resolution", [12], "is not an integer"),
        ("head_width", "16", "'16' is not an integer"),
        ("depths", 1, "1 is not a list"),
        ("depths", [1, "2"], "'2' is not an integer"),
        ("kernels", [3, [5, 3]], "3 is not a list"),
        ("widths", [[4], [6, None]], "None is not an integer"),
        ("expands", [[[1]], [2, 3]], "is not an integer"),
    ],
)
def test_a_wrong_type_is_named(field: str, value: Any, problem: str) -> None:
    with pytest.raises(errors.UsageError, match=field) as caught:
        Architecture.from_json(_architecture().to_json() | {field: value})
    assert problem in str(caught.value)


@pytest.mark.parametrize("wrapped", [False, True])
def test_load_reads_both_forms(tmp_path: pathlib.Path, wrapped: bool) -> None:
    value = _architecture().to_json()
    path = tmp_path / "child.json"
    files.write_json(path, {"accuracy": 0.5, "architecture": value} if wrapped else value)
    assert Architecture.load(path) == _architecture()


@pytest.mark.parametrize("text", ["{", "[]", '{"architecture": 3}', '{"accuracy": 0.5}'])
def test_load_names_the_file_it_refuses(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "child.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(errors.UsageError, match=r"child\.json"):
        Architecture.load(path)


def test_load_names_a_missing_file(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match=r"none\.json"):
        Architecture.load(tmp_path / "none.json")
