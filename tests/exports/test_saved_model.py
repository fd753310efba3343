"""Exports: four forms of one child agree, and only what is verified appears."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf import saved_model_pb2

from bignas_tf import errors
from bignas_tf.data import decode, resize
from bignas_tf.exports import requests, saved_model, verify, versions
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.evaluator import Evaluator
from tests import limits
from tests.exports import stored
from tests.modeling import helpers
from tests.search_space import spaces
from tests.selection import digits

pytestmark = pytest.mark.slow

IMAGES = 48
# Names are data, whatever is in them.
LABELS = ["nought", "../one", "two\n", "\x00three", "vier 4", "\u4e94", "6/", "7\t", "8", "8"]
CARD = {"source": {"checkpoint": "run/ckpt-7", "step": 7}, "macs": 123}

# The forms differ by float32 rounding only; 3.3e-7 is the most that was seen.
TOLERANCE = 1e-5


BARE = """
import sys
sys.modules["bignas_tf"] = None
sys.modules["tf_keras"] = None
import numpy, tensorflow
served = tensorflow.saved_model.load(sys.argv[1]).signatures["serving_default"]
outputs = served(images=tensorflow.constant(numpy.load(sys.argv[2])))
outputs = {name: value.numpy() for name, value in outputs.items()}
numpy.savez(sys.argv[3], **outputs)
"""


@dataclasses.dataclass(frozen=True)
class Case:
    """A calibrated child and its answers."""

    supernet: Supernet
    architecture: Architecture
    statistics: np.ndarray
    child: tf_keras.Model
    patches: np.ndarray
    logits: np.ndarray


def _case(evaluator: Evaluator, supernet: Supernet, architecture: Architecture) -> Case:
    statistics = evaluator.statistics(architecture)
    batches = list(digits.batches(f"test[:{IMAGES}]", IMAGES))
    ((logits, _),) = evaluator.logits(architecture, statistics, batches)
    child = slicing.sliced_child(supernet, architecture, statistics)
    return Case(supernet, architecture, statistics, child, batches[0][0].numpy(), logits)


@pytest.fixture(scope="module")
def case(evaluator: Evaluator, net: Supernet) -> Case:
    return _case(evaluator, net, net.space.with_resolution(net.space.biggest(), 9))


@pytest.fixture(scope="module")
def exported(case: Case, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return _export(case, tmp_path_factory.mktemp("export"))


def _servable(case: Case, **changes: Any) -> saved_model.Servable:
    servable = saved_model.Servable(case.child, CARD, case.patches, case.logits, LABELS)
    return dataclasses.replace(servable, **changes)


def _export(case: Case, base: pathlib.Path, **changes: Any) -> pathlib.Path:
    return saved_model.export(_servable(case, **changes), str(base))


@pytest.mark.parametrize("space", [spaces.attentive(), spaces.mobile()])
def test_children_of_public_styles_are_exported(space: SearchSpace, tmp_path: pathlib.Path) -> None:
    """Whose blocks may lack a skip, and whose head has one layer more."""
    made = stored.child_in(tmp_path / "weights", space)
    side = space.base_resolution
    patches = np.random.default_rng(0).integers(0, 256, (8, side, side, 3), np.uint8)
    logits = made.child(resize.resize_patches(patches, made.architecture.resolution)).numpy()
    labels = [str(number) for number in range(logits.shape[1])]
    servable = saved_model.Servable(made.child, CARD, patches, logits, labels)
    exported = saved_model.export(servable, str(tmp_path / "export"))
    assert "mean of positions" in (exported / "card.md").read_text()


def test_mask_slice_child_and_saved_model_agree(
    evaluator: Evaluator,
    net: Supernet,
    case: Case,
    exported: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    masked = digits.supernet("mask")
    (random,) = helpers.children_of(net.space, 1, seed=3)
    other = _case(evaluator, net, random)
    largest: dict[str, float] = {}
    for each, folder in ((case, exported), (other, _export(other, tmp_path))):
        architecture = each.architecture
        images = resize.resize_patches(each.patches, architecture.resolution)
        code = helpers.code_of(net.space, architecture)
        request = ("serving_default", {"images": each.patches})
        (answer,) = verify.session_answers(folder, [request])
        assert isinstance(answer, dict), answer
        forms = {
            "mask": masked(images, code, statistics=each.statistics).numpy(),
            "static slice": net(images, architecture, statistics=each.statistics).numpy(),
            "child": each.child(images, training=False).numpy(),
            "SavedModel": answer["logits"],
        }
        assert np.abs(each.logits).max() > 0.5
        for name, logits in forms.items():
            difference = float(np.abs(logits - each.logits).max())
            largest[name] = max(largest.get(name, 0.0), difference)
    print("largest differences from the dynamic slice:", largest)
    assert max(largest.values()) <= TOLERANCE


def test_masked_and_sliced_supernets_calibrate_alike(case: Case) -> None:
    statistics = digits.evaluator(digits.supernet("mask")).statistics(case.architecture)
    images = resize.resize_patches(case.patches, case.architecture.resolution)
    logits = case.supernet(images, case.architecture, statistics=statistics).numpy()
    np.testing.assert_allclose(logits, case.logits, atol=TOLERANCE)


def test_the_card_lies_beside_the_graph(exported: pathlib.Path) -> None:
    assert exported.name == "1"
    names = {path.name for path in exported.parent.iterdir()}
    assert names == {"1", "models.config", "batching.config"}
    assert {"child.json", "labels.json", "saved_model.pb"} <= {p.name for p in exported.iterdir()}
    assert json.loads((exported / versions.LABELS_FILE).read_text()) == LABELS
    card = json.loads((exported / versions.CHILD_FILE).read_text())
    verified = card.pop("verified")
    assert card.pop("graph").startswith("batch norms folded")
    assert card.pop("input")["signatures"].keys() == set(verified["signatures"])
    assert card == CARD
    assert verified["images"] == IMAGES
    assert 0 <= verified["max_difference"] <= verified["tolerance"]


def test_the_graph_has_no_batch_norm_and_no_variable(exported: pathlib.Path) -> None:
    saved = saved_model_pb2.SavedModel.FromString((exported / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    operations = {node.op for nodes in bodies for node in nodes}
    assert "Conv2D" in operations
    unwanted = ("FusedBatchNorm", "Rsqrt", "VarHandleOp", "ReadVariableOp")
    assert [name for name in operations if name.startswith(unwanted)] == []


def test_a_wrong_export_leaves_nothing_behind(case: Case, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match=r"differ by up to 0\.01"):
        _export(case, tmp_path, expected_logits=case.logits + np.float32(0.01))
    assert list(tmp_path.iterdir()) == []


def test_an_export_without_room_leaves_nothing_behind(case: Case, tmp_path: pathlib.Path) -> None:
    with (
        limits.file_size(1000),
        pytest.raises(errors.RunError, match=f"{tmp_path} cannot be written: {limits.WHY}"),
    ):
        _export(case, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_folder_is_refused(case: Case, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.UsageError, match="is not a writable folder"):
        _export(case, tmp_path / "file" / "export")


@pytest.mark.parametrize("name", ["2", "a/b", "..", ".hidden", "", "child", "two words"])
def test_a_name_that_is_no_models_is_refused(case: Case, tmp_path: pathlib.Path, name: str) -> None:
    with pytest.raises(errors.UsageError, match="a model cannot be called"):
        saved_model.export_family([(name, _servable(case))], str(tmp_path / "base"))
    assert list((tmp_path / "base").iterdir()) == []


def test_two_models_of_one_name_are_refused(case: Case, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match="each needs its own name"):
        saved_model.export_family([("a", _servable(case)), ("a", _servable(case))], str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_family_does_not_begin_where_it_could_not_end(case: Case, tmp_path: pathlib.Path) -> None:
    (tmp_path / "child_2").write_text("a file")
    with pytest.raises(errors.UsageError, match=r"child_2 is in the way of a model's folder"):
        saved_model.export_family([("child_2", _servable(case))], str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["child_2"]


@pytest.mark.parametrize("labels", [[], LABELS[:9], [*LABELS, "ten"]])
def test_every_class_needs_a_name(case: Case, labels: list[str]) -> None:
    with pytest.raises(errors.UsageError, match=f"{len(labels)} labels for 10 classes"):
        _servable(case, labels=labels)


def test_the_child_holds_stock_layers_only(case: Case) -> None:
    modules = {type(layer).__module__.split(".")[0] for layer in case.child.layers}
    assert modules == {"tf_keras"}


def test_an_export_answers_where_this_project_cannot_be_imported(
    case: Case, exported: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    np.save(tmp_path / "images.npy", case.patches)
    arguments = [str(exported), str(tmp_path / "images.npy"), str(tmp_path / "outputs.npz")]
    done = subprocess.run(
        [sys.executable, "-I", "-c", BARE, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    outputs = np.load(tmp_path / "outputs.npz", allow_pickle=True)
    named = {"top_classes", "top_labels", "top_probabilities"}
    assert set(outputs) == {"logits", "probabilities"} | named
    np.testing.assert_allclose(outputs["logits"], case.logits, atol=TOLERANCE)
    np.testing.assert_allclose(
        outputs["probabilities"], tf.nn.softmax(case.logits).numpy(), atol=TOLERANCE
    )


def test_every_signature_gives_the_same_answer_and_names_the_best(
    case: Case, exported: pathlib.Path
) -> None:
    feeds = requests.feeds(case.patches, decode.WHOLE)
    answers = verify.session_answers(exported, feeds.items())
    texts = np.array([label.encode() for label in LABELS], object)
    for key, answer in zip(feeds, answers, strict=True):
        if key == "features":
            assert set(answer) == {"features"}
            continue
        np.testing.assert_allclose(answer["logits"], case.logits, atol=TOLERANCE)
        probabilities = answer["probabilities"]
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=TOLERANCE)
        if key == "patches":
            assert set(answer) == {"logits", "probabilities"}
            continue
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
        np.testing.assert_array_equal(answer["top_classes"], best)
        np.testing.assert_array_equal(answer["top_labels"], texts[best])
        np.testing.assert_array_equal(
            answer["top_probabilities"], np.take_along_axis(probabilities, best, axis=1)
        )


def test_signatures_take_any_number_of_images(exported: pathlib.Path) -> None:
    signatures = tf.saved_model.load(str(exported)).signatures
    specs = {
        key: list(signature.structured_input_signature[1].values())
        for key, signature in signatures.items()
    }
    assert specs == {
        "serving_default": [tf.TensorSpec([None, None, None, 1], tf.uint8, "images")],
        "float_images": [tf.TensorSpec([None, None, None, 1], tf.float32, "images")],
        "image_bytes": [tf.TensorSpec([None], tf.string, "image_bytes")],
        "patches": [tf.TensorSpec([None, 8, 8, 1], tf.uint8, "patches")],
        "features": [tf.TensorSpec([None, None, None, 1], tf.uint8, "images")],
    }


def test_features_are_what_the_trained_classifier_reads(case: Case, exported: pathlib.Path) -> None:
    (answer,) = verify.session_answers(exported, [("features", {"images": case.patches})])
    assert isinstance(answer, dict), answer
    images = resize.resize_patches(case.patches, case.architecture.resolution)
    reads = tf_keras.Model(case.child.input, case.child.get_layer("classifier").input)
    np.testing.assert_allclose(answer["features"], reads(images), atol=TOLERANCE)
