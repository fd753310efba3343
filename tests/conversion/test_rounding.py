"""What int8 costs is made less, and nothing else of the file changes."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np
import pytest
import tf_keras
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

import bignas_tf as bignas
from bignas_tf.conversion import metadata, operations, rounding, tflite
from bignas_tf.data import resize
from bignas_tf.exports import probe, saved_model
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.training import checkpoints
from tests.exports import digit_children
from tests.modeling import helpers
from tests.selection import digits

pytestmark = pytest.mark.slow

DESCRIPTION = metadata.FileDescription("digits", "A test.", tuple(digit_children.LABELS))
# Of the root mean square of a logit's error; 0.61 was seen.
LESS = 0.8
ENDS = {"swish": -8.0, "hard_swish": -3.0}


@pytest.fixture(scope="module", params=list(ENDS))
def activation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def servable(activation: str) -> saved_model.Servable:
    """A child whose features behind the stem reach from about -40 to 40."""
    style = {"stem_activation": activation, "head_activation": activation}
    stages = [stage | {"activation": activation} for stage in digits.SPACE["stages"]]
    space = presets.from_dict(digits.SPACE | {"stages": stages, "style": style})
    tf_keras.utils.set_random_seed(0)
    net = Supernet(space, digits.CLASSES, input_channels=1)
    helpers.randomise(net)
    gamma = net.get_layer("stem_norm").gamma
    gamma.assign(gamma * 10.0)
    return digit_children.servable(net, space.with_resolution(space.biggest(), 9))


@pytest.fixture(scope="module")
def files(servable: saved_model.Servable) -> tuple[bytes, bytes]:
    return _with_and_without(servable.child, digit_children.calibration())


def _with_and_without(child: tf_keras.Model, patches: np.ndarray) -> tuple[bytes, bytes]:
    """A child in int8 as the converter makes it, and as it is written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounding, "lessen", lambda model, exact, patches: model)
        plain = tflite.convert(child, "int8", patches, DESCRIPTION)
    return plain, tflite.convert(child, "int8", patches, DESCRIPTION)


def test_a_trained_childs_logits_are_nearer(tmp_path: pathlib.Path) -> None:
    bignas.unpack_demo(tmp_path / "demo")
    supernet = checkpoints.load_run(str(tmp_path / "demo")).supernet
    smallest = supernet.space.smallest()
    patches = np.concatenate([digit_children.calibration(), digit_children.images("test[:160]")])
    patches = np.kron(patches, np.ones((1, 4, 4, 1), np.uint8))[:, 2:30, 2:30]
    images = resize.resize_patches(patches, smallest.resolution)
    statistics = supernet.moments(images, smallest).numpy()
    child = slicing.sliced_child(supernet, smallest, statistics)
    expected = child(images, training=False).numpy()[-160:]

    def error(model: bytes) -> float:
        return float(np.sqrt(np.mean((probe.litert(model)(patches[-160:]) - expected) ** 2)))

    before, after = map(error, _with_and_without(child, patches[:96]))
    assert after < LESS * before


def test_what_a_swish_reads_begins_where_it_does(
    files: tuple[bytes, bytes], activation: str
) -> None:
    before, after = (list(_starts(model)) for model in files)
    end = ENDS[activation]
    assert min(before) < 2 * end
    for old, new in zip(before, after, strict=True):
        # The zero is rounded to a step, of which the widest range here has 255 in 50.
        assert new == pytest.approx(max(old, end), abs=0.2)


def test_operations_and_size_stay(files: tuple[bytes, bytes]) -> None:
    before, after = files
    assert operations.read(after) == operations.read(before)
    assert len(after) == pytest.approx(len(before), rel=0.01)


def test_equal_biases_are_parted() -> None:
    """A supernet that was not trained has zeros, which the converter keeps once."""
    net = Supernet(presets.from_dict(digits.SPACE), digits.CLASSES, input_channels=1)
    servable = digit_children.servable(net, net.space.with_resolution(net.space.biggest(), 9))
    before, after = _with_and_without(servable.child, digit_children.calibration())
    assert len(set(_bias_buffers(before))) < len(_bias_buffers(before))
    assert len(set(_bias_buffers(after))) == len(_bias_buffers(after))


def _bias_buffers(model: bytes) -> list[int]:
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    (graph,) = content.subgraphs
    inputs = [each.inputs for each in graph.operators if len(each.inputs) == 3]
    biases = [graph.tensors[given[2]] for given in inputs if given[2] >= 0]
    return [each.buffer for each in biases if each.type == schema.TensorType.INT32]


def _starts(model: bytes) -> Iterator[float]:
    """The least number that each convolution's output can hold which goes into a swish."""
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    (graph,) = content.subgraphs
    convolutions = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    swishes = (schema.BuiltinOperator.LOGISTIC, schema.BuiltinOperator.HARD_SWISH)
    kinds = [content.operatorCodes[each.opcodeIndex].builtinCode for each in graph.operators]
    made = {
        each.outputs[0]
        for kind, each in zip(kinds, graph.operators, strict=True)
        if kind in convolutions
    }
    for kind, each in zip(kinds, graph.operators, strict=True):
        if kind in swishes and each.inputs[0] in made:
            stored = graph.tensors[each.inputs[0]].quantization
            yield float((-128 - stored.zeroPoint[0]) * stored.scale[0])
