"""TPUs: float32 products that stay float32, and supernets that compute as they were trained."""

from __future__ import annotations

import functools
import pathlib
import re
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tensorflow as tf
import tf_keras
from official.common import distribute_utils
from tensorflow.python.distribute import one_device_strategy

import bignas_tf as bignas
from bignas_tf.api import devices
from bignas_tf.data import resize
from bignas_tf.layers import elastic
from bignas_tf.layers.classifier import ElasticClassifier

ROOT = pathlib.Path(__file__).resolve().parents[2]
switch = tf.config.experimental


class OnTpu(tf.distribute.TPUStrategy):
    """A TPU's strategy to those who ask for its type, one CPU to those who use it."""

    def __init__(self) -> None:
        tf.distribute.Strategy.__init__(self, one_device_strategy.OneDeviceExtended(self, "/cpu:0"))


@pytest.fixture(autouse=True)
def _switched_back() -> Iterator[None]:
    before = switch.tensor_float_32_execution_enabled()
    switch.enable_tensor_float_32_execution(True)
    yield
    switch.enable_tensor_float_32_execution(before)


def _products(function: Callable[[tf.Tensor], object], example: tf.Tensor) -> set[bool]:
    """Whether the matrix products of the function's program are in full float32."""
    compiled = tf.function(function, jit_compile=True, autograph=False)
    program = compiled.experimental_get_compiler_ir(example)(stage="hlo")
    dots = re.findall(r"= (\w+)\[[^\n]* dot\(([^\n]*)", program)
    assert {kind for kind, _ in dots} == {"f32"}
    return {"operand_precision={highest,highest}" in operands for _, operands in dots}


def _gradient(layer: ElasticClassifier, features: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        tape.watch(features)
        logits = layer(features, 16, elastic.Pass(masked=True))
        loss = tf.reduce_sum(tf.square(logits))
    return tape.gradient(loss, features)


def test_float32_products_stay_float32_on_a_tpu() -> None:
    layer = ElasticClassifier(16, 10)
    patches, features = tf.zeros([2, 14, 14, 3], tf.uint8), tf.zeros([2, 16])

    def programs() -> list[set[bool]]:
        return [
            _products(lambda patches: resize.resize_patches(patches, 10), patches),
            _products(functools.partial(_gradient, layer), features),
        ]

    assert programs() == [{False}, {False}]
    # There is no TPU here, but the switch comes first.
    with pytest.raises(bignas.UsageError, match="TPU 'local' cannot be reached"):
        bignas.evaluation_strategy(tpu="local")
    assert programs() == [{True}, {True}]


@pytest.fixture
def _sigterm() -> Iterator[None]:
    """Puts back what SIGTERM does: processes that this one starts would ignore it, too."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_sigterm")
def test_a_slice_s_server_keeps_float32_too_and_outlives_sigterm(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "start_grpc_tpu_worker"
    server.write_text(
        "import os, pathlib, signal, sys, tensorflow as tf\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "enabled = tf.config.experimental.tensor_float_32_execution_enabled()\n"
        "pathlib.Path(sys.argv[0]).with_name('said').write_text(f'{sys.argv[1:]} {enabled}')\n"
    )
    monkeypatch.setattr(sys, "argv", ["worker.py", str(server), "--port=1"])
    runpy.run_path(str(ROOT / "tools" / "gcp" / "host" / "worker.py"), run_name="__main__")
    assert (tmp_path / "said").read_text() == "['--port=1'] False"


@pytest.mark.slow
def test_a_run_is_loaded_on_a_tpu_as_it_was_trained(
    run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for file in run_dir.iterdir():
        if file.is_file():
            (run / file.name).write_bytes(file.read_bytes())
    params = run / "params.yaml"
    trained = re.sub(
        "mixed_precision_dtype: .*", "mixed_precision_dtype: bfloat16", params.read_text()
    )
    params.write_text(trained)

    def types(loaded: bignas.Run) -> set[str]:
        net = loaded.supernet
        return {net.compute_dtype_of_layers, net.head_conv.compute_dtype}

    assert types(bignas.load(run, strategy=OnTpu())) == {"bfloat16"}
    assert types(bignas.load(run_dir, strategy=OnTpu())) == {"float32"}
    assert types(bignas.load(run)) == {"float32"}
    assert tf_keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize(
    "given",
    [
        {"num_gpus": 2, "tpu": "local"},
        {"num_gpus": 2, "multi_worker": True},
        {"tpu": "local", "multi_worker": True},
    ],
)
def test_devices_of_two_kinds_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(bignas.UsageError, match="give one of num_gpus, tpu and multi_worker"):
        devices.evaluation_strategy(**given)


@pytest.mark.parametrize(
    ("strategy", "available", "taken"),
    [
        ("one_device", 0, 0),
        ("one_device", 1, 1),
        ("one_device", 2, 1),
        ("mirrored", 0, 0),
        ("mirrored", 2, 2),
    ],
)
def test_a_run_takes_the_gpus_that_there_are(
    strategy: str, available: int, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There are none here; what a strategy for them is made of can be seen all the same.
    made: list[dict[str, object]] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [None] * available)
    monkeypatch.setattr(
        distribute_utils,
        "get_distribution_strategy",
        lambda kind, **given: made.append({"kind": kind, **given}),
    )
    monkeypatch.setattr(devices, "_STRATEGIES", {})
    override = f"runtime.distribution_strategy={strategy}"
    devices.training_strategy(bignas.configure("bignas_small", (), override))
    assert made[0]["kind"] == strategy
    assert made[0]["num_gpus"] == taken
    config = bignas.configure("bignas_small", (), f"{override},runtime.num_gpus={available + 1}")
    with pytest.raises(bignas.UsageError, match=f"num_gpus is {available + 1}; TensorFlow finds"):
        devices.training_strategy(config)


def test_devices_have_one_strategy_in_a_process() -> None:
    """Of a second one TensorFlow would take what is reduced for that of the first."""
    config = bignas.configure("bignas_small", (), "runtime.distribution_strategy=mirrored")
    strategy = devices.training_strategy(config)
    assert devices.training_strategy(config) is strategy
    assert devices._strategy("mirrored") is strategy  # as an evaluation asks for it
    config.runtime.all_reduce_alg = "hierarchical_copy"
    assert devices.training_strategy(config) is strategy
