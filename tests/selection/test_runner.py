"""Whole searches: interrupted ones end as the others do."""

from __future__ import annotations

import functools
import json
import pathlib
import shutil
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import result as result_lib
from bignas_tf.selection import runner
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.figures import Scored
from bignas_tf.selection.journal import RANKING
from bignas_tf.selection.objectives import Measurement, Objective
from bignas_tf.selection.runner import Search
from tests.data import photos
from tests.modeling import replicas
from tests.selection import digits

pytestmark = pytest.mark.slow

SOURCE = {
    "search_space": "digits", "checkpoint": "run/ckpt-7", "index_sha256": "5eed", "step": 7
}  # fmt: skip
BUDGETS = [Budget({"mflops": 0.03}), Budget({"mflops": 0.08})]


class Countdown(Search):
    """Counts what it scores, and is interrupted before one candidate too many."""

    scored: list[tuple[str, Architecture]]
    left = 1000

    def _scores(self, what: str, architectures: Sequence[Architecture]) -> Iterator[Scored]:
        for child, outcome in super()._scores(what, architectures):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            self.scored.append((what, child))
            yield child, outcome


class Unscored(Search):
    """Is interrupted before it scores anything."""

    def _scores(self, what: str, architectures: Sequence[Architecture]) -> Iterator[Scored]:
        raise KeyboardInterrupt


def _supernet() -> Supernet:
    return digits.supernet(within=digits.one_stage())


@pytest.fixture(scope="module")
def net() -> Supernet:
    return _supernet()


def _selection(**changes: object) -> SelectionConfig:
    values = {
        "calibration_split": "train[:64]",
        "calibration_images": 64,
        "ranking_split": "train[1300:]",
        "reporting_split": "test[:100]",
        "batch_size": 64,
        "resolutions": (8, 10),
        "depth_multipliers": (0.0, 1.0),
        "width_multipliers": (0.0, 1.0),
        "kernel_patterns": ("smallest", "largest"),
        "rounds": 2,
        "mutants": 2,
    }
    return SelectionConfig(**values | changes)  # type: ignore[arg-type]


def _objectives(net: Supernet) -> list[Objective]:
    """Multiply-adds, and parameters as if they had to be measured."""
    return [
        Objective("mflops", "multiply-adds", "M", lambda a: Measurement(net.cost_of(a).macs / 1e6)),
        Objective(
            "slow",
            "parameters",
            "",
            lambda a: Measurement(net.cost_of(a).params, 0.5),
            counted=False,
        ),
    ]


# Tracing takes longer than scoring; tests of a search in a new process are with its tool.
@functools.cache
def _evaluator(net: Supernet) -> Evaluator:
    return runner.build_evaluator(net, digits.data(), _selection())


def _new(net: Supernet) -> Countdown:
    search = Countdown(net, digits.data(), _selection(), SOURCE, _objectives(net), _evaluator(net))
    search.scored = []
    return search


