"""A teacher with the classes in another order is refused before anything is trained."""

from __future__ import annotations

import json
import pathlib

import pytest
import tensorflow as tf
from official.core import config_definitions as cfg

import bignas_tf as bignas
from bignas_tf.api import runs
from tests.data import photos


class _Undecided(tf.Module):
    """A teacher of two classes for patches of 28 pixels."""

    @tf.function(input_signature=[tf.TensorSpec([None, 28, 28, 3], tf.uint8, "patches")])
    def answer(self, patches: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": tf.zeros([tf.shape(patches)[0], 2])}


@pytest.mark.parametrize(
    ("labels", "difference"),
    [
        (["cow", "dog"], ""),
        (["0", "1"], ""),  # say nothing
        (None, ""),
        (["a cow", "a dog"], "otherwise: class 0 is 'cow' here, 'a cow' there; its soft labels"),
    ],
)
def test_other_names_of_a_teacher_s_classes_are_told(
    tmp_path: pathlib.Path, labels: list[str] | None, difference: str
) -> None:
    config, teacher = _config(tmp_path, labels)
    warnings = runs._check_teacher(config.task)
    assert len(warnings) == bool(difference)
    assert all(difference in each and str(teacher) in each for each in warnings)


def test_a_teacher_of_the_same_classes_in_another_order_is_refused(tmp_path: pathlib.Path) -> None:
    config, teacher = _config(tmp_path, ["dog", "cow"])
    words = rf"^task.distillation.teacher {teacher} has the classes in another order: class 0 is "
    with pytest.raises(bignas.UsageError, match=words):
        bignas.train(config, tmp_path / "run", show=None)
    assert not (tmp_path / "run").exists()


def _config(
    tmp_path: pathlib.Path, labels: list[str] | None
) -> tuple[cfg.ExperimentConfig, pathlib.Path]:
    """A run on cows and dogs, and its teacher, whose export has these labels."""
    root = photos.write(tmp_path / "photos", {"cow": 50, "dog": 50}, side=28)
    teacher = tmp_path / "teacher"
    model = _Undecided()
    tf.saved_model.save(model, str(teacher), signatures={"patches": model.answer})
    if labels is not None:
        (teacher / "labels.json").write_text(json.dumps(labels))
    config = bignas.configure(params_override=bignas.recipe(root).values)
    config.task.distillation.teacher = str(teacher)
    return config, teacher
