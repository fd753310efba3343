"""LiteRT files answer as the Keras child does, within what their numbers can hold."""

from __future__ import annotations

import io
import pathlib
import zipfile

import numpy as np
import pytest
import tf_keras
from ai_edge_litert import interpreter

from bignas_tf import errors
from bignas_tf.conversion import metadata, operations, tflite
from bignas_tf.data import resize
from bignas_tf.exports import probe, saved_model
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from tests.exports import digit_children
from tests.modeling import helpers
from tests.selection import digits

pytestmark = pytest.mark.slow

# Largest difference, in units of the largest logit. float32: rounding, see test_folding. The others
# round each weight to 11 bits (float16) or to 1/127 of a channel's largest (int8), int8 each
# activation, too; about three times what was seen: 0.0016, 0.0075 and 0.05.
TOLERANCES = {"float32": 1e-5, "float16": 0.005, "dynamic_range": 0.02, "int8": 0.15}
# Largest mean difference, in the same units. 0.0006 is left by the mean over 96 images of logits in
# steps of 0.008; 0.0037 was seen where the classifier's bias stayed as it was.
SHIFT = 0.0015
DESCRIPTION = metadata.FileDescription("digits", "A test.", tuple(digit_children.LABELS), "MIT")


@pytest.fixture(scope="module")
def servable() -> saved_model.Servable:
    """A child with a wide head: the converter leaves weights of under 1,024 numbers as they are."""
    space = presets.from_dict(digits.SPACE | {"head_widths": [128]})
    tf_keras.utils.set_random_seed(0)
    net = Supernet(space, digits.CLASSES, input_channels=1)
    helpers.randomise(net)
    return digit_children.servable(net, space.with_resolution(space.biggest(), 9))


@pytest.fixture(scope="module")
def models(servable: saved_model.Servable) -> dict[str, bytes]:
    ranges = digit_children.calibration()
    return {
        kind: tflite.convert(servable.child, kind, ranges, DESCRIPTION) for kind in tflite.KINDS
    }


@pytest.mark.parametrize("kind", tflite.KINDS)
def test_a_file_answers_as_the_child_does(
    servable: saved_model.Servable, models: dict[str, bytes], kind: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "child.tflite"
    path.write_bytes(models[kind])
    logits = probe.litert(str(path))(servable.patches)
    largest = np.abs(servable.expected_logits).max()
    difference = np.abs(logits - servable.expected_logits).max()
    assert difference <= TOLERANCES[kind] * largest


def test_int8_moves_no_class_on_average(
    servable: saved_model.Servable, models: dict[str, bytes], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "child.tflite"
    path.write_bytes(models["int8"])
    calibration = digit_children.calibration()
    images = resize.resize_patches(calibration, servable.child.input_shape[1])
    expected = servable.child(images, training=False).numpy()
    shift = (probe.litert(str(path))(calibration) - expected).mean(0)
    assert np.abs(shift).max() <= SHIFT * np.abs(expected).max()


@pytest.mark.parametrize("kind", tflite.KINDS)
def test_every_kind_takes_plain_pixels_of_one_patch(models: dict[str, bytes], kind: str) -> None:
    lite = interpreter.Interpreter(model_content=models[kind])
    (patches,) = lite.get_input_details()
    assert (patches["name"], patches["dtype"]) == ("patches", np.uint8)
    assert patches["shape"].tolist() == [1, 8, 8, 1]
    assert patches["quantization"] == ((1.0, 0) if kind == "int8" else (0.0, 0))
    outputs = lite.get_output_details()
    assert {each["name"] for each in outputs} == {"logits", "probabilities"}
    assert {each["dtype"] for each in outputs} == {np.uint8 if kind == "int8" else np.float32}


def test_what_runs_how_is_told(models: dict[str, bytes]) -> None:
    told = {kind: operations.read(model) for kind, model in models.items()}
    weighted = told["float32"].weights["float32"]
    assert told["float16"].weights == {"float16": weighted}
    dynamic = told["dynamic_range"].weights
    assert dynamic["int8"] > 0
    assert dynamic["int8"] + dynamic["float32"] == weighted
    assert told["int8"].weights == {"int8": weighted}
    assert told["int8"].floats == {}
    assert told["float32"].floats == told["float32"].counts
    # Only the pixels' way in is left to the reference kernels.
    assert told["float32"].outside_xnnpack == {"CAST": 1}
    assert told["int8"].outside_xnnpack["QUANTIZE"] == 3


def test_int8_with_an_operation_in_float_is_refused(models: dict[str, bytes]) -> None:
    with pytest.raises(errors.RunError, match=r"operations in float32: \{.*CONV_2D"):
        tflite.check_int8(models["float32"])


@pytest.mark.parametrize("kind", tflite.KINDS)
def test_a_file_holds_its_labels_and_its_metadata(models: dict[str, bytes], kind: str) -> None:
    with zipfile.ZipFile(io.BytesIO(models[kind])) as archive:
        lines = archive.read("labels.txt").decode().splitlines()
    assert lines == digit_children.LABELS
    told = _metadata(models[kind])
    assert told[4:8] == b"M001"
    for text in (b"digits", b"A test.", b"MIT", b"labels.txt", b"patches", b"probabilities"):
        assert text + b"\0" in told


def test_an_image_of_other_than_one_or_three_channels_has_no_colour_space() -> None:
    made = [metadata._metadata(DESCRIPTION, (1, 8, 8, channels), ["a"]) for channels in (1, 3, 4)]
    assert len(set(made)) == 3
    assert b"8x8x4" in made[2]


def _metadata(model: bytes) -> bytes:
    """The buffer that the model's metadata names TFLITE_METADATA."""
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    (entry,) = [each for each in content.metadata if each.name == b"TFLITE_METADATA"]
    return bytes(content.buffers[entry.buffer].data)
