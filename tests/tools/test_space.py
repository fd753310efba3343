"""The space tool: what may be chosen, and costs that are those of `bignas cost`."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib

import numpy as np
import pytest

import bignas_tf as bignas
from bignas_tf import errors
from bignas_tf.search_space import cost, presets
from tests.forks import Forks
from tests.tools import commands


def _rows(text: str) -> list[list[str]]:
    """The cells of each line, which are two spaces or more apart."""
    return [
        [cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.split("\n")
    ]


def _figures(text: str, name: str) -> list[list[str]]:
    return [row[1:] for row in _rows(text) if row and row[0].startswith(name)]


def test_what_may_be_chosen() -> None:
    text = bignas.describe("bignas_imagenet")
    assert "trained at 192, 224, 288, 320 px" in text  # the paper, Section 4.1
    assert "searched at 192, 208, ..., 336 px" in text
    assert _figures(text, "stage 5") == [
        ["112, 120, 128", "2, 3, 4, 5, 6", "3, 5", "6", "1", "0.25", "swish"]
    ]
    assert "BigNASModel-S, BigNASModel-M" in text


def test_the_costs_are_those_that_are_counted(forks: Forks) -> None:
    printed = commands.run(forks, "space", num_classes=7)  # of the paper's space
    assert printed == bignas.describe("bignas_imagenet", 7) + "\n"
    space = presets.get("bignas_imagenet")
    children = [
        space.smallest(),  # at the least side of all, so it has one row
        space.biggest(),
        space.with_resolution(space.biggest(), 336),
    ]
    expected = [
        [f"{child.resolution} px", *(f"{each / 1e6:.4g}" for each in cost.count(space, child, 7))]
        for child in children
    ]
    assert [*_figures(printed, "smallest"), *_figures(printed, "biggest")] == expected


@pytest.mark.slow
def test_a_run_has_its_own_space(forks: Forks, run_dir: pathlib.Path) -> None:
    printed = commands.run(forks, "space", model_dir=run_dir)
    run = bignas.read_config(run_dir).task
    data, space = run.train_data, run.model.search_space
    assert printed == bignas.describe(space, data.num_classes, data.channels) + "\n"
    both = {"model_dir": run_dir, "search_space": "bignas_small"}
    assert "a run has its own space" in commands.refuse(forks, "space", **both)


def test_the_median_is_one_of_all_children() -> None:
    space = presets.get("bignas_small")
    middle = float(_figures(bignas.describe(space, 10, 1), "random")[0][1])
    rng = np.random.default_rng(1)  # not the one that it draws with
    drawn = [cost.count(space, space.sample(rng), 10, 1).macs / 1e6 for _ in range(400)]
    below, above = np.quantile(drawn, [0.4, 0.6])  # five standard errors of a median of 1,000
    assert below < middle < above


@pytest.mark.parametrize("name", presets.PRESETS)
def test_the_columns_of_every_preset_are_aligned(name: str) -> None:
    lines = bignas.describe(name).split("\n")
    table = list(itertools.takewhile(bool, lines[4:]))
    start = table[0].index("stride")
    assert all(line[start].isdigit() and line[start - 1] == " " for line in table[1:-1])


def test_a_space_with_a_preset_s_name_has_only_its_own_published_children() -> None:
    whole = presets.get("bignas_imagenet")
    part = dataclasses.replace(whole, head_widths=(1280,))
    assert "BigNASModel-S, BigNASModel-M" in bignas.describe(part)
    assert "BigNASModel-L" not in bignas.describe(part)  # its head has 1408 channels


def test_a_space_of_ones_own(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(presets.to_yaml(presets.get("bignas_small")))
    assert bignas.describe(path) == bignas.describe("bignas_small")
    with pytest.raises(errors.UsageError, match="neither a preset nor a file; presets"):
        bignas.describe(tmp_path / "missing.yaml")
