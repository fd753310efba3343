"""What a training reads its images with."""

from __future__ import annotations

import pathlib

from bignas_tf.training.supernet_trainer import SupernetTrainer
from bignas_tf.training.task import BigNASTask
from tests.training import runs


def test_on_one_cpu_no_thread_tunes_the_images_and_delays_their_end(
    tmp_path: pathlib.Path,
) -> None:
    config = runs.parse(tmp_path)
    with runs.on_one_cpu().scope():
        trainer = SupernetTrainer(config, BigNASTask(config.task))
    assert trainer.train_dataset.options().autotune.enabled is False
