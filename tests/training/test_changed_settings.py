"""What the configuration says of the optimiser holds in a run that is resumed, too."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.training import parsing, resuming
from bignas_tf.training.task import BigNASTask
from tests.modeling import replicas
from tests.training import runs

FAST = f"{runs.EAGER}task.sandwich.smallest=false,task.sandwich.num_random=0,"
OPTIMISER = "trainer.optimizer_config."
AVERAGED = f"{OPTIMISER}ema.average_decay=0.9,"
CONSTANT = f"{OPTIMISER}learning_rate.type=constant,{OPTIMISER}warmup.type=null,"


@pytest.mark.parametrize(
    ("always", "setting", "before", "after", "kept"),
    [
        ("", "optimizer.rmsprop.momentum", 0.9, 0.25, "momentum"),
        ("", "optimizer.rmsprop.rho", 0.9, 0.5, "rho"),
        (AVERAGED, "optimizer.rmsprop.momentum", 0.9, 0.25, "momentum"),
        (CONSTANT, "learning_rate.constant.learning_rate", 0.25, 0.5, "learning_rate"),
        # Of a whole number Keras would make an integer, in the checkpoint, too.
        ("", "optimizer.rmsprop.momentum", 0, 0.25, "momentum"),
        (CONSTANT, "learning_rate.constant.learning_rate", 1, 0.5, "learning_rate"),
    ],
)
def test_a_setting_that_is_changed_on_resuming_is_used(
    tmp_path: pathlib.Path, always: str, setting: str, before: float, after: float, kept: str
) -> None:
    """Keras keeps it in the checkpoint, too, from which it was restored: a changed one was lost."""

    def trained(steps: int, value: float, folder: pathlib.Path) -> dict[str, np.ndarray]:
        given = f"{FAST}{always}{OPTIMISER}{setting}={value},trainer.train_steps={steps}"
        return runs.train(runs.parse(tmp_path, given), folder)

    trained(2, before, tmp_path / "begun")
    unchanged, changed = (
        trained(4, then, shutil.copytree(tmp_path / "begun", tmp_path / str(then)))
        for then in (before, after)
    )
    scalars = [name for name in changed if name.startswith("optimizer/") and not changed[name].ndim]
    (name,) = (each for each in scalars if each.split("/.ATTR")[0].endswith(f"/{kept}"))
    assert (unchanged[name], changed[name]) == (before, after)
    weights = [name for name in changed if name.startswith("model/") and changed[name].ndim > 1]
    assert weights
    assert any(not np.array_equal(unchanged[each], changed[each]) for each in weights)


def test_what_only_the_start_of_a_run_reads_is_named(tmp_path: pathlib.Path) -> None:
    runs.train(runs.parse(tmp_path, f"{FAST}trainer.train_steps=1"), tmp_path / "run")
    rest = f"{OPTIMISER}optimizer.rmsprop.momentum=0.5,task.model.zero_init_gamma=false"
    now = runs.parse(tmp_path, f"{FAST}trainer.train_steps=1,{rest}")
    assert resuming.changes(str(tmp_path / "run"), now) == [
        "  changed: trainer.optimizer_config.optimizer.rmsprop.momentum was 0.9, is now 0.5",
        "  of no effect on a run that has begun: task.model.zero_init_gamma was True, is now False",
    ]


def test_a_clipping_that_depends_on_the_number_of_replicas_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    def made(bound: float) -> object:
        given = f"{OPTIMISER}optimizer.type=adamw,{AVERAGED}"
        bounded = f"{given}{OPTIMISER}optimizer.adamw.gradient_clip_norm={bound}"
        config = parsing.parse("bignas_small", [], bounded)
        return BigNASTask.create_optimizer(config.trainer.optimizer_config, config.runtime)

    assert made(1.0)
    with replicas.two_cpus().scope():
        assert made(0.0)
        with pytest.raises(errors.UsageError, match=r"clip_norm is 1.0 .* global_clipnorm"):
            made(1.0)