@pytest.fixture(scope="module")
def straight_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Folder of the search that was left alone."""
    return tmp_path_factory.mktemp("straight")


@pytest.fixture(scope="module")
def straight(net: Supernet, straight_dir: pathlib.Path) -> tuple[str, int]:
    """`search.json` of a search left alone, and how many children it scored."""
    search = _new(net)
    search.run(BUDGETS, str(straight_dir))
    return (straight_dir / "search.json").read_text(), len(search.scored)


def test_an_interrupted_search_ends_as_the_others_do(
    net: Supernet, straight: tuple[str, int], tmp_path: pathlib.Path
) -> None:
    expected, evaluations = straight
    first, second, third = _new(net), _new(net), _new(net)
    first.left = evaluations - 5
    with pytest.raises(KeyboardInterrupt):
        first.run(BUDGETS, str(tmp_path))
    assert not (tmp_path / "search.json").exists()
    second.run(BUDGETS, str(tmp_path))
    assert len(second.scored) == 5
    assert len(first.scored) + len(second.scored) == evaluations
    assert (tmp_path / "search.json").read_text() == expected
    third.run(BUDGETS, str(tmp_path))
    assert third.scored == []
    assert (tmp_path / "search.json").read_text() == expected


def test_selected_children_fit_and_are_the_best_of_the_candidates(
    straight: tuple[str, int],
) -> None:
    result = json.loads(straight[0])
    assert [entry["budget"] for entry in result["selected"]] == [dict(b.limits) for b in BUDGETS]
    for entry, budget in zip(result["selected"], BUDGETS, strict=True):
        within = [c for c in result["candidates"] if budget.holds(c["costs"])]
        assert budget.holds(entry["costs"])
        assert entry["ranking_top1"] == max(candidate["ranking_top1"] for candidate in within)
    assert result["ranking"] == {"split": "train[1300:]", "images": 137}
    labels = np.concatenate([labels for _, labels in digits.batches("test[:100]")])
    majority = np.bincount(labels).max() / 100
    assert result["reporting"] == {"split": "test[:100]", "images": 100, "majority": majority}


def test_other_budgets_in_the_same_folder_reuse_what_was_found(
    net: Supernet, straight_dir: pathlib.Path, straight: tuple[str, int], tmp_path: pathlib.Path
) -> None:
    folder = shutil.copytree(straight_dir, tmp_path / "copy")
    search = _new(net)
    search.run([Budget({"mflops": 0.08, "slow": 2000.0})], str(folder))
    known = [c["architecture"] for c in json.loads(straight[0])["candidates"]]
    ranked = [child.to_json() for what, child in search.scored if what == RANKING]
    assert not [child for child in ranked if child in known]


def test_a_child_that_fails_is_recorded_and_the_search_goes_on(
    net: Supernet, tmp_path: pathlib.Path
) -> None:
    folder = f"ram://{tmp_path.name}/search"  # the others are here, this one is in a bucket

    def measure(architecture: Architecture) -> Measurement:
        if architecture.depths == (2,):
            raise errors.RunError("the phone does not answer")
        return Measurement(1.5)

    slow = Objective("ms", "time", "ms", measure, counted=False)
    objectives = [_objectives(net)[0], slow]
    selection = _selection(rounds=1)
    search = Search(net, digits.data(), selection, SOURCE, objectives, _evaluator(net))
    result = search.run(BUDGETS[:1], folder)
    failures = {each.architecture.depths: each.failure for each in result.candidates}
    assert failures == {(1,): None, (2,): "the phone does not answer"}
    again = search.run(BUDGETS[:1], folder)
    assert again == result == result_lib.read(folder, net.space)


def test_another_strategy_is_a_setting(net: Supernet, tmp_path: pathlib.Path) -> None:
    selection = _selection(strategy="evolution", evaluations=5, population=3)
    search = Search(net, digits.data(), selection, SOURCE, _objectives(net), _evaluator(net))
    found = search.run(BUDGETS, str(tmp_path)).candidates
    assert len(found) == 5
    assert {candidate.phase for candidate in found} == {"random", "evolved"}
    written = json.loads((tmp_path / "search.json").read_text())
    assert written["settings"]["selection"]["strategy"] == "evolution"


def test_the_journal_of_other_images_is_refused(
    net: Supernet, straight_dir: pathlib.Path, straight: tuple[str, int], tmp_path: pathlib.Path
) -> None:
    folder = shutil.copytree(straight_dir, tmp_path / "copy")
    data = digits.data().replace(crop="none")
    search = Search(net, data, _selection(), SOURCE, _objectives(net), _evaluator(net))
    with pytest.raises(errors.UsageError, match="or with other splits, images or measurements"):
        search.run(BUDGETS, str(folder))


def test_an_objective_that_is_not_there_is_refused(net: Supernet, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match=r"objective is 'macs'; .*\['mflops', 'slow'\]"):
        _new(net).run([Budget({"macs": 1.0})], str(tmp_path / "s"))
    assert not (tmp_path / "s").exists()


def test_a_journal_of_other_images_is_refused(net: Supernet, tmp_path: pathlib.Path) -> None:
    """Among them are some that the figures were not found on, whatever the splits are called."""
    classes = dict.fromkeys("0123456789", 10)
    root = photos.write(tmp_path / "photos", classes, side=8, coloured=False)
    data = digits.data().replace(source="folder", input_path=str(root), tfds_split="all[:70]")
    selection = _selection(
        calibration_split="all[:64]", ranking_split="all[70:85]", reporting_split="all[85:]"
    )

    def search() -> None:
        found = Unscored(net, data, selection, SOURCE, _objectives(net), _evaluator(net))
        found.run(BUDGETS, str(tmp_path / "search"))

    for _ in range(2):  # the journal is that of the same images
        with pytest.raises(KeyboardInterrupt):
            search()
    image = (root / "3" / "004.png").rename(tmp_path / "damaged.png")
    with pytest.raises(errors.UsageError, match="with other splits, images or measurements"):
        search()
    image.rename(root / "3" / "004.png")
    with pytest.raises(KeyboardInterrupt):
        search()


def test_ranking_on_reporting_images_is_refused(net: Supernet) -> None:
    shared = _selection(ranking_split="test", reporting_split="test[300:]")
    with pytest.raises(errors.UsageError, match=r"in common \(60\)"):
        Search(net, digits.data(), shared, SOURCE, _objectives(net), _evaluator(net))


def test_a_search_on_two_replicas_ends_as_on_one(
    straight: tuple[str, int], tmp_path: pathlib.Path
) -> None:
    with replicas.two_cpus().scope():
        net = _supernet()
    search = _new(net)
    search.run(BUDGETS, str(tmp_path))
    assert (tmp_path / "search.json").read_text() == straight[0]
    assert len(search.scored) == straight[1]
