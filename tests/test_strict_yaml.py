"""YAML that a plain loader would take in silence, or not survive."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from bignas_tf import strict_yaml

# Ten times ten times ten … : 10^9 values in ten lines.
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1e-5\nb: [1, x, null]\n", {"a": 1e-5, "b": [1, "x", None]}),
        ("", None),
        ("a: &here {b: 1}\nc: *here\n", {"a": {"b": 1}, "c": {"b": 1}}),
        # A merged key may be given again: that is what merging is for.
        (
            "a: &base {b: 1, c: 2}\nd:\n  <<: *base\n  c: 3\n",
            {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}},
        ),
    ],
)
def test_ordinary_yaml_is_read(text: str, value: Any) -> None:
    assert strict_yaml.load(text) == value


@pytest.mark.parametrize(
    "text", ["12e4", "1e-5", "1.5", "007", "null", "yes", "a: b", "2020-01-01"]
)
def test_text_is_read_as_it_was_written(text: str) -> None:
    value = {"text": text, "number": 1e-5, "list": [text]}
    assert strict_yaml.load(strict_yaml.dump(value)) == value


def test_a_path_is_written_as_it_is() -> None:
    path = "/été & l'hiver 目录 😀" + " and so on" * 30
    assert strict_yaml.dump({"path": path}) == f"path: {path}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' is given twice"),
        ("a: {b: {c: 1, c: 1}}\n", "the key 'c' is given twice"),
        ("[" * 3000 + "]" * 3000, "nested more than 50 levels"),
        ("{a: " * 3000 + "1" + "}" * 3000, "nested more than 50 levels"),
        (BOMB, "its aliases repeat more than 100,000 values"),
        ("a: &a [*a]\n", "its aliases repeat"),
        ("a: 1\nb: !!bool x\n", r"'x' is not a valid bool\n.*line 2, column 4"),
        ("a: !!timestamp x\n", "'x' is not a valid timestamp"),
        ("a: 2025-02-30\n", "'2025-02-30' is not a valid timestamp"),
        ('a: [!!int ""]\n', "'' is not a valid int"),
        (f"a: {'9' * 5000}\n", f"'{'9' * 40}' is not a valid int"),
        ('a: "\\UFFFFFFFF"\n', "line 1"),
        ("a: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
    ],
)
def test_what_would_be_lost_or_grow_is_refused(text: str, words: str) -> None:
    with pytest.raises(yaml.YAMLError, match=words):
        strict_yaml.load(text)
