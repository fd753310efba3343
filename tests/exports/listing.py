"""The models that a folder's models.config names, read as TensorFlow Serving reads it."""

from __future__ import annotations

import pathlib

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from bignas_tf.exports import serving_configs


def listed(base: pathlib.Path) -> list[str]:
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((base / serving_configs.MODELS_FILE).read_text(), config)
    return sorted(each.name for each in config.model_config_list.config)
