"""The Model Garden trains, evaluates and exports a RetinaNet on a child, and its export answers."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

import bignas_tf as bignas
from bignas_tf import errors
from experiments import scenes
from tests.exports import stored

RETINANET = "experiments/scenes_retinanet.yaml"
# Steps without tracing take a fraction of the time that tracing one takes.
TINY = (
    "task.model.input_size=[32,32,3],task.model.min_level=2,task.model.max_level=2,"
    "task.model.decoder.fpn.num_filters=4,task.model.head.num_filters=4,"
    "task.model.head.num_convs=1,task.train_data.global_batch_size=2,"
    "task.validation_data.global_batch_size=2,trainer.train_steps=1,trainer.steps_per_loop=1,"
    "trainer.train_tf_while_loop=false,trainer.train_tf_function=false,"
    "trainer.eval_tf_function=false"
)


def _overrides(folder: pathlib.Path) -> str:
    garments = np.full([1, 10, 10], 200, np.uint8)
    path = folder / "scenes.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(2):
            scene = scenes.draw(garments, np.zeros(1, int), 48, np.random.default_rng(number))
            writer.write(scenes.example(scene, number))
    return f"{TINY},task.train_data.input_path={path},task.validation_data.input_path={path}"


@pytest.mark.slow
def test_a_retinanet_on_a_child_is_trained_exported_and_asked(tmp_path: pathlib.Path) -> None:
    child = stored.child_in(tmp_path / "1")
    named = f"task.model.backbone.bignas_child.export_dir={child.folder}"
    config = bignas.configure_garden(
        "retinanet_bignas", [RETINANET], f"{_overrides(tmp_path)},{named}"
    )
    metrics = bignas.train_garden(config, tmp_path / "run", "train")
    assert {"AP", "AP50"} <= set(metrics)
    again = bignas.configure_garden("retinanet_bignas", [tmp_path / "run" / "params.yaml"])
    assert again.as_dict() == config.as_dict()
    version = bignas.export_garden(again, tmp_path / "run", tmp_path / "served")
    assert version == tmp_path / "served" / "1"
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    answer = served(tf.zeros([1, 40, 30, 3], tf.uint8))
    assert answer["detection_boxes"].shape == (1, 10, 4)


def test_mistakes_are_found_before_anything_is_built(tmp_path: pathlib.Path) -> None:
    config = bignas.configure_garden(
        "retinanet_bignas", [RETINANET], f"task.validation_data.input_path={tmp_path}/*"
    )
    with pytest.raises(errors.UsageError, match=r"validation_data\.input_path is .*no such file"):
        bignas.train_garden(config, tmp_path / "run")
    with pytest.raises(errors.UsageError, match="mode is 'test'; choose from"):
        bignas.train_garden(config, tmp_path / "run", "test")
    with pytest.raises(errors.UsageError, match="holds no checkpoint; train first"):
        bignas.export_garden(config, tmp_path / "run", tmp_path / "served")
    with pytest.raises(errors.UsageError, match="input_type is 'png'; choose from"):
        bignas.export_garden(config, tmp_path / "run", tmp_path / "served", input_type="png")
    with pytest.raises(
        errors.UsageError, match=r"unknown key 'task\.modle'; nearest is 'task\.mod"
    ):
        bignas.configure_garden("retinanet_bignas", [], "task.modle.num_classes=3")
    assert not (tmp_path / "run").exists()
