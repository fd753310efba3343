"""What messages quote: errors of other libraries, and values, however long they are."""

from __future__ import annotations

import dataclasses
import errno
import json
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import config as data_config
from bignas_tf.latency.table import LatencyTable
from bignas_tf.plain import Value
from bignas_tf.search_space import plain_space, presets
from bignas_tf.search_space.architecture import Architecture, Stage
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import budgets
from bignas_tf.training import parsing

LONG = "x" * 5000
# Python writes no integer of more than 4300 digits, and YAML reads them in hexadecimal.
HUGE = int("f" * 5000, 16)
SPACE = presets.get("bignas_small")


def _short(caught: pytest.ExceptionInfo[errors.UsageError]) -> str:
    message = str(caught.value)
    assert len(message) < 2000
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError(" a\n\tb  c\n"), "a b c"),
        ("line 1\r\nline 2", "line 1 line 2"),
        (ValueError(" \n"), "ValueError"),
        (ValueError("x" * 15), "x" * 15),
        (ValueError("x" * 16), "x" * 11 + " ..."),
    ],
)
def test_an_error_is_one_line(error: Exception | str, line: str) -> None:
    assert errors.one_line(error, most=15) == line


@pytest.mark.parametrize(
    ("kind", "text", "memory"),
    [
        (tf.errors.ResourceExhaustedError, "failed to allocate memory", True),
        (tf.errors.InternalError, "Failed copying: Dst tensor is not initialized.", True),
        (tf.errors.AbortedError, "Status: 1, message: could not create a primitive", True),
        (tf.errors.AbortedError, "Status: 3, message: could not create a primitive", False),
        (tf.errors.InternalError, "libdevice not found", False),
        (tf.errors.ResourceExhaustedError, "a.png; Too many open files", False),
        (tf.errors.InvalidArgumentError, "Dst tensor is not initialized.", False),
    ],
)
def test_tensorflow_s_errors_for_a_lack_of_memory_are_known(
    kind: type[tf.errors.OpError], text: str, memory: bool
) -> None:
    error = kind(None, None, text)
    assert errors.is_out_of_memory(error) == memory
    failed = errors.failure(error, "it failed")
    assert (type(failed) is errors.OutOfMemoryError, str(failed)) == (memory, "it failed")


def test_python_s_error_for_a_lack_of_memory_is_known() -> None:
    assert errors.is_out_of_memory(MemoryError())
    assert errors.is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert errors.is_out_of_memory(RuntimeError("extracting: std::bad_alloc"))
    assert not errors.is_out_of_memory(RuntimeError("memory"))


@pytest.mark.parametrize("hidden", [False, True])
def test_what_a_lack_of_memory_led_to_is_one_unless_it_was_hidden(hidden: bool) -> None:
    error = ValueError("while extracting:")
    error.__context__ = MemoryError()
    error.__suppress_context__ = hidden  # as `raise … from None` does
    assert errors.is_out_of_memory(error) != hidden


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(errors.UsageError, match=r"^images is 'a.x00b'; it takes no NUL$"):
        errors.require_path("images", "a\0b")


def test_values_are_cut() -> None:
    assert errors.shown("a" * 5) == "'aaaaa'"
    assert errors.shown(LONG) == f"'{'x' * 55} ..."
    assert errors.shown(np.eye(2)) == "array([[1., 0.], [0., 1.]])"
    assert errors.shown([HUGE]) == "a value too large to show"
    with pytest.raises(errors.UsageError) as caught:
        Value([LONG], "field").text()
    assert _short(caught) == f"field is ['{'x' * 54} ...; it takes text"


def _plain_space() -> dict[str, Any]:
    plain = json.loads(json.dumps(dataclasses.asdict(SPACE)))
    return {**plain, "stages": [dict(stage) for stage in plain["stages"]]}


@pytest.mark.parametrize("wrong", [LONG, HUGE, [LONG] * 100], ids=["text", "number", "list"])
def test_a_space_is_refused_in_few_words(wrong: object) -> None:
    for kind in (SearchSpace, Stage):
        for name in [*(field.name for field in dataclasses.fields(kind)), LONG]:
            plain = _plain_space()
            (plain if kind is SearchSpace else plain["stages"][0])[name] = wrong
            with pytest.raises(errors.UsageError) as caught:
                plain_space.from_dict(plain)
            assert name == LONG or name in _short(caught)


