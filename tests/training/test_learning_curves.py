"""Children are evaluated while their supernet trains, which changes nothing of the training."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors, run_folder
from bignas_tf.api import named_children
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.selection import runner, splits
from bignas_tf.training import checkpoints, curve_file, trainer
from tests.training import processes, runs

# Loops of 3 steps, of which the second and the last are followed by an evaluation.
PLAIN = "task.sandwich.smallest=false,task.sandwich.num_random=0,trainer.train_steps=9,"
EVALUATED = PLAIN + (
    "trainer.validation_interval=6,task.evaluation.children=[smallest,biggest],"
    "task.evaluation.split=test,task.evaluation.images=100,task.selection.batch_size=64,"
    "task.selection.calibration_split=train,task.selection.calibration_images=64"
)


def _top1_of_the_last(folder: pathlib.Path) -> dict[str, float]:
    """What the last checkpoint's children reach, found on one device."""
    run = checkpoints.load_run(str(folder))
    task = run.config.task
    evaluator = runner.build_evaluator(run.supernet, task.train_data, task.selection)
    children = {"smallest": run.space.smallest(), "biggest": run.space.biggest()}
    images = splits.open_split(task.train_data, "test", 64, 100)
    scores = dict(evaluator.scores(children.values(), images))
    return {name: scores[child].top1 for name, child in children.items()}


