"""The requests that a version is verified and warmed up with."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from bignas_tf.data import decode

# Where the server looks for requests that it answers before it says that it is ready.
WARMUP_FILE = pathlib.Path("assets.extra", "tf_serving_warmup_requests")


def feeds(patches: np.ndarray, centre: decode.Centre) -> dict[str, dict[str, np.ndarray]]:
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


def write_warmup(
    folder: pathlib.Path, feeds: Mapping[str, Mapping[str, np.ndarray]], images: int = 1
) -> None:
    """Writes a version's warm-up file: a request of the first images for each signature."""
    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for key, arrays in feeds.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = key
            for name, array in arrays.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(array[:images]))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
