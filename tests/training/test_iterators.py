"""What a training leaves in its process."""

from __future__ import annotations

import gc
import pathlib

import tensorflow as tf

from tests.training import runs


def _iterators() -> set[int]:
    return {id(each) for each in gc.get_objects() if isinstance(each, tf.data.Iterator)}


def test_no_iterator_waits_for_a_garbage_collection(tmp_path: pathlib.Path) -> None:
    alone = "task.sandwich.smallest=false,task.sandwich.num_random=0,"
    one_step = f"{alone}{runs.EAGER}trainer.steps_per_loop=1,trainer.train_steps=1"
    config = runs.parse(tmp_path, one_step)
    gc.collect()
    gc.disable()  # else a collection by chance would do what the trainer must
    try:
        before = _iterators()
        runs.train(config, tmp_path / "run")
        assert _iterators() <= before
    finally:
        gc.enable()
