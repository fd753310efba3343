"""ONNX files answer as the Keras child does; where the optional packages are installed."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from bignas_tf.conversion import onnx
from bignas_tf.exports import probe
from tests.exports import digit_children
from tests.selection import digits

pytest.importorskip("tf2onnx")
runtime = pytest.importorskip("onnxruntime")

# float32 rounding; see test_folding.
RELATIVE_TOLERANCE = 1e-5


@pytest.mark.slow
def test_a_file_answers_as_the_child_does_and_names_the_classes(tmp_path: pathlib.Path) -> None:
    net = digits.supernet()
    made = digit_children.servable(net, net.space.with_resolution(net.space.biggest(), 9))
    path = tmp_path / "child.onnx"
    path.write_bytes(onnx.convert(made.child, 8, digit_children.LABELS))
    logits = probe.onnxruntime(str(path))(made.patches)
    tolerance = RELATIVE_TOLERANCE * np.abs(made.expected_logits).max()
    np.testing.assert_allclose(logits, made.expected_logits, rtol=0, atol=tolerance)
    described = runtime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map
    assert json.loads(described["labels"]) == digit_children.LABELS
