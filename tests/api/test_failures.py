"""What runtimes and converters raise becomes a failure of the child, and of nothing else."""

from __future__ import annotations

import dataclasses
import errno
import operator
import os
import pathlib
import re
import signal
from collections.abc import Iterator

import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.api import child_files, failures
from bignas_tf.exports import probe
from bignas_tf.latency.disposable import Disposable
from bignas_tf.search_space import presets
from bignas_tf.training import checkpoints
from tests.selection import digits


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Disposable]:
    disposable = Disposable()
    yield disposable
    disposable.close()


def _hundred_terabytes() -> None:
    tf.zeros([1 << 45])


def _raise(error: Exception) -> None:
    raise error


def test_an_answer_is_passed_on() -> None:
    assert failures.of_child(int, "12", base=8) == 10


def test_any_error_of_a_runtime_is_a_failure_of_the_child(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match=r"^ZeroDivisionError: division by zero$") as caught:
        failures.of_child(operator.truediv, 1, 0)
    assert not isinstance(caught.value, errors.OutOfMemoryError)
    (tmp_path / "child.tflite").write_bytes(b"no flatbuffer")
    with pytest.raises(errors.RunError, match=r"^ValueError: "):
        failures.of_child(probe.litert, str(tmp_path / "child.tflite"))


@pytest.mark.parametrize("kind", [errors.UsageError, errors.RunError])
def test_our_own_errors_stay_what_they_are(kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"^said already$"):
        failures.of_child(_raise, kind("said already"))


def test_what_the_system_refuses_is_no_failure_of_the_child() -> None:
    refused = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    with pytest.raises(errors.MachineError, match=r"^OSError: .*Too many open files"):
        failures.of_child(_raise, refused)
    with pytest.raises(errors.OutOfMemoryError, match="can't start new thread"):
        failures.of_child(_raise, RuntimeError("can't start new thread"))


def test_a_full_disk_is_no_failure_of_the_child() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match=re.escape(full.strerror)) as caught:
        failures.of_child(_raise, full)
    assert caught.value is full


@pytest.mark.slow
def test_a_lack_of_memory_is_known_as_one(elsewhere: Disposable) -> None:
    with pytest.raises(errors.OutOfMemoryError, match=r"^ResourceExhaustedError: .*OOM"):
        failures.of_child(elsewhere, _hundred_terabytes)
    with pytest.raises(errors.OutOfMemoryError, match=r"^MemoryError: "):
        failures.of_child(operator.mul, b"x", 1 << 60)
    with pytest.raises(errors.OutOfMemoryError, match=r"status -9, killed, .* memory ran out"):
        failures.of_child(elsewhere, signal.raise_signal, signal.SIGKILL)


@pytest.mark.slow
def test_a_child_whose_conversion_raises_has_failed(
    elsewhere: Disposable, tmp_path: pathlib.Path
) -> None:
    net, config = digits.supernet(), digits.parse(tmp_path)
    # Its children lack the layers that the weights are for, so that setting them raises.
    stages = [stage | {"se_ratio": 0.0} for stage in digits.SPACE["stages"]]
    run = checkpoints.Run(str(tmp_path), config, digits.space(), net, "", 0, "")
    other = dataclasses.replace(run, space=presets.from_dict(digits.SPACE | {"stages": stages}))
    score = child_files.scorer(other, config.task, digits.evaluator(net), "float32", elsewhere)
    with pytest.raises(errors.RunError, match=r"^ValueError: "):
        score(digits.batches("train[1300:1364]"), net.space.smallest())
