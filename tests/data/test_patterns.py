"""Files by patterns: every pattern counts, and each file once."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf import errors
from bignas_tf.data import patterns


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """Three files."""
    for name in ("a-0", "a-1", "b-0"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_file_that_several_patterns_match_comes_once(folder: pathlib.Path) -> None:
    found = patterns.files("here", [f"{folder}/b-*", f"{folder}/*-0", f"{folder}/a-0"])
    assert found == [str(folder / name) for name in ("a-0", "b-0")]


def test_a_text_has_its_patterns_between_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/mine")
    assert patterns.split(" a*, ~/b,") == ["a*", "/home/of/mine/b"]
    assert patterns.split(["a,b", ""]) == ["a,b"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ([], "^here is empty; name TFRecord files"),
        (["{}/a-*", "{}/typo-*"], "^no TFRecord file matches here={}/typo-*"),
        (["{}/a-*", "{}"], "^here: {} is a folder; name its TFRecord files, such as {}/"),
        (["foo://bucket/a"], r"^here: foo://bucket/a cannot be read \(File system scheme 'foo'"),
    ],
)
def test_what_is_not_there_is_named(folder: pathlib.Path, asked: list[str], told: str) -> None:
    with pytest.raises(errors.UsageError, match=told.replace("{}", str(folder))):
        patterns.files("here", [each.replace("{}", str(folder)) for each in asked])
