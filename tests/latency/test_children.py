"""Children are timed in both runtimes, and by commands good and bad.

Of the times themselves only what any machine must give is asserted.
"""

from __future__ import annotations

import math
import pathlib
import stat
import time

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
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
LIMIT_S = 30.0  # more than any command here takes, unless it hangs


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
    weights = slicing.slices(net, architecture, statistics)
    children.write(models, architecture, weights, str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"saved_model", "child_float32.tflite"}
    patches = next(iter(digits.batches("test[:16]", 16)))[0].numpy()
    child = slicing.sliced_child(net, architecture, statistics)
    expected = child(resize.resize_patches(tf.constant(patches), 9), training=False).numpy()
    for run in (
        probe.tensorflow(str(tmp_path / children.SAVED_MODEL_DIR)),
        probe.litert(str(tmp_path / children.LITERT_FILE)),
    ):
        # Folded batch norms round otherwise, by 1e-6 of the largest logit; see test_folding.
        np.testing.assert_allclose(run(patches), expected, atol=1e-5 * np.abs(expected).max())


def _script(folder: pathlib.Path, text: str) -> str:
    path = folder / "command.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_last_line_of_a_command_is_its_milliseconds(tmp_path: pathlib.Path) -> None:
    command = _script(tmp_path, 'echo "warming $1" >&2; echo "$2"; echo " 1.25e1 "; echo')
    assert children.command([command, "up"], str(tmp_path), LIMIT_S) == 12.5


def test_a_command_gets_the_folder_last(tmp_path: pathlib.Path) -> None:
    (tmp_path / "milliseconds").write_text("0.5\n")
    command = _script(tmp_path, 'cat "$2/milliseconds"')
    assert children.command([command, "--once"], str(tmp_path), LIMIT_S) == 0.5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "echo no phone; echo is there >&2; exit 3",
            "exit status 3; it printed 'no phone is there'",
        ),
        ("kill -9 $$", "exit status -9; it printed nothing"),
        ("", "its last line must be milliseconds, a number above 0; it printed nothing"),
        ("echo 3; echo done", "its last line must be .* it printed '3 done'"),
        ("echo 1.5 ms", "it printed '1.5 ms'"),
        ("echo 0", "it printed '0'"),
        ("echo -1", "it printed '-1'"),
        ("echo nan", "it printed 'nan'"),
        ("echo inf", "it printed 'inf'"),
        ("printf '\\377'", "its last line must be"),
    ],
)
def test_a_command_that_gives_no_time_is_told(
    tmp_path: pathlib.Path, text: str, problem: str
) -> None:
    command = _script(tmp_path, text)
    with pytest.raises(errors.RunError, match=f"^{command} {tmp_path}: .*{problem}"):
        children.command([command], str(tmp_path), LIMIT_S)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: pathlib.Path) -> None:
    # The grandchild holds the pipes, so that waiting for their end would wait for it.
    text = f'sleep 60 & echo $! > "{tmp_path}/pid"; echo begun; wait'
    command = _script(tmp_path, text)
    began = time.monotonic()
    with pytest.raises(errors.RunError, match=r"took over 1 s; it printed 'begun'"):
        children.command([command], str(tmp_path), limit_s=1.0)
    assert time.monotonic() - began < LIMIT_S
    pid = int((tmp_path / "pid").read_text())
    while _runs(pid):
        assert time.monotonic() - began < LIMIT_S


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie, which only waits for its parent's interest."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_cannot_be_started_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match=r"nowhere .*: cannot be started \(No such file"):
        children.command([str(tmp_path / "nowhere")], str(tmp_path), LIMIT_S)
