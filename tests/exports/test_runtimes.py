"""A good export passes in every runtime; broken ones are caught, each by the runtimes it fools."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors, files
from bignas_tf.conversion import converter
from bignas_tf.exports import proof, runtimes, saved_model, trials
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.selection.evaluator import Evaluator
from tests import limits
from tests.exports import digit_children
from tests.selection import digits

pytestmark = pytest.mark.slow

SESSION, CLI, PYTHON, FLOAT32, FLOAT16, DYNAMIC, INT8, *OPTIONAL = runtimes.RUNTIMES


@pytest.fixture(scope="module")
def servable(net: Supernet, evaluator: Evaluator) -> saved_model.Servable:
    return digit_children.servable(net, net.space.smallest(), evaluator)


@pytest.fixture(scope="module")
def exported(
    servable: saved_model.Servable, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """An export with two LiteRT files."""
    return _export(servable, tmp_path_factory.mktemp("export"), ["float32", "int8"])


def _export(servable: saved_model.Servable, base: pathlib.Path, formats: list[str]) -> pathlib.Path:
    folder = saved_model.export(servable, str(base))
    _convert(servable, folder, formats)
    return folder


def _convert(
    servable: saved_model.Servable,
    folder: pathlib.Path,
    formats: list[str],
    labels: Sequence[str] = digit_children.LABELS,
) -> None:
    made = converter.Conversion(
        folder=folder,
        child=servable.child,
        params=servable.child.count_params(),
        labels=labels,
        calibration=digit_children.calibration(),
        split="test[:64]",
        batches=digits.batches("test[:64]"),
    )
    converter.write(made, formats)


@pytest.fixture
def broken(exported: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the good export, for a test to break."""
    return shutil.copytree(exported, tmp_path / "1")


def _outcome(folder: pathlib.Path, runtime: runtimes.Runtime) -> runtimes.Outcome:
    (outcome,) = trials.check(folder, [runtime])
    return outcome


def test_nobody_is_sent_to_convert_a_cascade(broken: pathlib.Path) -> None:
    (broken / "converted" / runtimes.FILES["float32"]).unlink()
    assert "see `" in _outcome(broken, FLOAT32).skipped
    (broken / "cascade.json").touch()
    assert _outcome(broken, FLOAT32).skipped == "a cascade is not converted"


def test_a_good_export_passes_everywhere(exported: pathlib.Path) -> None:
    outcomes = {outcome.runtime: outcome for outcome in trials.check(exported)}
    assert list(outcomes) == list(runtimes.RUNTIMES)
    for outcome in outcomes.values():
        assert outcome.passed, outcome
    for runtime in (SESSION, CLI, PYTHON, FLOAT32):
        assert not outcomes[runtime].skipped
        assert outcomes[runtime].agreement == 1.0
    assert not outcomes[INT8].skipped
    # A quarter of the largest logit, which the line says.
    allowed = 0.25 * proof.read(exported).largest
    assert outcomes[INT8].line().endswith(f" ok: {allowed:.2g} is allowed")
    assert "child_float16.tflite was not made" in outcomes[FLOAT16].skipped
    assert list(runtimes.MANDATORY) == [PYTHON]


@pytest.fixture(scope="module")
def other(
    net: Supernet, evaluator: Evaluator, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    """Another child's export."""
    made = digit_children.servable(net, net.space.biggest(), evaluator)
    return _export(made, tmp_path_factory.mktemp("other"), ["float32"])


def test_the_weights_of_another_child_are_caught(broken: pathlib.Path, other: pathlib.Path) -> None:
    shutil.copy(other / "saved_model.pb", broken)
    with (
        trials.started([SESSION]) as started,
        pytest.raises(errors.RunError, match=r"failed in C API session: its logits differ by"),
    ):
        trials.require(broken, started)


@pytest.mark.parametrize("copied", [runtimes.FILES["float32"], "all"])
def test_the_file_of_another_child_is_caught(
    broken: pathlib.Path, other: pathlib.Path, copied: str
) -> None:
    folder, name = broken / runtimes.CONVERTED_DIR, runtimes.FILES["float32"]
    for path in (other / runtimes.CONVERTED_DIR).glob("*" if copied == "all" else copied):
        shutil.copy(path, folder)
    outcome = _outcome(broken, FLOAT32)
    assert f"{name} was not made from this export by `python -m tools.convert`" in outcome.problem
    assert not outcome.passed
    with (
        trials.started([FLOAT32]) as started,
        pytest.raises(errors.RunError, match="not made from this export"),
    ):
        trials.require(broken, started)


def test_a_file_of_wrong_logits_is_caught(broken: pathlib.Path, other: pathlib.Path) -> None:
    # As if the conversion itself had gone wrong.
    shutil.rmtree(broken / runtimes.CONVERTED_DIR)
    shutil.copytree(other / runtimes.CONVERTED_DIR, broken / runtimes.CONVERTED_DIR)
    path = broken / runtimes.CONVERTED_DIR / runtimes.REPORT_FILE
    report = json.loads(path.read_text())
    report["proof_sha256"] = files.sha256(broken / proof.PROOF_FILE)
    path.write_text(json.dumps(report))
    outcome = _outcome(broken, FLOAT32)
    assert not outcome.problem
    assert not outcome.passed, outcome


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
        autograph=False,
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
    path = broken / runtimes.CONVERTED_DIR / runtimes.FILES["float32"]
    path.write_bytes(path.read_bytes()[:1000])
    outcome = _outcome(broken, FLOAT32)
    assert outcome.problem
    assert not outcome.passed
    (path.parent / runtimes.REPORT_FILE).write_text("{}")
    assert _outcome(broken, FLOAT32).problem


def test_a_model_of_other_names_is_caught(tmp_path: pathlib.Path) -> None:
    signature = tf.function(
        lambda pixels: {"classes": tf.reduce_sum(pixels)},
        input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.uint8, "pixels")],
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), {"patches": signature})
    proof.Proof(np.zeros([1, 8, 8, 1], np.uint8), np.zeros([1, 2], np.float32)).write(tmp_path)
    outcome = _outcome(tmp_path, SESSION)
    assert "takes ['pixels'] and gives ['classes']" in outcome.problem


