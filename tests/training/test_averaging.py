"""An average of the weights is kept, saved, evaluated and loaded in their place."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors, run_folder
from bignas_tf.api import named_children
from bignas_tf.training import checkpoints, trainer
from bignas_tf.training.supernet_trainer import SupernetTrainer
from bignas_tf.training.task import BigNASTask
from tests.training import runs
from tests.training.test_learning_curves import EVALUATED, _top1_of_the_last

pytestmark = pytest.mark.slow

# Without TensorFlow's slower start: the decay is the same at every step.
DECAY = 0.75
AVERAGED = (
    f"trainer.optimizer_config.ema.average_decay={DECAY},"
    "trainer.optimizer_config.ema.dynamic_decay=false,"
    "trainer.optimizer_config.ema.start_step=2,"
)
ALONE = "task.sandwich.smallest=false,task.sandwich.num_random=0,"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
AVERAGE = "/.OPTIMIZER_SLOT/optimizer/average" + VALUE


def _averages(saved: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ends = len(AVERAGE)
    return {name[:-ends]: value for name, value in saved.items() if name.endswith(AVERAGE)}


def test_the_average_is_that_of_the_weights_of_every_step(tmp_path: pathlib.Path) -> None:
    config = runs.parse(tmp_path, f"{runs.EAGER}{ALONE}{AVERAGED}trainer.train_steps=4")
    with runs.on_one_cpu().scope():
        run = SupernetTrainer(config, BigNASTask(config.task))
    expected: Any = None
    for step in range(1, 5):
        run.train(tf.constant(1))
        weights = [variable.numpy() for variable in run.model.trainable_variables]
        # Up to the first step that counts, the average is the weight itself.
        decay = DECAY if step >= 2 else 0.0
        pairs = zip(expected or weights, weights, strict=True)
        expected = [decay * average + (1.0 - decay) * weight for average, weight in pairs]
    run.refresh_evaluated()
    assert run.evaluated is not run.model
    for actual, wanted in zip(run.evaluated.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-7)


def test_averages_are_saved_resumed_and_loaded(tmp_path: pathlib.Path) -> None:
    settings = f"{runs.EAGER}{ALONE}{AVERAGED}"
    plain = runs.train(runs.parse(tmp_path, runs.EAGER + ALONE), tmp_path / "plain")
    at_once = runs.train(runs.parse(tmp_path, settings), tmp_path / "at_once")
    runs.train(runs.parse(tmp_path, settings + "trainer.train_steps=3"), tmp_path / "resumed")
    resumed = runs.train(runs.parse(tmp_path, settings), tmp_path / "resumed")
    assert [name for name in at_once if not np.array_equal(at_once[name], resumed[name])] == []

    averages = _averages(at_once)
    trained = {name: at_once[name + VALUE] for name in averages}
    # The average changes nothing of the training.
    assert all(np.array_equal(plain[name + VALUE], trained[name]) for name in averages)
    assert len(averages) > 10
    assert not all(np.array_equal(averages[name], trained[name]) for name in averages)

    loaded = checkpoints.load_run(str(tmp_path / "at_once")).supernet
    again = runs.tensors(tf.train.Checkpoint(model=loaded).write(str(tmp_path / "again")))
    for name, average in averages.items():
        np.testing.assert_array_equal(again[name + VALUE], average)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [(AVERAGED, "", "with averages.*; set"), ("", AVERAGED, "without averages.*; leave out")],
)
def test_averages_are_not_switched_in_the_middle_of_a_run(
    tmp_path: pathlib.Path, first: str, second: str, words: str
) -> None:
    settings = f"{runs.EAGER}{ALONE}{{}}trainer.train_steps={{}}"
    runs.train(runs.parse(tmp_path, settings.format(first, 1)), tmp_path / "run")
    params = (tmp_path / "run" / run_folder.PARAMS_FILE).read_text()
    with pytest.raises(errors.UsageError, match=words):
        runs.train(runs.parse(tmp_path, settings.format(second, 2)), tmp_path / "run")
    assert (tmp_path / "run" / run_folder.PARAMS_FILE).read_text() == params


def test_children_evaluated_during_training_are_those_of_the_average(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = f"{runs.EAGER}{AVERAGED}{EVALUATED}"
    plain = runs.train(runs.parse(tmp_path, settings), tmp_path / "plain")
    config = runs.parse(tmp_path, settings)
    folder = tmp_path / "run"
    trainer.train(config, str(folder), runs.on_one_cpu(), named_children.scorer(config.task))
    evaluated = runs.tensors(tf.train.latest_checkpoint(str(folder)))
    assert [name for name in plain if not np.array_equal(plain[name], evaluated[name])] == []
    rows = json.loads((folder / "learning_curves.json").read_text())
    assert rows[-1]["top1"] == _top1_of_the_last(folder)
