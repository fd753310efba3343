"""Children of other families, converted, answer as they do in Keras."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np
import pytest
import tf_keras

from bignas_tf.conversion import metadata, onnx, operations, tflite
from bignas_tf.data import resize
from bignas_tf.exports import probe
from bignas_tf.modeling import slicing
from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers
from tests.search_space import spaces

pytestmark = pytest.mark.slow

# Of the largest logit, as in test_tflite; seen: 2e-6 (ONNX, too) and 0.07.
TOLERANCES = {"float32": 1e-5, "int8": 0.15}
LABELS = tuple("abcde")
DESCRIPTION = metadata.FileDescription("styles", "A test.", LABELS)
# Every activation, and what else the paper's family does not have, in four blocks.
SPACE = SearchSpace(
    name="styles",
    stem_widths=(8,),
    stem_stride=2,
    stages=(
        Stage((8,), (1,), (3,), expands=(1,), se_ratio=0.0, activation="relu"),
        Stage((12,), (1,), (5,), expands=(2,), stride=2, activation="hard_swish"),
        Stage((12,), (1,), (3,), expands=(2,), se_ratio=0.0, activation="relu6"),
        Stage((16,), (1,), (3,), expands=(2,), activation="swish"),
    ),
    head_widths=(16,),
    train_resolutions=(16,),
    eval_resolutions=(16,),
    base_resolution=20,
    style=dataclasses.replace(
        spaces.attentive().style,
        kernels="matrix",
        stem_activation="hard_swish",
        head_activation="hard_swish",
    ),
)


class _Example(NamedTuple):
    """A child, and what it answers.

    Attributes:
      child: the stock model.
      patches: uint8 [N, side, side, 3].
      logits: of the patches, by the child.
    """

    child: tf_keras.Model
    patches: np.ndarray
    logits: np.ndarray


@pytest.fixture(scope="module")
def example() -> _Example:
    supernet, architecture = helpers.supernet_of(SPACE), SPACE.biggest()
    shape = (8, SPACE.base_resolution, SPACE.base_resolution, 3)
    patches = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    images = resize.resize_patches(patches, architecture.resolution)
    statistics = supernet.moments(images, architecture).numpy()
    child = slicing.sliced_child(supernet, architecture, statistics)
    return _Example(child, patches, child(images, training=False).numpy())


def _check(example: _Example, logits: np.ndarray, tolerance: float) -> None:
    difference = np.abs(logits - example.logits).max()
    assert difference < tolerance * np.abs(example.logits).max()


@pytest.mark.parametrize("kind", TOLERANCES)
def test_a_litert_file_answers_as_the_child_does(
    example: _Example, kind: str, tmp_path: pathlib.Path
) -> None:
    model = tflite.convert(example.child, kind, example.patches, DESCRIPTION)
    path = tmp_path / "child.tflite"
    path.write_bytes(model)
    _check(example, probe.litert(str(path))(example.patches), TOLERANCES[kind])
    # Those of the stem, one block and the head: one operation of LiteRT each, not five.
    assert operations.read(model).counts["HARD_SWISH"] == 5


def test_an_onnx_file_answers_as_the_child_does(example: _Example, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "child.onnx"
    side = example.patches.shape[1]
    path.write_bytes(onnx.convert(example.child, side, LABELS))
    _check(example, probe.onnxruntime(str(path))(example.patches), TOLERANCES["float32"])
