"""Good exports pass the gate; broken ones, of kinds that Python's loader accepts too, do not."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf import errors
from bignas_tf.exports import verify

pytestmark = pytest.mark.slow

CLASSES = 3


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> tf_keras.Model:
    inputs = tf_keras.Input((8, 8, 1), name="images")
    x = tf_keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs)
    x = tf_keras.layers.BatchNormalization(name="norm")(x)
    x = tf_keras.layers.GlobalAveragePooling2D()(tf.nn.silu(x))
    logits = tf_keras.layers.Dense(CLASSES, name="logits")(x)
    return tf_keras.Model(inputs, logits)


@pytest.fixture(scope="module")
def expected(model: tf_keras.Model, images: np.ndarray) -> np.ndarray:
    return model(images, training=False).numpy()


@pytest.fixture(scope="module")
def saved(model: tf_keras.Model, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("export") / "1"
    tf.saved_model.save(model, str(folder))
    return folder


@pytest.fixture
def broken(saved: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the good export, for a test to break."""
    return shutil.copytree(saved, tmp_path / "broken")


def _all(images: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """The one signature of these models, and its one input."""
    return {"serving_default": {"images": images}}


def _rewrite_variables(folder: pathlib.Path, changed: dict[str, np.ndarray | None]) -> None:
    """Replaces, or with None removes, each variable whose name contains a key of `changed`."""
    prefix = str(folder / "variables" / "variables")
    reader = tf.train.load_checkpoint(prefix)
    kept = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    for fragment, value in changed.items():
        (name,) = [name for name in kept if fragment in name]
        if value is None:
            del kept[name]
        else:
            kept[name] = value
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(kept),
        shape_and_slices=[""] * len(kept),
        tensors=list(kept.values()),
    )


def test_a_saved_model_passes(
    saved: pathlib.Path, images: np.ndarray, expected: np.ndarray
) -> None:
    assert verify.verify_export(saved, _all(images), expected, atol=1e-5) <= 1e-5


def test_an_exported_model_passes(
    model: tf_keras.Model, images: np.ndarray, expected: np.ndarray, tmp_path: pathlib.Path
) -> None:
    model.export(str(tmp_path / "1"))
    assert verify.verify_export(tmp_path / "1", _all(images), expected, atol=1e-5) <= 1e-5


def test_every_output_comes_back_by_name_and_with_its_dtype(tmp_path: pathlib.Path) -> None:
    module = tf.Module()
    signature = tf.function(
        lambda counts: {"double": counts * 2, "odd": counts % 2 == 1},
        input_signature=[tf.TensorSpec([None, 2], tf.int32, name="counts")],
    )
    tf.saved_model.save(module, str(tmp_path), {"count": signature.get_concrete_function()})
    counts = np.array([[1, 2], [3, 4], [5, 6]], np.int32)
    (results,) = verify.session_answers(tmp_path, [("count", {"counts": counts})])
    assert isinstance(results, dict), results
    assert set(results) == {"double", "odd"}
    assert results["double"].dtype == np.int32
    np.testing.assert_array_equal(results["double"], [[2, 4], [6, 8], [10, 12]])
    np.testing.assert_array_equal(results["odd"], [[True, False]] * 3)


def test_strings_go_in_and_come_back_whole(tmp_path: pathlib.Path) -> None:
    signature = tf.function(
        lambda texts: {"twice": tf.strings.join([texts, texts]), "bytes": tf.strings.length(texts)},
        input_signature=[tf.TensorSpec([None, None], tf.string, name="texts")],
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), {"twice": signature})
    # Empty, NUL at the end, longer than what a TF_TString holds in itself.
    texts = np.array([[b"", b"a\0"], [b"\xff", b"x" * 100]], object)
    (results,) = verify.session_answers(tmp_path, [("twice", {"texts": texts})])
    assert isinstance(results, dict), results
    np.testing.assert_array_equal(results["bytes"], [[0, 2], [1, 100]])
    assert results["twice"].tolist() == [[b"", b"a\0a\0"], [b"\xff\xff", b"x" * 200]]


