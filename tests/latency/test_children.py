"""Children are timed in both runtimes, and written for commands.

Of the times themselves only what any machine must give is asserted.
"""

from __future__ import annotations

import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.exports import probe
from bignas_tf.latency import children, parts
from bignas_tf.modeling import slicing
from bignas_tf.search_space import presets
from bignas_tf.search_space.parts import ModelSpace
from tests.search_space import spaces
from tests.selection import digits

pytestmark = pytest.mark.slow

TINY = ModelSpace(spaces.countable(), num_classes=3, input_channels=1)


def _plausible(timing: probe.Timing) -> bool:
    return 0 < timing.median < math.inf and 0 <= timing.spread < math.inf


def test_a_large_child_takes_longer_in_litert_than_a_tiny_one() -> None:
    small = presets.get("bignas_small")
    large = children.litert(ModelSpace(small, 10, 1), small.biggest(), threads=1)
    tiny = children.litert(TINY, TINY.space.smallest(), threads=1)
    assert _plausible(large)
    assert _plausible(tiny)
    # 8.6 million multiply-adds against 9 thousand: 20 times the time, where it was measured.
    assert large.median > 2 * tiny.median


def test_a_saved_model_is_timed() -> None:
    assert _plausible(children.saved_model(TINY, TINY.space.smallest()))


def test_each_kind_of_part_is_timed() -> None:
    for part in TINY.parts(TINY.space.smallest()):
        assert _plausible(parts.timing(part, threads=1)), part
    assert _plausible(parts.overhead(8, channels=1, threads=2))


def test_a_command_gets_files_that_answer_as_the_child_does(tmp_path: pathlib.Path) -> None:
    net = digits.supernet()
    models = ModelSpace(net.space, net.num_classes, net.input_channels)
    architecture = net.space.with_resolution(net.space.biggest(), 9)
    statistics = slicing.uncalibrated(net)
    weights = list(slicing.slices(net, architecture, statistics))
    folder = tmp_path / "new" / "child"
    children.write(models, architecture, weights, str(folder))
    assert {path.name for path in folder.iterdir()} == {"saved_model", "child_float32.tflite"}
    patches = next(iter(digits.batches("test[:16]", 16)))[0].numpy()
    child = slicing.sliced_child(net, architecture, statistics)
    expected = child(resize.resize_patches(tf.constant(patches), 9), training=False).numpy()
    for run in (
        probe.tensorflow(str(folder / children.SAVED_MODEL_DIR)),
        probe.litert(str(folder / children.LITERT_FILE)),
    ):
        # Folded batch norms round otherwise, by 1e-6 of the largest logit; see test_folding.
        np.testing.assert_allclose(run(patches), expected, atol=1e-5 * np.abs(expected).max())
    # Whatever the process has made before: a command may go by the file.
    children.write(models, architecture, weights, str(tmp_path / "again"))
    again = tmp_path / "again" / children.LITERT_FILE
    assert again.read_bytes() == (folder / children.LITERT_FILE).read_bytes()