def test_tensorflow_is_imported_before_there_is_a_model() -> None:
    code = [sys.executable, "-P", "-X", "importtime", str(trials.PROBE), "tensorflow"]
    done = subprocess.run(
        code, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout == ""
    assert re.search(r"\| +tensorflow\.python\.", done.stderr)


def test_logits_that_are_no_numbers_fail() -> None:
    assert not runtimes.Outcome(SESSION, difference=float("nan"), allowed=1.0).passed
    assert not runtimes.Outcome(SESSION, problem="it did not load", allowed=1.0).passed


def test_a_folder_without_a_proof_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match="is not the folder of an exported version"):
        next(trials.check(tmp_path))


def test_the_report_tells_accuracy_and_agreement(
    exported: pathlib.Path, servable: saved_model.Servable
) -> None:
    folder = exported / runtimes.CONVERTED_DIR
    names = {"child_float32.tflite", "child_int8.tflite", "labels.txt", "report.json"}
    assert {path.name for path in folder.iterdir()} == names
    report = json.loads((folder / runtimes.REPORT_FILE).read_text())
    assert (report["split"], report["images"]) == ("test[:64]", 64)
    rows = report["formats"]
    labels = np.concatenate([each.numpy() for _, each in digits.batches("test[:64]")])
    expected = float((servable.expected_logits.argmax(-1) == labels).mean())
    assert rows["saved_model"]["top1"] == rows["float32"]["top1"] == expected
    assert rows["float32"]["agreement"] == 1.0
    assert rows["int8"]["max_difference"] > rows["float32"]["max_difference"]
    lost = expected - rows["int8"]["top1"]
    assert rows["int8"]["top1_lost"] == pytest.approx(lost, abs=1e-9)


def test_a_conversion_replaces_the_last_one(
    broken: pathlib.Path, servable: saved_model.Servable
) -> None:
    labels = ["two\nlines", "half \ud800", *digit_children.LABELS[2:]]
    _convert(servable, broken, ["float32"], labels)
    folder = broken / runtimes.CONVERTED_DIR
    names = {"child_float32.tflite", "labels.txt", "report.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert not list(broken.glob(".*"))
    lines = (folder / "labels.txt").read_text().splitlines()
    assert lines == ["two lines", "half ?", *digit_children.LABELS[2:]]
    assert _outcome(broken, FLOAT32).passed


def test_a_conversion_without_room_keeps_the_last_one(
    broken: pathlib.Path, servable: saved_model.Servable
) -> None:
    before = sorted(path.name for path in broken.rglob("*"))
    with (
        limits.file_size(1000),
        pytest.raises(errors.RunError, match=f"{broken} cannot be written: {limits.WHY}"),
    ):
        _convert(servable, broken, ["float32"])
    assert sorted(path.name for path in broken.rglob("*")) == before


def test_what_cannot_be_converted_is_refused(
    broken: pathlib.Path, servable: saved_model.Servable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.UsageError, match="9 labels for 10 classes"):
        _convert(servable, broken, ["float32"], digit_children.LABELS[1:])
    (broken / "saved_model.pb").write_bytes(b"")
    with pytest.raises(errors.RunError, match="does not load"):
        _convert(servable, broken, ["float32"])
    (broken / proof.PROOF_FILE).unlink()
    with pytest.raises(errors.UsageError, match="is not the folder of an exported version"):
        _convert(servable, broken, ["float32"])
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)  # as where it has no wheel
    with pytest.raises(errors.UsageError, match="int8 needs ai_edge_litert, which is not"):
        converter.check(["int8"])
