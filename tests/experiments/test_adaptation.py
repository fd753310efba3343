"""The part of the claims that adapts a supernet: its halves of the classes, and its arithmetic."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from bignas_tf import errors
from bignas_tf.data import folders
from bignas_tf.search_space.architecture import Architecture
from experiments.claim_parts import adaptation, halves, recipes
from experiments.claim_parts.campaign import Campaign, Settings
from experiments.journal import Entry, Journal, digest
from tests.experiments.campaigns import BASE, DESCRIPTION

STEPS = 20


def _images(root: pathlib.Path) -> pathlib.Path:
    for name in "abcdef":
        for split in ("train", "test"):
            folder = root / split / name
            folder.mkdir(parents=True)
            (folder / f"{split}_{name}.png").touch()
    return root


def test_halves_share_no_class_and_leave_none_out(tmp_path: pathlib.Path) -> None:
    root = _images(tmp_path / "images")
    for _ in range(2):  # an interrupted campaign makes them again
        first, second = halves.link(str(root), tmp_path / "halves")
    assert (first.classes, second.classes) == (("a", "c", "e"), ("b", "d", "f"))
    config = BASE.changed("task.train_data.source=folder", second.source).config()
    data = config.task.train_data
    assert data.num_classes == 3
    found = folders.scan(data.input_path)
    assert found.classes == second.classes
    names = {split: {pathlib.Path(path).name for path, _ in images}
             for split, images in found.splits.items()}  # fmt: skip
    assert names == {
        split: {f"{split}_{name}.png" for name in "bdf"} for split in ("train", "test")
    }


@pytest.mark.parametrize("data", [{"source": "tfds", "num_classes": 10},
                                  {"source": "folder", "num_classes": 3}])  # fmt: skip
def test_what_cannot_be_halved_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(errors.UsageError, match=f"source='{data['source']}' with .* classes: give"):
        halves.check(data)


def test_rates_are_parts_of_the_configurations() -> None:
    config = BASE.config()
    assert config.task.init_checkpoint == ""
    changed = BASE.changed(recipes.adapting(config, "rate x 2"), recipes.started_from("runs/a"))
    rates = [
        each.trainer.optimizer_config.learning_rate.get().initial_learning_rate
        for each in (config, changed.config())
    ]
    assert rates[1] == pytest.approx(2 * rates[0])
    assert changed.config().task.init_checkpoint == "runs/a"


@pytest.fixture
def campaign(tmp_path: pathlib.Path, journal: Journal) -> Campaign:
    """Of two seeds and two budgets, whose units are all in the journal."""
    root = str(_images(tmp_path / "images"))
    task = DESCRIPTION["task"] | {
        "train_data": {"num_classes": 6, "channels": 1, "source": "folder", "input_path": root}
    }
    settings = Settings(BASE, 2, (3.0, 8.0), 4, 0, (), (STEPS,))
    plan = adaptation.plan(settings)
    description = DESCRIPTION | {"task": task}
    made = Campaign(settings, tmp_path, journal, description, plan, report_only=True)
    compared = adaptation.children(made)
    for seed in range(2):
        what = {"seed": seed, "classes": digest(["a", "c", "e"])}
        journal.add({"kind": adaptation.SOURCE, **what}, Entry({"step": 100}, 1.0))
        for kind in adaptation.KINDS:
            for number, setting in enumerate(recipes.ADAPTING):
                # The second rate is best by ranking, the first by reporting.
                better = 0.3 if kind == adaptation.ADAPTED else 0.2
                scores = [
                    {
                        "ranking_top1": (0.5, 0.6, 0.4)[number],
                        "reporting_top1": better + 0.1 * child + 0.02 * seed - 0.1 * number,
                        "mflops": 2.0 + child,
                    }
                    for child in range(2)
                ]
                what = {
                    "classes": digest(["b", "d", "f"]),
                    "children": digest(compared),
                    "setting": setting,
                    "steps": STEPS,
                    "seed": seed,
                }
                result = {"scores": scores, "seconds": 60.0 + 60 * seed}
                journal.add({"kind": kind, **what}, Entry(result, 1.0))
    return made


def test_the_table_of_adaptation(campaign: Campaign, tmp_path: pathlib.Path) -> None:
    # A supernet of each seed; of either way one of each seed and two of other rates.
    assert campaign.left == 2 + 4 + 4
    result = adaptation.measure(campaign)
    assert campaign.left == 0
    (length,) = result["lengths"]
    assert set(length["setting"].values()) == {"rate x 1"}
    table = adaptation.table(result).splitlines()
    # Adapted 20 and 22, 30 and 32; from scratch 10 less.
    assert table[2:5] == [
        "| 20 | 3 M | 2.00 M | 21.00 ± 1.00 | 11.00 ± 1.00 | +10.00 ± 0.00 |",
        "| 20 | 8 M | 3.00 M | 31.00 ± 1.00 | 21.00 ± 1.00 | +10.00 ± 0.00 |",
        "| 20 | all |  | 26.00 ± 1.00 | 16.00 ± 1.00 | +10.00 ± 0.00 |",
    ]
    assert table[6] == "- From a supernet of 3 other classes to 3 classes."
    assert table[7] == (
        "- Adapted for 20 steps: rate x 1, the best by the ranking split "
        "(rate x 2 50.00, rate x 1 60.00, rate x 0.3 40.00); 1.5 minutes with tracing."
    )
    adaptation.plot(result, tmp_path / "adaptation.png")
    assert (tmp_path / "adaptation.png").read_bytes().startswith(b"\x89PNG")


def test_children_are_the_biggest_within_their_budgets(campaign: Campaign) -> None:
    children = [Architecture.from_json(each) for each in adaptation.children(campaign)]
    costs = [campaign.mflops(child) for child in children]
    assert 2.5 < costs[0] <= 3.0 < 7.0 < costs[1] <= 8.0
    assert {child.resolution for child in children} == {campaign.space.base_resolution}
    campaign.settings = dataclasses.replace(campaign.settings, budgets_mflops=(1.0,))
    with pytest.raises(errors.UsageError, match="has 1, which no uniformly grown child keeps"):
        adaptation.children(campaign)