def test_a_session_goes_on_after_a_request_that_failed(
    saved: pathlib.Path, images: np.ndarray, expected: np.ndarray
) -> None:
    given = (images, images.astype(np.float64), images)
    answers = verify.session_answers(saved, [("serving_default", {"images": g}) for g in given])
    assert "double is provided" in answers[1]
    for answer in (answers[0], answers[2]):
        (logits,) = answer.values()
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_the_largest_difference_is_returned(
    saved: pathlib.Path, images: np.ndarray, expected: np.ndarray
) -> None:
    shifted = expected + np.array([0.0, 0.25, -0.5], np.float32)
    assert verify.verify_export(saved, _all(images), shifted, atol=1.0) == pytest.approx(
        0.5, abs=1e-5
    )
    with pytest.raises(errors.RunError, match=r"differ by up to 0\.5; 0\.1 is allowed"):
        verify.verify_export(saved, _all(images), shifted, atol=0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_fail(
    broken: pathlib.Path, images: np.ndarray, expected: np.ndarray, value: float
) -> None:
    _rewrite_variables(broken, {"/bias": np.full([CLASSES], value, np.float32)})
    with pytest.raises(errors.RunError, match=r"differ by up to (nan|inf)"):
        verify.verify_export(broken, _all(images), expected, atol=1.0)


def test_logits_of_another_shape_fail(
    saved: pathlib.Path, images: np.ndarray, expected: np.ndarray
) -> None:
    with pytest.raises(errors.RunError, match=r"shape \[4, 3\], not \[4, 2\]"):
        verify.verify_export(saved, _all(images), expected[:, :2], atol=1e-5)


def test_a_deleted_variables_file_fails(
    broken: pathlib.Path, images: np.ndarray, expected: np.ndarray
) -> None:
    for path in (broken / "variables").glob("variables.data-*"):
        path.unlink()
    with pytest.raises(errors.RunError, match=r"session loader says: .*variables\.data"):
        verify.verify_export(broken, _all(images), expected, atol=1e-5)


def test_a_missing_variable_fails(
    broken: pathlib.Path, images: np.ndarray, expected: np.ndarray
) -> None:
    _rewrite_variables(broken, {"/gamma": None})
    with pytest.raises(errors.RunError, match=r"session loader says: .*gamma.* not found"):
        verify.verify_export(broken, _all(images), expected, atol=1e-5)


def test_a_changed_variable_fails(
    broken: pathlib.Path, images: np.ndarray, expected: np.ndarray
) -> None:
    _rewrite_variables(broken, {"/bias": np.full([CLASSES], 0.5, np.float32)})
    with pytest.raises(errors.RunError, match=r"differ by up to 0\.5; "):
        verify.verify_export(broken, _all(images), expected, atol=1e-5)


def test_a_model_that_only_pythons_loader_accepts_fails(tmp_path: pathlib.Path) -> None:
    # Keras 3 saves under names of variables that the session loader never creates.
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(CLASSES)])
    tf.saved_model.save(model, str(tmp_path))
    images = np.ones((2, 4), np.float32)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    (logits,) = served(tf.constant(images)).values()
    requests = {"serving_default": dict.fromkeys(served.structured_input_signature[1], images)}
    with pytest.raises(errors.RunError, match="Could not find variable"):
        verify.verify_export(tmp_path, requests, logits.numpy(), atol=1e-5)


@pytest.mark.parametrize("content", [None, b"not a protocol buffer"])
def test_a_missing_or_damaged_graph_fails(
    broken: pathlib.Path, images: np.ndarray, expected: np.ndarray, content: bytes | None
) -> None:
    graph = broken / "saved_model.pb"
    graph.unlink()
    if content is not None:
        graph.write_bytes(content)
    with pytest.raises(errors.RunError, match=r"saved_model\.pb (cannot be read|is damaged)"):
        verify.verify_export(broken, _all(images), expected, atol=1e-5)


def test_feeds_that_do_not_fit_the_signature_fail(saved: pathlib.Path, images: np.ndarray) -> None:
    with pytest.raises(errors.RunError, match=r"takes \['images'\]; given \['pixels'\]"):
        verify.session_answers(saved, [("serving_default", {"pixels": images})])
    with pytest.raises(errors.RunError, match=r"no signature 'predict', only .*serving_default"):
        verify.session_answers(saved, [("predict", {"images": images})])
    wrong_dtype = images.astype(np.float64)
    (answer,) = verify.session_answers(saved, [("serving_default", {"images": wrong_dtype})])
    assert isinstance(answer, str)
    assert "double" in answer


def test_the_session_process_imports_no_tensorflow() -> None:
    check = "import sys; from bignas_tf.exports import session; session.library()"
    code = f"{check}; print([name for name in ('tensorflow', 'tf_keras') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
