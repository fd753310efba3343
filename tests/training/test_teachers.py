"""A SavedModel that the user brings teaches the children."""

from __future__ import annotations

import functools
import gc
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data.config import DataConfig
from bignas_tf.training import sandwich, teachers
from bignas_tf.training.task import BigNASTask
from tests.training import runs

DATA = DataConfig(base_size=14, channels=1, num_classes=10)


class _Linear(tf.Module):
    """The simplest teacher; its weights are variables, as a foreign model's may be."""

    def __init__(
        self,
        classes: int = 10,
        side: int = 14,
        name: str = "patches",
        batch: int | None = None,
        logits: tf.DType = tf.float32,
    ) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        kernel = rng.normal(0.0, 0.1, (side * side, classes)).astype(np.float32)
        self.kernel = tf.Variable(kernel)
        spec = tf.TensorSpec([batch, side, side, 1], tf.uint8, name)

        def answer(patches: tf.Tensor) -> dict[str, tf.Tensor]:
            pixels = tf.reshape(tf.cast(patches, tf.float32) / 127.5 - 1.0, [-1, side * side])
            return {"logits": tf.cast(tf.matmul(pixels, self.kernel), logits)}

        self.answer = tf.function(answer, input_signature=[spec])


def _saved(
    folder: pathlib.Path, model: _Linear | None = None, key: str = teachers.SIGNATURE
) -> str:
    model = model or _Linear()
    tf.saved_model.save(model, str(folder), signatures={key: model.answer})
    return str(folder)


def test_every_child_learns_what_the_teacher_answers(tmp_path: pathlib.Path) -> None:
    path = _saved(tmp_path / "teacher")
    config = runs.parse(tmp_path, f"task.sandwich.num_random=1,task.distillation.teacher={path}")
    task = BigNASTask(config.task)
    net = task.build_model()
    gc.collect()
    run = functools.partial(
        sandwich.compute_gradients,
        net,
        patches=runs.patches(),
        labels=runs.labels(),
        step=tf.constant(0, tf.int64),
        config=config.task,
    )
    actual = run(teacher=task._teacher)
    expected = run(teacher=lambda patches: _Linear().answer(patches)["logits"])
    assert actual.losses.keys() == expected.losses.keys()
    for role, loss in actual.losses.items():
        assert float(loss) == pytest.approx(float(expected.losses[role]), rel=1e-6)
    for one, other in zip(actual.gradients, expected.gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("same_patch", "calls"), [(True, 1), (False, 3)])
def test_a_teacher_answers_once_for_each_patch(
    tmp_path: pathlib.Path, same_patch: bool, calls: int
) -> None:
    settings = (
        f"task.sandwich.same_patch={str(same_patch).lower()},task.sandwich.num_random=1,"
        "task.train_data.crop=pad"
    )
    config = runs.parse(tmp_path, settings)
    patches, seen = runs.patches(), []
    if not same_patch:
        patches = tf.stack([patches] * calls, 1)

    def teacher(shown: tf.Tensor) -> tf.Tensor:
        seen.append(shown)
        return tf.zeros([len(shown), 10])

    net = BigNASTask(config.task).build_model()
    sandwich.compute_gradients(
        supernet=net,
        patches=patches,
        labels=runs.labels(),
        step=tf.constant(0, tf.int64),
        config=config.task,
        teacher=teacher,
    )
    assert len(seen) == calls


@pytest.mark.slow
def test_a_run_trains_with_a_teacher(tmp_path: pathlib.Path) -> None:
    path = _saved(tmp_path / "teacher")
    settings = "trainer.train_steps=3,task.sandwich.smallest=false,task.sandwich.num_random=0"
    plain = runs.train(runs.parse(tmp_path, settings), tmp_path / "plain")
    settings += f",task.distillation.teacher={path}"
    taught = runs.train(runs.parse(tmp_path, settings), tmp_path / "taught")
    kernel = "model/classifier/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    assert not np.array_equal(plain[kernel], taught[kernel])
    # The teacher is not part of the checkpoint.
    assert list(taught) == list(plain)


def test_what_is_no_teacher_is_refused(tmp_path: pathlib.Path) -> None:
    cases = {
        str(tmp_path / "nowhere"): "cannot be loaded as a SavedModel",
        _saved(tmp_path / "key", key="serve"): r"has the signatures \['serve'\]; 'patches' is",
        _saved(tmp_path / "name", _Linear(name="x")): "must take any number of uint8 patches",
        _saved(tmp_path / "side", _Linear(side=16)): r"number of uint8 patches of \[14, 14, 1\]",
        _saved(tmp_path / "batch", _Linear(batch=4)): "must take any number of uint8 patches",
        _saved(tmp_path / "classes", _Linear(classes=4)): "'logits' of 10 classes are needed",
    }
    for path, words in cases.items():
        with pytest.raises(errors.UsageError, match=words):
            teachers.load(path, DATA)
    graph = pathlib.Path(_saved(tmp_path / "damaged"), "saved_model.pb")
    content = graph.read_bytes()
    for name in (b"kernel", b"filename", b"varargs", b"MatMul"):  # each another error of Python's
        assert name in content
        graph.write_bytes(content.replace(name, name[::-1]))
        with pytest.raises(errors.UsageError, match=r"^task\.distillation\.teacher"):
            teachers.load(str(graph.parent), DATA)


def test_the_logits_of_a_teacher_become_float32(tmp_path: pathlib.Path) -> None:
    teacher = teachers.load(_saved(tmp_path / "half", _Linear(logits=tf.bfloat16)), DATA)
    assert teacher(tf.zeros([3, 14, 14, 1], tf.uint8)).dtype == tf.float32
