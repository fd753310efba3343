"""A campaign's units are done once, however often it is interrupted."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from bignas_tf import errors
from bignas_tf.training import schedules
from experiments.claim_parts import ablations, recipes, worker
from experiments.claim_parts.campaign import Settings
from experiments.claim_parts.recipes import Recipe
from experiments.journal import Entry, Journal
from tests.experiments import units
from tests.experiments.campaigns import BASE, campaign


def test_a_journal_keeps_whole_lines_and_cuts_a_torn_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, {"steps": 5}) as first:
        first.add({"kind": "a", "seed": 0}, Entry({"top1": 0.5}, 2.0))
        with pytest.raises(errors.UsageError, match="a campaign that is running"):
            Journal(path, {"steps": 5})
    whole = path.read_text()
    path.write_text(whole + '{"key": {"kind": "a", "seed": 1}, "resu')
    with Journal(path, {"steps": 5}) as second:
        assert second.get({"seed": 0, "kind": "a"}) == Entry({"top1": 0.5}, 2.0)
        assert second.get({"seed": 1, "kind": "a"}) is None
    assert path.read_text() == whole
    path.write_text(whole[:9])  # torn in its first line
    with Journal(path, {"steps": 5}) as third:
        assert third.get({"seed": 0, "kind": "a"}) is None
    assert path.read_text() == '{"origin": {"steps": 5}}\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"other": {"steps": 5}}\n', "another configuration"),
        ('{"origin": {"steps": 5}}\n{"key": {}}\n', "line 2"),
        ('{"origin": {"steps": 5}}\nnonsense\n', "line 2"),
        # Torn, as a kill leaves a line, and yet nothing may be cut off.
        ("notes of somebody else", "another configuration"),
        ('{"origin": {"steps": 6}}\n{"key": {"kind": "a"', "another configuration"),
        ('{"origin": {"steps": 5}}\nnonsense\n{"key": {"kind": "a"', "line 2"),
    ],
)
def test_a_foreign_or_damaged_journal_is_refused(
    tmp_path: pathlib.Path, text: str, problem: str
) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(text)
    with pytest.raises(errors.UsageError, match=problem):
        Journal(path, {"steps": 5})
    assert path.read_text() == text


def test_a_worker_raises_what_the_unit_raises_and_says_if_it_died() -> None:
    with pytest.raises(errors.UsageError, match="it is wrong"):
        worker.call(units.mistaken, "it")
    with pytest.raises(errors.RunError, match="killed: its process ended with status -9"):
        worker.call(units.killed, "it")


def test_a_unit_runs_once_and_its_folder_goes_unless_it_is_kept(
    tmp_path: pathlib.Path, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    for keep in (True, False):
        what = {"keep": keep}
        for _ in range(2):
            ran = campaign(tmp_path, journal, kind=1)
            assert ran.unit("kind", what, "seed 0", units.doubled, 4, keep=keep) == 8
        folder = ran.folder("kind", what)
        assert folder.exists() == keep
        assert folder.with_suffix(".ran").read_text() == "4\n"
    assert capsys.readouterr().out == "unit 1/1: kind, seed 0\n" * 2


def test_time_left_is_reckoned_by_the_kinds_of_units(
    tmp_path: pathlib.Path, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    journal.add({"kind": "long", "seed": 0}, Entry(1, 300.0))
    journal.add({"kind": "short", "seed": 0}, Entry(1, 60.0))
    ran = campaign(tmp_path, journal, long=3, short=2)
    for kind in ("long", "short"):
        ran.unit(kind, {"seed": 0}, "seed 0", units.doubled, 1)
    ran.unit("long", {"seed": 1}, "seed 1", units.doubled, 1)
    # Two long ones of five minutes, and a short one of one.
    assert capsys.readouterr().out == "unit 3/5: long, seed 1 (11 min left)\n"


def test_a_report_refuses_a_unit_that_has_not_finished(
    tmp_path: pathlib.Path, journal: Journal
) -> None:
    with pytest.raises(errors.UsageError, match="kind \\(seed 0\\) has not finished"):
        campaign(tmp_path, journal, True).unit("kind", {}, "seed 0", units.doubled, 4)


def test_a_budget_that_no_child_keeps_is_refused_before_anything_runs(
    tmp_path: pathlib.Path, journal: Journal
) -> None:
    ran = campaign(tmp_path, journal)
    ran.check_budgets()
    ran.settings = Settings(BASE, 1, (0.1,), 4, 0, ())
    with pytest.raises(errors.UsageError, match="no child fits budget"):
        ran.check_budgets()


def test_the_decay_of_the_rate_follows_the_length_of_the_run() -> None:
    def schedule(recipe: Recipe) -> tuple[int, Any]:
        trainer = recipe.config().trainer
        return trainer.train_steps, trainer.optimizer_config.learning_rate.get()

    # A warm-up of 50 steps would leave nothing of so short a run; see schedules.for_run.
    short = schedules.for_run(BASE.changed(steps=60).config().trainer)
    assert short.learning_rate.get().decay_steps == 60
    assert short.warmup.get().warmup_steps == 6
    paper = BASE.changed("experiments/fashion_mnist_paper.yaml")
    paper = paper.changed("trainer.optimizer_config.learning_rate.type=constant_ending")
    steps, plain = schedule(paper)
    halved, exponential = schedule(paper.changed(steps=steps // 2))
    assert halved == steps // 2
    assert exponential.decay_steps == plain.decay_steps // 2
    stretched, exponential = schedule(paper.changed(stretch=2))
    assert stretched == 2 * steps
    assert exponential.decay_steps == plain.decay_steps
    for name in ("cosine", "linear"):
        ablation = BASE.changed(str(ablations.FOLDER / f"{name}.yaml"), steps=70)
        assert schedule(ablation)[1].decay_steps == 70


def test_a_recipe_seeds_everything_and_its_overrides_fit() -> None:
    config = BASE.changed(seed=3).config()
    assert (config.task.seed, config.task.train_data.seed) == (3, 3)
    for setting in (*recipes.ALONE.values(), recipes.ALONE_UNTUNED):
        one = BASE.changed(*setting, recipes.alone("smallest")).config()
        assert one.task.sandwich.num_children == 1
    short = BASE.changed(recipes.fine_tuning(config, 0.1), steps=7).config().trainer
    rate = short.optimizer_config.learning_rate.get()
    before = config.trainer.optimizer_config.learning_rate.get()
    assert rate.initial_learning_rate == pytest.approx(0.1 * before.initial_learning_rate)
    assert (rate.decay_steps, short.train_steps) == (0, 7)  # 0 follows the run
