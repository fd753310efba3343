"""Children as ONNX files, by tf2onnx: an optional extra, see requirements-runtimes.txt."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bignas_tf.exports.child_function import ChildFunction
from bignas_tf.exports.sliced_graph import AnyChild

# What runtimes since 2023 read, and tf2onnx writes.
_OPSET = 18


def convert(child: AnyChild, patch_size: int, labels: Sequence[str]) -> bytes:
    """Converts a child; takes any number of images a call.

    Inputs and outputs are those of `ChildFunction`.

    Args:
      child: from `sliced_graph.standalone`.
      patch_size: side of the patches in pixels.
      labels: of the classes, in their order; JSON in the file's metadata.

    Returns:
      The file.

    Raises:
      ImportError: tf2onnx is not installed.
    """
    import tf2onnx

    module = ChildFunction(child, patch_size)
    model, _ = tf2onnx.convert.from_function(
        module.serve, input_signature=module.serve.input_signature, opset=_OPSET
    )
    model.metadata_props.add(key="labels", value=json.dumps(list(labels)))
    return model.SerializeToString()
