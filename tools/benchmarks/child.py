"""An exported child against EfficientNetB0 of about the same multiply-adds."""

from __future__ import annotations

import functools
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from bignas_tf.conversion import tflite
from bignas_tf.data import resize
from bignas_tf.exports import probe, saved_model
from bignas_tf.exports.child_function import ChildFunction
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space import cost, presets, published

from . import harness

_SPACE, _CLASSES, _SIDE = "bignas_imagenet", 1000, 224
_EFFICIENTNET_MACS = 390e6  # Tan and Le 2019, Table 2
_BATCHES = {1: 10, 32: 1}  # batch size: calls for one sample
_THREADS = (1, 2)
_LEAST_RATIO = 1.0

Call = Callable[[], object]
Timed = tuple[str, list[list[float]]]  # how, and the milliseconds of both sides


def measure(settings: harness.Settings) -> list[harness.Row]:
    """SavedModels by batch size, then LiteRT by threads."""
    name, macs = _nearest()
    row = functools.partial(
        harness.Row,
        unit="ms",
        reference_name="EfficientNetB0",
        work=macs / _EFFICIENTNET_MACS,
        least_ratio=_LEAST_RATIO,
        note=f"ratio for the same multiply-adds: {name} has {macs / 1e6:.0f}M, EfficientNetB0 "
        f"{_EFFICIENTNET_MACS / 1e6:.0f}M; both take {_SIDE} px pixels, ours uint8; random weights",
    )
    child = _child(name)
    reference = tf_keras.applications.EfficientNetB0(weights=None, classifier_activation=None)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [_export(child, scratch), _export_reference(reference, scratch)]
        rows = [
            row(f"{name}, {how}", samples=samples)
            for how, samples in _saved_models(folders, settings.repeats)
        ]
    try:
        models = [
            _plain(ChildFunction(child, _SIDE, 1)),
            _plain(_Reference(reference, 1)),
        ]
        rows += [
            row(f"{name}, {how}", samples=samples)
            for how, samples in _litert(models, settings.repeats)
        ]
    except ImportError as error:
        rows.append(row(f"{name}, LiteRT", skipped=str(error)))
    return rows


class _Reference(tf.Module):
    """A model behind a function of images at its own size; call `serve`."""

    def __init__(self, model: tf_keras.Model, batch: int | None = None) -> None:
        super().__init__()
        self.model = model
        spec = tf.TensorSpec([batch, _SIDE, _SIDE, 3], tf.float32, "images")
        self.serve = tf.function(
            lambda images: {"logits": model(images, training=False)}, input_signature=[spec]
        )


def _nearest() -> tuple[str, int]:
    """The published child nearest to EfficientNetB0, and its multiply-adds."""
    space = presets.get(_SPACE)
    macs = {
        name: cost.count(space, published.published(name), _CLASSES).macs
        for name in published.published_names(_SPACE)
    }
    name = min(macs, key=lambda each: abs(macs[each] - _EFFICIENTNET_MACS))
    return name, macs[name]


def _child(name: str) -> tf_keras.Model:
    """With random weights."""
    return child_lib.build_child(presets.get(_SPACE), published.published(name), _CLASSES)


def _export(child: tf_keras.Model, scratch: str) -> pathlib.Path:
    """The child as `tools.export` writes it."""
    patches = _pixels(np.uint8, 4)
    images = resize.resize_patches(tf.constant(patches), child.input_shape[1])
    logits = child(images, training=False).numpy()
    servable = saved_model.Servable(child, {}, patches, logits, list(map(str, range(_CLASSES))))
    return saved_model.export(servable, f"{scratch}/child")


def _export_reference(model: tf_keras.Model, scratch: str) -> pathlib.Path:
    module = _Reference(model)
    folder = pathlib.Path(scratch, "efficientnet")
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    return folder


def _saved_models(folders: list[pathlib.Path], repeats: int) -> Iterator[Timed]:
    models = [tf.saved_model.load(str(folder)) for folder in folders]
    for batch, calls in _BATCHES.items():
        runs = [_serving(model, batch) for model in models]
        samples = harness.alternate(runs, repeats, calls)
        yield f"SavedModel, batch {batch}", harness.milliseconds(samples)


def _serving(model: tf.Module, batch: int) -> Call:
    serve = model.signatures["serving_default"]
    [spec] = serve.structured_input_signature[1].values()
    images = tf.constant(_pixels(spec.dtype.as_numpy_dtype, batch))
    return lambda: serve(images=images)["logits"].numpy()


def _plain(module: ChildFunction | _Reference) -> bytes:
    return tflite.plain(module.serve.get_concrete_function(), module)


def _litert(models: Sequence[bytes], repeats: int) -> Iterator[Timed]:
    """float32 on XNNPACK, which LiteRT uses by default."""
    for threads in _THREADS:
        runs = []
        for model in models:
            litert = probe.interpreter(model, threads)
            [images] = litert.get_input_details()
            litert.set_tensor(images["index"], _pixels(images["dtype"], 1))
            runs.append(litert.invoke)
        samples = harness.alternate(runs, repeats, _BATCHES[1])
        how = f"LiteRT, batch 1, threads {threads}"
        yield how, harness.milliseconds(samples)


def _pixels(dtype: type, count: int) -> np.ndarray:
    """Values from 0 to 255, [count, side, side, 3]."""
    return np.random.default_rng(0).integers(0, 256, [count, _SIDE, _SIDE, 3]).astype(dtype)
