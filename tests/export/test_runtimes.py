"""A good export passes in every runtime; broken ones are caught, each by the runtimes it fools."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.export import conversion, measure, proof, runtimes, saved_model
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from tests.export import digit_children
from tests.selection import digits

pytestmark = pytest.mark.slow

SESSION, CLI, PYTHON, FLOAT32, FLOAT16, DYNAMIC, INT8, *OPTIONAL = runtimes.RUNTIMES


@pytest.fixture(scope="module")
def net() -> Supernet:
    return digits.supernet()


@pytest.fixture(scope="module")
def servable(net: Supernet) -> saved_model.Servable:
    return digit_children.servable(net, net.space.smallest())


@pytest.fixture(scope="module")
def exported(
    servable: saved_model.Servable, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """An export with two LiteRT files."""
    return _export(servable, tmp_path_factory.mktemp("export"), ["float32", "int8"])


def _export(servable: saved_model.Servable, base: pathlib.Path, formats: list[str]) -> pathlib.Path:
    folder = saved_model.export(servable, str(base))
    made = conversion.Conversion(
        folder=folder,
        child=servable.child,
        labels=digit_children.LABELS,
        calibration=digit_children.calibration(),
        split="test[:64]",
        batches=digits.batches("test[:64]"),
    )
    conversion.write(made, formats)
    return folder


@pytest.fixture
def broken(exported: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the good export, for a test to break."""
    return shutil.copytree(exported, tmp_path / "1")


def _outcome(folder: pathlib.Path, runtime: runtimes.Runtime) -> runtimes.Outcome:
    (outcome,) = runtimes.check(folder, [runtime])
    return outcome


def test_a_good_export_passes_everywhere(exported: pathlib.Path) -> None:
    outcomes = {outcome.runtime: outcome for outcome in runtimes.check(exported)}
    assert list(outcomes) == list(runtimes.RUNTIMES)
    for outcome in outcomes.values():
        assert outcome.passed, outcome
    for runtime in (SESSION, CLI, PYTHON, FLOAT32):
        assert not outcomes[runtime].skipped
        assert outcomes[runtime].agreement == 1.0
    assert not outcomes[INT8].skipped
    assert "child_float16.tflite was not made" in outcomes[FLOAT16].skipped
    assert list(runtimes.MANDATORY) == [SESSION, PYTHON]


def test_the_weights_of_another_child_are_caught(
    exported: pathlib.Path, broken: pathlib.Path, net: Supernet, tmp_path: pathlib.Path
) -> None:
    other = digit_children.servable(net, net.space.biggest())
    folder = _export(other, tmp_path / "other", ["float32"])
    shutil.copy(folder / "saved_model.pb", broken)
    shutil.copytree(
        folder / runtimes.CONVERTED_DIR, broken / runtimes.CONVERTED_DIR, dirs_exist_ok=True
    )
    outcome = _outcome(broken, FLOAT32)
    assert not outcome.problem
    assert not outcome.passed, outcome
    with pytest.raises(errors.RunError, match=r"failed in C API session: its logits differ by"):
        runtimes.require(broken, [SESSION])


def test_batch_norms_that_were_not_calibrated_are_caught(
    net: Supernet, servable: saved_model.Servable, tmp_path: pathlib.Path
) -> None:
    child = slicing.trainable_child(net, net.space.smallest(), momentum=0.9)
    with pytest.raises(errors.RunError, match="differ by up to"):
        saved_model.export(dataclasses.replace(servable, child=child), str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_variable_is_caught(
    servable: saved_model.Servable, tmp_path: pathlib.Path
) -> None:
    # Exports hold constants; so this one is saved with its variables.
    module = tf.Module()
    module.child = servable.child
    spec = tf.TensorSpec([None, 8, 8, 1], tf.uint8, "patches")
    signature = tf.function(
        lambda patches: {"logits": module.child(tf.cast(patches, tf.float32) / 127.5 - 1.0)},
        input_signature=[spec],
    )
    tf.saved_model.save(module, str(tmp_path), {"patches": signature})
    logits = signature(servable.patches)["logits"].numpy()
    proof.Proof(servable.patches, logits).write(tmp_path)
    assert _outcome(tmp_path, SESSION).passed
    _drop_variable(tmp_path / "variables" / "variables", "gamma")
    outcome = _outcome(tmp_path, SESSION)
    assert not outcome.passed
    assert "not found" in outcome.problem


def _drop_variable(prefix: pathlib.Path, fragment: str) -> None:
    """Removes the first variable whose name contains `fragment`."""
    reader = tf.train.load_checkpoint(str(prefix))
    kept = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    del kept[next(name for name in sorted(kept) if fragment in name)]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(kept),
        shape_and_slices=[""] * len(kept),
        tensors=list(kept.values()),
    )


def test_a_damaged_file_is_caught(broken: pathlib.Path) -> None:
    path = broken / runtimes.CONVERTED_DIR / "child_float32.tflite"
    path.write_bytes(path.read_bytes()[:1000])
    outcome = _outcome(broken, FLOAT32)
    assert outcome.problem
    assert not outcome.passed


def test_logits_that_are_no_numbers_fail() -> None:
    assert not runtimes.Outcome(SESSION, difference=float("nan"), allowed=1.0).passed
    assert not runtimes.Outcome(SESSION, problem="it did not load", allowed=1.0).passed


def test_a_folder_without_a_proof_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match=r"proof\.npz cannot be read"):
        next(runtimes.check(tmp_path))


def test_the_report_tells_accuracy_and_agreement(
    exported: pathlib.Path, servable: saved_model.Servable
) -> None:
    folder = exported / runtimes.CONVERTED_DIR
    names = {"child_float32.tflite", "child_int8.tflite", "labels.txt", "report.json"}
    assert {path.name for path in folder.iterdir()} == names
    report = json.loads((folder / conversion.REPORT_FILE).read_text())
    assert (report["split"], report["images"]) == ("test[:64]", 64)
    rows = report["formats"]
    labels = np.concatenate([each.numpy() for _, each in digits.batches("test[:64]")])
    expected = float((servable.expected_logits.argmax(-1) == labels).mean())
    assert rows["saved_model"]["top1"] == rows["float32"]["top1"] == expected
    assert rows["float32"]["agreement"] == 1.0
    assert rows["int8"]["max_difference"] > rows["float32"]["max_difference"]
    lost = expected - rows["int8"]["top1"]
    assert rows["int8"]["top1_lost"] == pytest.approx(lost, abs=1e-9)
    assert str(report["images"]) in measure.table(report)
