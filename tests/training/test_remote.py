"""A run in a folder that is not local, such as gs://bucket/run.

TensorFlow's own file system in memory stands for all that `tf.io.gfile` reaches.
"""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.training import checkpoints, trainer
from tests.training import runs

ALONE = (
    "task.sandwich.smallest=false,task.sandwich.num_random=0,"
    "trainer.steps_per_loop=1,trainer.checkpoint_interval=1,trainer.summary_interval=1,"
)


@pytest.mark.slow
def test_a_run_is_trained_resumed_and_loaded_in_a_remote_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    space = runs.space_of(tmp_path, stages=runs.ONE_BLOCK)
    for steps in (1, 2):
        config = runs.parse(tmp_path, f"{ALONE}trainer.train_steps={steps}")
        trainer.train(config, "ram://runs/a", runs.on_one_cpu())
    assert "resuming from ram://runs/a/ckpt-1" in capsys.readouterr().out
    run = checkpoints.load_run("ram://runs/a")
    assert (run.step, run.checkpoint, run.space) == (2, "ram://runs/a/ckpt-2", space)
    kernel = runs.tensors(run.checkpoint)["model/classifier/kernel/.ATTRIBUTES/VARIABLE_VALUE"]
    np.testing.assert_array_equal(run.supernet.classifier.kernel, kernel)
    assert tf.io.gfile.glob("ram://runs/a/train/events.*") != []
    with tf.io.gfile.GFile("ram://runs/a/orbit.log") as log:
        assert "saved checkpoint to ram://runs/a/ckpt-2" in log.read()
    assert list(here.iterdir()) == []


def test_a_remote_folder_without_a_run_is_refused() -> None:
    with pytest.raises(errors.UsageError, match=r"ram://runs/none is not the folder of a"):
        checkpoints.load_run("ram://runs/none")
