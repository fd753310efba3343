"""A teacher that has learnt other classes is refused before anything is trained."""

from __future__ import annotations

import json
import pathlib

import pytest
import tensorflow as tf

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
        (["0", "1"], ""),  # says nothing
        (None, ""),
        (["ant", "bee"], "class 0 is 'cow' here, 'ant' there"),
        (["dog", "cow"], "class 0 is 'cow' here, 'dog' there"),
    ],
)
def test_a_teacher_s_classes_are_those_of_the_run(
    tmp_path: pathlib.Path, labels: list[str] | None, difference: str
) -> None:
    root = photos.write(tmp_path / "photos", {"cow": 50, "dog": 50}, side=28)
    teacher = tmp_path / "teacher"
    model = _Undecided()
    tf.saved_model.save(model, str(teacher), signatures={"patches": model.answer})
    if labels is not None:
        (teacher / "labels.json").write_text(json.dumps(labels))
    config = bignas.configure(params_override=bignas.recipe(root).values)
    config.task.distillation.teacher = str(teacher)
    if not difference:
        runs._check_teacher(config.task)
        return
    with pytest.raises(bignas.UsageError, match=rf"^task.distillation.teacher .*: {difference}$"):
        bignas.train(config, tmp_path / "run", show=None)
    assert not (tmp_path / "run").exists()
