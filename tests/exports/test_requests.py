"""What TensorFlow Serving reads beside the graph."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from google.protobuf.message import Message
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from bignas_tf import errors
from bignas_tf.data import decode
from bignas_tf.exports import requests, saved_model, serving_configs, verify
from tests.exports import servables

pytestmark = pytest.mark.slow

NAMES = ("child_1", "child_0.5")
# Wrapped 64-bit fields of tensorflow.serving.BatchingParameters, by their numbers.
BATCHING_FIELDS = {
    1: "max_batch_size",
    2: "batch_timeout_micros",
    3: "max_enqueued_batches",
    4: "num_batch_threads",
    9: "max_execution_batch_size",
}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Two children of different size."""
    base = tmp_path_factory.mktemp("family")
    space = servables.SPACE
    children = zip(NAMES, (space.biggest(), space.smallest()), strict=True)
    saved_model.export_family(
        ((name, servables.servable(child)) for name, child in children), str(base)
    )
    return base


def _models(base: pathlib.Path) -> dict[str, str]:
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((base / serving_configs.MODELS_FILE).read_text(), config)
    assert {each.model_platform for each in config.model_config_list.config} == {"tensorflow"}
    return {each.name: each.base_path for each in config.model_config_list.config}


def _warmup(version: pathlib.Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The recorded requests, as a server reads them."""
    warmup = []
    for record in tf.data.TFRecordDataset(str(version / requests.WARMUP_FILE)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        arrays = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        warmup.append((request.model_spec.signature_name, arrays))
    return warmup


def test_the_configuration_lists_every_model(family: pathlib.Path) -> None:
    assert _models(family) == {name: str(family.resolve() / name) for name in NAMES}
    for name in NAMES:
        assert [path.name for path in (family / name).iterdir()] == ["1"]


def _batching_parameters() -> Message:
    """An empty BatchingParameters: a part of its definition, because no Python wheel has it.

    See tensorflow_serving/servables/tensorflow/session_bundle_config.proto in TensorFlow Serving,
    whose server reads the file of --batching_parameters_file as this message.
    """
    wrappers = wrappers_pb2.DESCRIPTOR
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto", package="tensorflow.serving", dependency=[wrappers.name]
    )
    message = file.message_type.add(name="BatchingParameters")
    for number, name in BATCHING_FIELDS.items():
        field = message.field.add(name=name, number=number, type_name=".google.protobuf.Int64Value")
        field.type, field.label = field.TYPE_MESSAGE, field.LABEL_OPTIONAL
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.serialized_pb)
    pool.Add(file)
    found = pool.FindMessageTypeByName("tensorflow.serving.BatchingParameters")
    return message_factory.GetMessageClass(found)()


def test_the_batching_can_be_read_as_the_server_reads_it(family: pathlib.Path) -> None:
    parameters = _batching_parameters()
    text_format.Parse((family / serving_configs.BATCHING_FILE).read_text(), parameters)
    found = {field.name: value.value for field, value in parameters.ListFields()}
    assert found == {
        "max_batch_size": 32,
        "batch_timeout_micros": 2000,
        "max_enqueued_batches": 100,
    }


def test_the_warm_up_is_answered_by_the_session_loader(family: pathlib.Path) -> None:
    servable = servables.servable(servables.SPACE.biggest())
    warmup = _warmup(family / NAMES[0] / "1")
    assert [key for key, _ in warmup] == [
        "serving_default", "float_images", "image_bytes", "patches", "features"
    ]  # fmt: skip
    *answers, embedded = verify.session_answers(family / NAMES[0] / "1", warmup)
    assert not isinstance(embedded, str), embedded
    assert embedded["features"].shape == (1, servables.SPACE.biggest().head_width)
    for answer in answers:
        assert not isinstance(answer, str), answer
        np.testing.assert_allclose(answer["logits"], servable.expected_logits[:1], atol=1e-4)


def test_a_family_of_which_one_is_wrong_does_not_appear(
    family: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    good = servables.servable(servables.SPACE.smallest())
    bad = dataclasses.replace(good, expected_logits=good.expected_logits + np.float32(1.0))
    with pytest.raises(errors.RunError, match="'serving_default' differ by up to"):
        saved_model.export_family([("good", good), ("bad", bad)], str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_lies_in_the_folder_stays_there(family: pathlib.Path, tmp_path: pathlib.Path) -> None:
    family = shutil.copytree(family, tmp_path / "family")
    before = {path: path.read_bytes() for path in (family / NAMES[0]).rglob("*") if path.is_file()}
    servable = servables.servable(servables.SPACE.smallest())
    assert saved_model.export_family([(NAMES[0], servable)], str(family)) == [
        family / NAMES[0] / "2"
    ]
    assert set(_models(family)) == set(NAMES)
    for path, content in before.items():
        assert path.read_bytes() == content


@pytest.mark.parametrize("centre", [decode.WHOLE, decode.SEVEN_EIGHTHS])
@pytest.mark.parametrize("side", [1, 2, 7, 28, 29, 30, 224])
def test_the_border_leaves_just_the_patch(side: int, centre: decode.Centre) -> None:
    rng = np.random.default_rng(side)
    patches = rng.integers(0, 256, (2, side, side, 3)).astype(np.uint8)
    feeds = requests.feeds(patches, centre)
    images = feeds["serving_default"]["images"]
    np.testing.assert_array_equal(decode.centred_patches(images, side, centre), patches)
    for encoded, patch in zip(feeds["image_bytes"]["image_bytes"], patches, strict=True):
        np.testing.assert_array_equal(decode.centred_patch(encoded, side, 3, centre), patch)
