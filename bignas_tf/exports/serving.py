"""What TensorFlow Serving reads beside the graph: warm-up requests and configurations."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from bignas_tf import files
from bignas_tf.data import decode

MODELS_FILE, BATCHING_FILE = "models.config", "batching.config"
ONLY_MODEL = "child"
# Where the server looks for requests that it answers before it says that it is ready.
WARMUP_FILE = pathlib.Path("assets.extra", "tf_serving_warmup_requests")

_BATCHING = """\
# For --enable_batching: the server answers requests together that arrive at about the same time.
# Requests answered together fail together: an image that cannot be decoded takes the others of
# its batch with it, and the error counts the images of the batch. Images for serving_default and
# float_images must then all have one size. Requests of more than max_batch_size are refused.
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 }
"""


def requests(patches: np.ndarray, centre: decode.Centre) -> dict[str, dict[str, np.ndarray]]:
    """The same images for every signature, each in the form that it takes.

    Args:
      patches: uint8 [N, S, S, C], as evaluation cuts them.
      centre: what is cut from an image. Images get a border, so that exactly the patch is cut.

    Returns:
      The arrays by the signature's key, then by the input's name.
    """
    side = patches.shape[1]
    border = math.ceil(side / centre.fraction) - side
    edges = (border // 2, border - border // 2)
    images = np.pad(patches, [(0, 0), edges, edges, (0, 0)], mode="reflect")
    encoded = np.array([tf.io.encode_png(image).numpy() for image in images], object)
    return {
        "serving_default": {"images": images},
        "float_images": {"images": images.astype(np.float32)},
        "image_bytes": {"image_bytes": encoded},
        "patches": {"patches": patches},
    }


def write_warmup(folder: pathlib.Path, feeds: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Writes a version's warm-up file: the first image of each of the `requests`."""
    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for key, arrays in feeds.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = key
            for name, array in arrays.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(array[:1]))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())


def write_configs(base: pathlib.Path) -> None:
    """Writes `models.config`, which lists every model at and below `base`, and `batching.config`.

    A model is a folder of versions: `base` itself, called "child", or folders in it, by their
    names. The server wants absolute paths, so it must see `base` at its present path.
    """
    base = base.resolve()
    files.write_text(base / BATCHING_FILE, _BATCHING)
    written = None
    # Another export may add a model, and list it, between this one's look and its writing.
    while written != (found := _models(base)):
        files.write_text(base / MODELS_FILE, text_format.MessageToString(found))
        written = found


def _models(base: pathlib.Path) -> model_server_config_pb2.ModelServerConfig:
    """Every model at and below `base`, an absolute path."""
    config = model_server_config_pb2.ModelServerConfig()
    for folder in [base, *sorted(path for path in base.glob("[!.]*") if path.is_dir())]:
        graphs = folder.glob("[0-9]*/saved_model.pb")
        if any(path.parent.name.isdecimal() for path in graphs):
            config.model_config_list.config.add(
                name=ONLY_MODEL if folder == base else folder.name,
                base_path=str(folder),
                model_platform="tensorflow",
            )
    return config
