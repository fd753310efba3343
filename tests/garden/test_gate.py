"""An export that does not answer, or answers with what is no number, does not appear."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.garden import gate

SIDE = 4


def _saved(folder: pathlib.Path, divisor: float, rows: int = SIDE) -> pathlib.Path:
    """Answers with the pixels of PNG files by `divisor`; only for images of so many rows."""

    class Model(tf.Module):
        def __init__(self) -> None:
            self.divisor = tf.Variable(divisor)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def answer(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
            images = tf.map_fn(tf.io.decode_png, encoded, fn_output_signature=tf.uint8)
            images = tf.ensure_shape(images, [None, rows, None, 3])
            return {"pixels": tf.cast(images, tf.float32) / self.divisor}

    model = Model()
    tf.saved_model.save(model, str(folder), signatures=model.answer)
    return folder


def test_what_answers_passes(tmp_path: pathlib.Path) -> None:
    gate.check(_saved(tmp_path / "1", 255.0), SIDE, SIDE, encoded=True)


def test_what_is_not_finite_fails(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match="a 'pixels' that is not finite"):
        gate.check(_saved(tmp_path / "1", 0.0), SIDE, SIDE, encoded=True)


def test_what_does_not_take_its_images_fails(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match="does not answer: "):
        gate.check(_saved(tmp_path / "1", 255.0, rows=5), SIDE, SIDE, encoded=True)


def test_what_has_lost_its_variables_fails(tmp_path: pathlib.Path) -> None:
    folder = _saved(tmp_path / "1", 255.0)
    (folder / "variables" / "variables.index").unlink()
    with pytest.raises(errors.RunError, match="does not answer: Could not find variable"):
        gate.check(folder, SIDE, SIDE, encoded=True)


def test_weights_that_the_checkpoint_lacks_are_random_ones(tmp_path: pathlib.Path) -> None:
    folder = _saved(tmp_path / "1", 255.0)
    same, other = (
        tf.train.Checkpoint(weight=tf.Variable(value)).save(str(tmp_path / f"{value}"))
        for value in (255.0, 254.0)
    )
    gate.check_taken_over(gate.weights(same), folder)
    with pytest.raises(errors.RunError, match="lacks a weight of the exported model, divisor/"):
        gate.check_taken_over(gate.weights(other), folder)


@pytest.mark.parametrize("weight", [1.0, float("nan")])
def test_weights_are_finite(tmp_path: pathlib.Path, weight: float) -> None:
    path = tf.train.Checkpoint(kernel=tf.Variable([weight])).save(str(tmp_path / "ckpt"))
    if weight == 1.0:
        gate.weights(path)
        return
    with pytest.raises(errors.RunError, match="not finite: kernel"):
        gate.weights(path)
