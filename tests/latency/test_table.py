"""A child's parts, and its latency looked up: against children counted out and files gone wrong."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pathlib
from typing import Any

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.latency.table import LatencyTable
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.parts import BlockPart, Head, ModelSpace, Stem
from bignas_tf.search_space.space import SearchSpace
from tests.search_space import spaces

MODELS = ModelSpace(spaces.countable(), num_classes=7, input_channels=1)


def _all_children() -> list[Architecture]:
    space = MODELS.space
    return [space.decode(code) for code in itertools.product(*space.genes)]


def _at(side: int) -> SearchSpace:
    """The part of the space with children of one side."""
    return dataclasses.replace(MODELS.space, train_resolutions=(side,), eval_resolutions=(side,))


def _full_table(path: pathlib.Path) -> LatencyTable:
    """Part number n of the space takes 2 to the power of n: a sum tells its parts."""
    parts = MODELS.all_parts(MODELS.space.eval_resolutions)
    return LatencyTable(str(path), "a device", 0.5, {p: 2.0**n for n, p in enumerate(parts)})


def _written(path: pathlib.Path) -> dict[str, Any]:
    """The plain form of a full table, for a test to break."""
    _full_table(path).save()
    return json.loads(path.read_text())


def test_a_child_is_taken_apart() -> None:
    child = Architecture(
        resolution=14,
        stem_width=6,
        depths=(1, 2, 2),
        kernels=((3,), (5, 3), (7, 3)),
        widths=((4,), (10, 8), (12, 12)),
        expands=((1,), (3, 2), (2, 2)),
        head_width=24,
    )
    # 14 pixels become 7 in the stem and, by SAME padding, 4 in the second stage. Squeeze-and-excite
    # has a quarter of a block's input channels in the first stage, and a half in the second.
    assert ModelSpace(spaces.tiny(), 5).parts(child) == [
        Stem(patch_side=16, side=14, stride=2, symmetric=True, in_width=3, out_width=6),
        _block_part(7, 1, "projected", kernel=3, in_width=6, mid_width=6, out_width=4, se_width=1),
        _block_part(
            7, 2, "projected", kernel=5, in_width=4, mid_width=12, out_width=10, se_width=2
        ),
        _block_part(4, 1, "fitted", kernel=3, in_width=10, mid_width=20, out_width=8, se_width=5),
        _block_part(
            4, 1, "projected", kernel=7, in_width=8, mid_width=16, out_width=12, se_width=0
        ),
        _block_part(4, 1, "fitted", kernel=3, in_width=12, mid_width=24, out_width=12, se_width=0),
        Head(side=4, in_width=12, mid_width=24, classes=5),
    ]


def _block_part(side: int, stride: int, skip: str, **rest: int) -> BlockPart:
    """One that pads alike where it strides, and expands where its middle is wider."""
    expands = rest["mid_width"] > rest["in_width"]
    return BlockPart(side, stride, stride == 2, expands, skip, **rest)


def test_the_parts_of_another_style_say_what_is_theirs() -> None:
    space = spaces.mobile()
    stem, first, second, *_, head = ModelSpace(space, 5).parts(space.smallest())
    assert (stem.activation, stem.rescaled) == ("hard_swish", False)
    assert (first.skip, first.activation, first.se_gate) == ("equal", "relu", "sigmoid")
    assert (second.skip, second.se_activation, second.se_gate) == ("none", "relu", "hard_sigmoid")
    assert (head.mid_width, head.mix_width, head.activation) == (6 * 16, 16, "hard_swish")


def test_all_parts_are_those_of_all_children() -> None:
    children = _all_children()
    for sides in ([8], [8, 10]):
        expected = {p for c in children if c.resolution in sides for p in MODELS.parts(c)}
        found = MODELS.all_parts(sides)
        assert len(found) == len(set(found))
        assert set(found) == expected


@pytest.mark.parametrize(
    ("style", "whole", "fewer"),
    [
        ({}, {"expands": (1, 2)}, {"expands": (1,)}),
        ({"skips": "matched"}, {"widths": (8, 12), "depths": (1, 2)}, {"widths": (8,)}),
        ({"skips": "equal"}, {"widths": (8, 12), "depths": (1, 2)}, {"widths": (8,)}),
    ],
)
def test_parts_within_a_space_are_those_of_the_whole(
    style: dict[str, Any], whole: dict[str, Any], fewer: dict[str, Any]
) -> None:
    """Whether a block expands, and which skip it has, follows from all choices of its stage."""
    countable = spaces.countable()
    stage = dataclasses.replace(countable.stages[0], **whole)
    space = dataclasses.replace(
        countable, stages=(stage,), style=dataclasses.replace(countable.style, **style)
    )
    part = dataclasses.replace(space, stages=(dataclasses.replace(stage, **fewer),))
    models = ModelSpace(space, 7, 1)
    children = [part.decode(code) for code in itertools.product(*part.genes)]
    expected = {each for child in children for each in models.parts(child)}
    assert set(models.all_parts(space.eval_resolutions, part)) == expected
    assert expected < set(models.all_parts(space.eval_resolutions))


def test_no_random_child_has_another_part() -> None:
    models, rng = ModelSpace(spaces.tiny(), 5), np.random.default_rng(0)
    known = set(models.all_parts(models.space.eval_resolutions))
    for _ in range(200):
        assert known.issuperset(models.parts(models.space.sample(rng)))


@pytest.mark.parametrize(
    ("name", "blocks"), [("bignas_small", 548), ("bignas_medium", 568), ("bignas_imagenet", 1752)]
)
def test_the_presets_have_so_many_different_blocks(name: str, blocks: int) -> None:
    space = presets.get(name)
    parts = ModelSpace(space, 10).all_parts(space.eval_resolutions)
    assert sum(isinstance(part, BlockPart) for part in parts) == blocks


def test_a_table_comes_back_from_its_file(tmp_path: pathlib.Path) -> None:
    table = _full_table(tmp_path / "table.json")
    table.save()
    assert LatencyTable.load(table.path) == table


def test_a_child_takes_the_call_and_its_parts(tmp_path: pathlib.Path) -> None:
    table = _full_table(tmp_path / "table.json")
    numbers = {part: n for n, part in enumerate(table.times)}
    for child in _all_children():
        # Two equal blocks of a child count twice; powers of two are added without rounding.
        expected = 0.5 + sum(2 ** numbers[part] for part in MODELS.parts(child))
        assert table.milliseconds(MODELS, child) == expected


def test_what_is_missing_is_told_with_the_command_that_measures_it(tmp_path: pathlib.Path) -> None:
    table = _full_table(tmp_path / "table.json")
    child = MODELS.space.biggest()
    block = MODELS.parts(child)[1]
    times = {part: time for part, time in table.times.items() if part != block}
    holed = LatencyTable(table.path, table.device, table.overhead_ms, times)
    with pytest.raises(errors.UsageError) as caught:
        holed.milliseconds(MODELS, child)
    message = str(caught.value)
    assert '"stride": 1, "symmetric": false, "expands": true, "skip": "projected"' in message
    assert "<YAML file of 'countable'> --resolutions=8 --num_classes=7" in message
    assert f"--input_channels=1 --output={table.path}" in message
    holed.require(MODELS, _at(10), "runs/a")
    with pytest.raises(
        errors.UsageError, match=r"lacks 1 .*--model_dir=runs/a --resolutions=8,10 "
    ):
        holed.require(MODELS, MODELS.space, "runs/a")
    with pytest.raises(errors.UsageError, match="lacks 4 entries"):  # heads of other classes
        table.require(ModelSpace(MODELS.space, 8, 1), _at(8), "runs/a")
    other = dataclasses.replace(holed, device="LiteRT 2, XNNPACK, float32, 4 threads; this machine")
    with pytest.raises(errors.UsageError, match=f"--output={table.path} --threads=4$"):
        other.require(MODELS, _at(8), "runs/a")
    with pytest.raises(
        errors.UsageError, match=r"with 1 channels, .* px with 3, .* measure another table"
    ):
        table.require(ModelSpace(MODELS.space, 7, 3), _at(8), "runs/a")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 1}, "format and unit are 1 and 'ms'"),
        ({"unit": "s"}, "format and unit are 3 and 's'"),
        ({"overhead_ms": -1}, "overhead_ms is -1"),
        ({"overhead_ms": False}, "overhead_ms is False"),
        ({"overhead_ms": float("nan")}, "overhead_ms is nan"),
        ({"device": None}, "device is not a str"),
        ({"entries": {}}, "entries is not a list"),
        ({"comment": "mine"}, "got .*comment"),
    ],
)
def test_a_wrong_table_is_refused(
    tmp_path: pathlib.Path, change: dict[str, Any], named: str
) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(_written(path) | change))
    with pytest.raises(errors.UsageError, match=f"^{path}: .*{named}"):
        LatencyTable.load(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ms": 0}, "ms is 0; it takes a number above 0"),
        ({"ms": -0.1}, "ms is -0.1"),
        ({"ms": float("nan")}, "ms is nan"),
        ({"ms": float("inf")}, "ms is inf"),
        ({"ms": "1"}, "ms is '1'"),
        ({"ms": True}, "ms is True"),
        ({"kernel": 0}, "kernel is 0; it takes 1 or more"),
        ({"kernel": 3.0}, "kernel is 3.0"),
        ({"se_width": -1}, "se_width is -1; it takes 0 or more"),
        ({"expands": 1}, "expands is 1; it takes true or false"),
        ({"side": True}, "side is True"),
        ({"skip": "none at all"}, "skip is 'none at all'; choose from .*projected', 'matched"),
        ({"se_gate": 1}, "se_gate is 1; choose from .*sigmoid', 'hard_sigmoid"),
        ({"part": "body"}, "part is 'body'; choose from"),
        ({"part": ["block"]}, "part is .*block.*; choose from"),
        ({"colour": "red"}, "a block has the keys .*; got .*colour"),
    ],
)
def test_a_wrong_entry_is_refused_by_its_number(
    tmp_path: pathlib.Path, change: dict[str, Any], named: str
) -> None:
    path = tmp_path / "table.json"
    value = _written(path)
    assert value["entries"][1]["part"] == "block"
    value["entries"][1] |= change
    path.write_text(json.dumps(value))
    with pytest.raises(errors.UsageError, match=rf"^{path}: entries\[1\]: .*{named}"):
        LatencyTable.load(path)


def test_an_entry_that_is_there_twice_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "table.json"
    value = _written(path)
    value["entries"].append(value["entries"][0] | {"ms": 9.0})
    path.write_text(json.dumps(value))
    last = len(value["entries"]) - 1
    with pytest.raises(errors.UsageError, match=rf"entries\[{last}\]: .*stem.* is listed twice"):
        LatencyTable.load(path)


def test_a_table_whose_call_takes_nothing_is_taken(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(_written(path) | {"overhead_ms": 0}))
    assert LatencyTable.load(path).overhead_ms == 0
