"""Classifies image files with an exported child; needs TensorFlow, not this project's layers.

  python -m tools.predict --export_dir=EXPORT/1 --images=a.png,b.png

Prints one JSON line an image: image, label, probability.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from bignas_tf import errors
from tools.cli import launch, no_chatter

_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Folder of one version.", required=True)
_IMAGES = flags.DEFINE_list("images", None, "PNG or JPEG files.", required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    import tensorflow as tf

    try:
        model = tf.saved_model.load(_EXPORT_DIR.value)
        signature = model.signatures["serving_default"]
        _, side, _, channels = signature.structured_input_signature[1]["images"].shape
    except (OSError, KeyError) as error:
        raise errors.UsageError(
            f"--export_dir: {_EXPORT_DIR.value} is no folder of an exported version"
        ) from error
    images = tf.stack([_read(tf, path, side, channels) for path in _IMAGES.value])
    probabilities = signature(images=images)["probabilities"].numpy()
    for path, row in zip(_IMAGES.value, probabilities, strict=True):
        label = int(row.argmax())
        print(json.dumps({"image": path, "label": label, "probability": float(row[label])}))


def _read(tf: Any, path: str, side: int, channels: int) -> Any:
    """Decodes a file to uint8 [side, side, channels]."""
    try:
        encoded = pathlib.Path(path).read_bytes()
        image = tf.io.decode_image(encoded, channels, expand_animations=False)
    except OSError as error:
        raise errors.UsageError(f"--images: {path} cannot be read ({error.strerror})") from error
    except tf.errors.InvalidArgumentError as error:
        raise errors.UsageError(f"--images: {path} is not a PNG or JPEG image") from error
    if image.shape[:2] == (side, side):
        return image
    resized = tf.image.resize_with_crop_or_pad(image, *[min(image.shape[:2])] * 2)
    resized = tf.image.resize(resized, [side, side], "bicubic")
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


if __name__ == "__main__":
    launch(main)