@pytest.mark.slow
def test_evaluation_is_recorded_and_leaves_the_training_as_it_is(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = runs.train(runs.parse(tmp_path, PLAIN), tmp_path / "plain")
    capsys.readouterr()
    config, folder = runs.parse(tmp_path, EVALUATED), tmp_path / "run"
    folder.mkdir()
    # Of a run whose checkpoints were deleted: this one starts at 0.
    before = [{"step": step, "top1": {"biggest": 0.5}} for step in (3, 6, 12)]
    (folder / "learning_curves.json").write_text(json.dumps(before))
    trainer.train(config, str(folder), runs.on_one_cpu(), named_children.scorer(config.task))

    evaluated = runs.tensors(tf.train.latest_checkpoint(str(folder)))
    assert [name for name in plain if not np.array_equal(plain[name], evaluated[name])] == []
    rows = json.loads((folder / "learning_curves.json").read_text())
    assert [row["step"] for row in rows] == [6, 9]
    assert rows[-1]["top1"] == _top1_of_the_last(folder)
    assert len({*rows[0]["top1"].values(), *rows[1]["top1"].values()}) > 1

    lines = [line for line in capsys.readouterr().out.splitlines() if "top-1" in line]
    for row, line in zip(rows, lines, strict=True):
        top1 = row["top1"]
        shown = f"smallest {top1['smallest']:.2%}  biggest {top1['biggest']:.2%}"
        assert line.startswith(f"step {row['step']}/9  top-1: {shown}  (")
    expected = {
        (f"top1/{name}", row["step"]): value for row in rows for name, value in row["top1"].items()
    }
    assert runs.summaries(folder / "validation") == pytest.approx(expected)


@pytest.mark.slow
def test_a_run_killed_in_an_evaluation_loses_no_step_and_begins_with_it(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Steps 3, 6, 9 are evaluated, and 10, the last of a run that is prolonged later."""
    overrides = f"{PLAIN}{runs.EAGER}trainer.validation_interval=3,trainer.checkpoint_interval=9,"
    folder = tmp_path / "run"

    def train(steps: int, killed_at: int = 0) -> list[int]:
        """Trains, and returns the steps that were evaluated."""
        config = runs.parse(tmp_path, f"{overrides}trainer.train_steps={steps}")

        def evaluation(net: Supernet) -> Callable[[], dict[str, float]]:
            def top1() -> dict[str, float]:
                if tf.summary.experimental.get_step() == killed_at:
                    raise KeyboardInterrupt
                return {"smallest": float(np.linalg.norm(net.classifier.bias))}

            return top1

        trainer.train(config, str(folder), runs.on_one_cpu(), evaluation)
        return [row["step"] for row in json.loads((folder / "learning_curves.json").read_text())]

    with pytest.raises(KeyboardInterrupt):
        train(10, killed_at=6)
    assert tf.train.latest_checkpoint(str(folder)).endswith("ckpt-6")
    assert train(10) == [3, 6, 9, 10]
    assert train(14) == [3, 6, 9, 10, 12, 14]
    # A loop of three steps, but back to its multiples after the tenth.
    lines = [line.split("/")[0] for line in capsys.readouterr().out.splitlines() if "loss" in line]
    assert lines == [f"step {step}" for step in (3, 6, 9, 10, 12, 14)]


@pytest.mark.slow
@pytest.mark.parametrize("start", [3, 0])
def test_a_run_taken_back_is_evaluated_again_where_it_comes_by(
    tmp_path: pathlib.Path, start: int
) -> None:
    """To the step that its list of checkpoints names, or to 0 without checkpoints."""
    overrides = f"{PLAIN}{runs.EAGER}trainer.validation_interval=6,trainer.train_steps=6,"
    config, folder = runs.parse(tmp_path, overrides), tmp_path / "run"

    def train(top1: float) -> list[dict[str, object]]:
        one_device = runs.on_one_cpu()
        trainer.train(config, str(folder), one_device, lambda net: lambda: {"smallest": top1})
        return json.loads((folder / "learning_curves.json").read_text())

    assert train(0.25) == [{"step": 6, "top1": {"smallest": 0.25}}]
    listed = folder / run_folder.CHECKPOINTS_FILE
    if start:
        listed.write_text(f'model_checkpoint_path: "ckpt-{start}"\n')
    else:
        for path in [listed, *folder.glob("ckpt-*")]:
            path.unlink()
    assert train(0.5) == [{"step": 6, "top1": {"smallest": 0.5}}]


@pytest.mark.slow
def test_a_child_that_cannot_be_scored_is_left_out_and_the_training_goes_on(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, folder = runs.parse(tmp_path, EVALUATED + "," + runs.EAGER), tmp_path / "run"
    ruined = runs.supernet_of(config)
    smallest = ruined.space.smallest().head_width
    # Only children with wider heads use these weights.
    kernel = ruined.classifier.kernel.numpy()
    kernel[smallest:] = np.nan
    ruined.classifier.kernel.assign(kernel)

    def evaluation(net: Supernet) -> Callable[[], Mapping[str, float | errors.RunError]]:
        return named_children.scorer(config.task)(ruined)

    trainer.train(config, str(folder), runs.on_one_cpu(), evaluation)
    assert tf.train.latest_checkpoint(str(folder)).endswith("ckpt-9")
    rows = json.loads((folder / "learning_curves.json").read_text())
    assert [(row["step"], list(row["top1"])) for row in rows] == [
        (6, ["smallest"]), (9, ["smallest"]),
    ]  # fmt: skip
    found = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    biggest = ruined.space.biggest()
    assert found == [
        f"warning: no accuracy of biggest at step {step}: child {biggest} gives logits that are "
        "not finite"
        for step in (6, 9)
    ]


@pytest.mark.slow
def test_two_workers_share_the_children_and_the_chief_records(tmp_path: pathlib.Path) -> None:
    overrides = f"{EVALUATED},trainer.train_steps=3"
    runs.parse(tmp_path, overrides)
    folder = tmp_path / "run"
    with processes.two_workers(tmp_path, folder, overrides) as (chief, other):
        for worker in (chief, other):
            code, stderr = worker.end()
            assert code == 0, stderr
    assert ["top-1" in line for line in chief.lines] == [False, False, True, False]
    assert chief.lines[-1].startswith("checkpoint: ")
    assert other.lines == []
    (row,) = json.loads((folder / "learning_curves.json").read_text())
    assert row == {"step": 3, "top1": _top1_of_the_last(folder)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[1, 2]", r"\[0\] is 1; it takes an object"),
        ('[{"step": 3}]', r"\[0\] has no 'top1'"),
        ('[{"step": "3", "top1": {}}]', r"\[0\].step is '3'; it takes a whole number"),
        ('[{"step": 3, "top1": {"biggest": 7}}]', "biggest is 7; it takes 0 to 1"),
    ],
)
def test_damaged_curves_are_refused(tmp_path: pathlib.Path, content: str, reason: str) -> None:
    path = tmp_path / curve_file.FILE
    path.write_text(content)
    with pytest.raises(errors.UsageError, match=f"{path} is damaged, .*{reason}"):
        curve_file.read(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("task.evaluation.children=[smallest,no_such.json]", "no_such.json cannot be read"),
        ("task.evaluation.children=[BigNASModel-S]", "'resolution' is 192; choose from"),
        ("task.evaluation.split=validation", "validation"),
        ("task.evaluation.split='test[:0]'", "is empty"),
    ],
)
def test_mistakes_show_before_training(tmp_path: pathlib.Path, changes: str, words: str) -> None:
    config = runs.parse(tmp_path, f"{EVALUATED},{changes}")
    with pytest.raises(errors.UsageError, match=words):
        named_children.scorer(config.task)
