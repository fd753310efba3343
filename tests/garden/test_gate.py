"""An export that does not answer, or answers with what is no number, does not appear."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.garden import gate

SIDE = 4


def _saved(folder: pathlib.Path, divisor: float, rows: int | None = None) -> pathlib.Path:
    """Answers with the pixels by `divisor`; only images of so many rows."""

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
        def answer(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
            if rows is not None:
                images = tf.ensure_shape(images, [None, rows, None, 3])
            return {"pixels": tf.cast(images, tf.float32) / divisor}

    model = Model()
    tf.saved_model.save(model, str(folder), signatures=model.answer)
    return folder


def test_what_answers_alike_in_both_loaders_passes(tmp_path: pathlib.Path) -> None:
    gate.check(_saved(tmp_path / "1", 255.0), SIDE, SIDE, encoded=False)


def test_what_is_not_finite_fails(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match=r"'pixels' in the session loader .* not finite"):
        gate.check(_saved(tmp_path / "1", 0.0), SIDE, SIDE, encoded=False)


def test_what_does_not_take_its_images_fails(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match="does not answer"):
        gate.check(_saved(tmp_path / "1", 255.0, rows=5), SIDE, SIDE, encoded=False)