@pytest.mark.parametrize("wrong", [LONG, HUGE, [[LONG]]], ids=["text", "number", "list"])
def test_a_child_is_refused_in_few_words(wrong: object) -> None:
    plain = SPACE.smallest().to_json()
    for name in plain:
        with pytest.raises(errors.UsageError) as caught:
            SPACE.validate(Architecture.from_json(plain | {name: wrong}))
        assert name in _short(caught)
    with pytest.raises(errors.UsageError) as caught:
        Architecture.from_json(plain | {LONG: wrong})
    assert "an architecture has the fields" in _short(caught)


def test_a_child_outside_a_space_of_many_choices_is_refused_in_few_words() -> None:
    space = dataclasses.replace(SPACE, stem_widths=tuple(range(1, 5000)))
    child = dataclasses.replace(space.smallest(), stem_width=5000)
    with pytest.raises(errors.UsageError) as caught:
        space.validate(child)
    assert "'stem_width' is 5000; choose from [1, 2, 3, " in _short(caught)


@pytest.mark.parametrize(
    "change",
    [
        {"format": LONG}, {"unit": LONG}, {"overhead_ms": LONG}, {"device": [LONG]}, {LONG: 1},
        {"entries": [{"part": LONG}]}, {"entries": [{"part": "stem", LONG: 1}]},
        {"entries": [{"part": "head", "side": LONG, "in_width": 1, "mid_width": 1, "classes": 1,
                      "ms": 1}]},
        {"entries": [{"part": "head", "side": 1, "in_width": 1, "mid_width": 1, "classes": 1,
                      "ms": LONG}]},
    ],
)  # fmt: skip
def test_a_table_is_refused_in_few_words(tmp_path: pathlib.Path, change: dict[str, Any]) -> None:
    table = {"format": 2, "unit": "ms", "device": "mine", "overhead_ms": 0, "entries": []}
    (tmp_path / "table.json").write_text(json.dumps(table | change))
    with pytest.raises(errors.UsageError) as caught:
        LatencyTable.load(tmp_path / "table.json")
    assert f"{tmp_path / 'table.json'}: " in _short(caught)


@pytest.mark.parametrize("text", [LONG, f"{LONG}=1,{LONG}=1", f"mflops={LONG}", f"{LONG}=x"])
def test_a_budget_is_refused_in_few_words(text: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        budgets.parse(text)
    assert _short(caught).startswith("budget '")


@pytest.mark.parametrize("wrong", [LONG, HUGE], ids=["text", "number"])
def test_data_is_refused_in_few_words(wrong: object) -> None:
    names = ["source", "crop", "channels", "base_size", "num_classes", "global_batch_size", "seed",
             "shuffle_buffer_size", "label_offset", "prefetch_buffer_size"]  # fmt: skip
    for name in names:
        config = data_config.DataConfig(source="digits", tfds_split="train", global_batch_size=8)
        setattr(config, name, wrong)
        with pytest.raises(errors.UsageError) as caught:
            data_config.validate(config)
        assert f"data: {name} is " in _short(caught)


@pytest.mark.parametrize(
    "override",
    [
        f"task: {{seed: {LONG}}}",
        f"task: {{seed: 0x{'f' * 5000}}}",
        f"task: {{train_data: {{seed: 0x{'f' * 5000}}}}}",
        f"task: {{sandwich: {LONG}}}",
        f"task: {{{LONG}: 1}}",
        f"task: {{seed: 1, {LONG}: 2, {LONG}: 3}}",
        f"{{task: {LONG}",
        f"trainer.optimizer_config.optimizer.type={LONG}",
        f"task.model.execution={LONG}",
        f"task.model.search_space={LONG}",
        f"task.selection.strategy={LONG}",
        f"task.distillation.teacher={LONG},task.distillation.weight=0.0",
        f"task.train_data.tfds_split={LONG},task.train_data.sauce=1",
        LONG,
    ],
    ids=range(14),
)
def test_overrides_are_refused_in_few_words(override: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        parsing.parse("bignas_small", [], override)
    _short(caught)


def test_a_choice_like_the_one_given_is_named() -> None:
    with pytest.raises(errors.UsageError, match=r"'smal'; choose from .*; did you mean 'small'\?$"):
        errors.require_one_of("size", "smal", {"small": 1, "large": 2})
    for value in ("3", None, [1]):  # no text, or what it is not like
        with pytest.raises(errors.UsageError, match=r"choose from \[1, 3\]$"):
            errors.require_one_of("channels", value, (1, 3))
