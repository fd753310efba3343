"""Whole searches: interrupted ones end as the others do."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Sequence

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.journal import Candidate
from bignas_tf.selection.runner import Search
from bignas_tf.training.configs import SelectionConfig
from tests.modeling import replicas
from tests.selection import digits

BUDGETS = [0.03, 0.08]


class Countdown(Search):
    """Counts what it scores, and is interrupted before one candidate too many."""

    scored: list[Architecture]
    left = 1000

    def _score(self, architectures: Sequence[Architecture], phase: str) -> Iterator[Candidate]:
        for candidate in super()._score(architectures, phase):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            self.scored.append(candidate.architecture)
            yield candidate


@pytest.fixture(scope="module")
def net() -> Supernet:
    return digits.supernet()


def _selection(**changes: object) -> SelectionConfig:
    values = {
        "calibration_split": "train[:64]",
        "calibration_images": 64,
        "ranking_split": "train[1300:]",
        "reporting_split": "test[:100]",
        "batch_size": 64,
        "depth_multipliers": (0.0, 1.0),
        "kernel_patterns": ("smallest", "largest"),
        "rounds": 2,
        "mutants": 3,
    }
    return SelectionConfig(**values | changes)  # type: ignore[arg-type]


def _new(net: Supernet) -> Countdown:
    search = Countdown(net, digits.data(), _selection(), {"checkpoint": "run/ckpt-7"})
    search.scored = []
    return search


@pytest.fixture(scope="module")
def straight(net: Supernet, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    """`search.json` of a search left alone, and how many children it scored."""
    folder = tmp_path_factory.mktemp("straight")
    search = _new(net)
    search.run(BUDGETS, str(folder))
    return (folder / "search.json").read_text(), len(search.scored)


@pytest.mark.slow
def test_an_interrupted_search_ends_as_the_others_do(
    net: Supernet, straight: tuple[str, int], tmp_path: pathlib.Path
) -> None:
    expected, candidates = straight
    first, second, third = _new(net), _new(net), _new(net)
    first.left = candidates - 3
    with pytest.raises(KeyboardInterrupt):
        first.run(BUDGETS, str(tmp_path))
    assert not (tmp_path / "search.json").exists()
    second.run(BUDGETS, str(tmp_path))
    scored = first.scored + second.scored
    assert len(second.scored) == 3
    assert len(scored) == len(set(scored)) == candidates
    assert (tmp_path / "search.json").read_text() == expected
    third.run(BUDGETS, str(tmp_path))
    assert third.scored == []
    assert (tmp_path / "search.json").read_text() == expected


def test_selected_children_fit_and_are_the_best_of_the_candidates(
    straight: tuple[str, int],
) -> None:
    result = json.loads(straight[0])
    assert [entry["budget_mflops"] for entry in result["selected"]] == BUDGETS
    for entry in result["selected"]:
        budget = entry["budget_mflops"] * 1e6
        within = [c["ranking_top1"] for c in result["candidates"] if c["macs"] <= budget]
        assert entry["macs"] <= budget
        assert entry["ranking_top1"] == max(within)


def test_budgets_are_whole_multiply_adds_and_keep_their_digits(tmp_path: pathlib.Path) -> None:
    space = dataclasses.replace(digits.space(), eval_resolutions=(8, 10, 40))
    net = Supernet(space, digits.CLASSES, input_channels=1)
    search = Search(
        net, digits.data(), _selection(rounds=0, resolutions=(8,)), {"checkpoint": "run/ckpt-7"}
    )
    selected = search.run([1.234568, 1.0000001, 1.234567], str(tmp_path))["selected"]
    assert [entry["budget_mflops"] for entry in selected] == [1, 1.234567, 1.234568]
    names = sorted(path.name for path in tmp_path.glob("child_*.json"))
    assert names == ["child_1.234567.json", "child_1.234568.json", "child_1.json"]


def test_ranking_on_reporting_images_is_refused(net: Supernet) -> None:
    shared = _selection(ranking_split="test", reporting_split="test[300:]")
    with pytest.raises(errors.UsageError, match=r"in common \(60\)"):
        Search(net, digits.data(), shared, {})


@pytest.mark.slow
def test_a_search_on_two_replicas_ends_as_on_one(
    straight: tuple[str, int], tmp_path: pathlib.Path
) -> None:
    with replicas.two_cpus().scope():
        net = digits.supernet()
    search = _new(net)
    search.run(BUDGETS, str(tmp_path))
    assert (tmp_path / "search.json").read_text() == straight[0]
    assert len(search.scored) == straight[1]
