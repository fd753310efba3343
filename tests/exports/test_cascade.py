"""A cascade as a SavedModel: the graph against the rule in NumPy, and every child by its name."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow_serving.apis import prediction_log_pb2

from bignas_tf import errors
from bignas_tf.data import decode, resize
from bignas_tf.exports import cascade, signatures, verify
from bignas_tf.exports.cascade import ServableCascade
from bignas_tf.exports.intake import Intake
from tests.exports import servables
from tests.exports.servables import LABELS, SPACE
from tests.modeling import helpers

IMAGES = 24
CHILDREN = "child_1", "child_2.5", "child_4"
CARD = {
    "accuracy": {"split": "test", "top1": 0.75, "images": 400},
    "objective": {"name": "mflops", "title": "multiply-adds", "unit": "M"},
    "cascade": {"children": list(CHILDREN), "thresholds": [0.5, 0.5]},
    "shares": [0.5, 0.25, 0.25],
    "mean_cost": 2.0,
    "children": {
        name: {"cost": 1.0, "accuracy": {"split": "test", "top1": 0.5, "images": 400}}
        for name in CHILDREN
    },
}


@pytest.fixture(scope="module")
def servable() -> ServableCascade:
    """Three random children; each threshold is half-way between two images."""
    architectures = [SPACE.smallest(), *helpers.children_of(SPACE, 1), SPACE.biggest()]
    side, rng = SPACE.base_resolution, np.random.default_rng(1)
    # From grey to noise, so that children are not equally sure of all.
    contrast = np.linspace(0, 1, IMAGES)[:, None, None, None]
    noise = rng.integers(-127, 128, (IMAGES, side, side, 3))
    patches = (128 + contrast * noise).astype(np.uint8)
    children = {
        name: servables.servable(architecture).child
        for name, architecture in zip(CHILDREN, architectures, strict=True)
    }
    logits = {name: _logits(child, patches) for name, child in children.items()}
    confidences = [tf.nn.softmax(logits[name]).numpy().max(-1) for name in CHILDREN[:2]]
    thresholds = [_middle(each) for each in confidences]
    first, second = (each < limit for each, limit in zip(confidences, thresholds, strict=True))
    by = (first.astype(np.int32) + (first & second)).astype(np.int32)
    assert set(by) == {0, 1, 2}
    intake = Intake(side, 3, decode.WHOLE)
    numbers = {name: signatures.frozen(child, intake) for name, child in children.items()}
    return ServableCascade(numbers, CHILDREN, thresholds, CARD, patches, logits, by, LABELS)


def _logits(child: tf_keras.Model, patches: np.ndarray) -> np.ndarray:
    images = resize.resize_patches(patches, child.input_shape[1])
    return child(images, training=False).numpy()


def _middle(confidence: np.ndarray) -> float:
    ordered = np.sort(confidence)
    return float(ordered[IMAGES // 2 - 1 : IMAGES // 2 + 1].mean())


@pytest.mark.slow
def test_the_graph_answers_as_the_rule_does(servable: ServableCascade) -> None:
    patches = cascade.build(servable)["patches"]
    answer = patches(servable.patches)
    np.testing.assert_array_equal(answer["answered_by"], servable.answered_by)
    # Folding batch norms into convolutions moves logits by float32 rounding.
    np.testing.assert_allclose(answer["logits"], servable.expected_logits, atol=1e-5)
    for number in range(IMAGES):
        alone = patches(servable.patches[number : number + 1])
        assert alone["answered_by"].numpy().tolist() == [servable.answered_by[number]]
        np.testing.assert_allclose(
            alone["logits"], servable.expected_logits[number : number + 1], atol=1e-5
        )


@pytest.fixture(scope="module")
def version(servable: ServableCascade, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return cascade.export(servable, str(tmp_path_factory.mktemp("models")))


@pytest.mark.slow
def test_each_child_answers_to_its_name(servable: ServableCascade, version: pathlib.Path) -> None:
    requests = [(name, {"images": servable.patches}) for name in CHILDREN]
    for name, answer in zip(CHILDREN, verify.session_answers(version, requests), strict=True):
        assert isinstance(answer, dict)
        assert "answered_by" not in answer
        np.testing.assert_allclose(answer["logits"], servable.logits[name], atol=1e-5)


@pytest.mark.slow
def test_files_say_what_was_exported(version: pathlib.Path) -> None:
    card = json.loads((version / "cascade.json").read_text())
    assert card["verified"]["images"] == IMAGES
    assert card["verified"]["max_difference"] <= card["verified"]["tolerance"]
    assert {*CHILDREN, "patches"} < set(card["input"]["signatures"])
    warmup = version / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(warmup))
    ]
    keys = {log.predict_log.request.model_spec.signature_name for log in logs}
    assert keys == set(card["verified"]["signatures"])
    text = (version / "card.md").read_text()
    assert "| child_2.5 | from 0.5 on | 25.00% | 50.00 ± 2.50% | 1 |" in text


@pytest.mark.slow
def test_wrong_answers_are_found(servable: ServableCascade, version: pathlib.Path) -> None:
    other = dataclasses.replace(servable, answered_by=(servable.answered_by + 1) % 3)
    with pytest.raises(errors.RunError, match="the logits of 'serving_default' differ by"):
        cascade.verified(other, version)
    # Two children with the same logits: only who answered tells them apart.
    alike = dict.fromkeys(servable.logits, servable.logits[CHILDREN[0]])
    first = servable.answered_by == 0
    unseen = dataclasses.replace(
        servable,
        patches=servable.patches[first],
        logits={name: logits[first] for name, logits in alike.items()},
        answered_by=np.ones(first.sum(), np.int32),
    )
    with pytest.raises(errors.RunError, match="'serving_default' asks other children"):
        cascade.verified(unseen, version)
    # The cascade is right, and a child that it does not ask about these images is not.
    logits = servable.logits | {CHILDREN[2]: servable.logits[CHILDREN[2]] + 0.01}
    alone = dataclasses.replace(
        servable,
        patches=servable.patches[first],
        logits={name: values[first] for name, values in logits.items()},
        answered_by=servable.answered_by[first],
    )
    with pytest.raises(errors.RunError, match=f"the logits of '{CHILDREN[2]}' differ by"):
        cascade.verified(alone, version)
