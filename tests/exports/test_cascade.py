"""A cascade as a SavedModel: the graph against the rule in NumPy, and every child by its name."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tf_keras

from bignas_tf import errors
from bignas_tf.data import resize
from bignas_tf.exports import cascade, verify
from bignas_tf.exports.cascade import ServableCascade
from bignas_tf.selection import cascading
from bignas_tf.selection.cascading import Answers, Cascade
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
    answers = _answers(logits)
    thresholds = [_middle(answers[name].confidence) for name in CHILDREN[:2]]
    by = cascading.answered_by(Cascade(CHILDREN, tuple(thresholds)), answers)
    assert set(by) == {0, 1, 2}
    return ServableCascade(children, CHILDREN, thresholds, CARD, patches, logits, by, LABELS)


def _logits(child: tf_keras.Model, patches: np.ndarray) -> np.ndarray:
    images = resize.resize_patches(patches, child.input_shape[1])
    return child(images, training=False).numpy()


def _answers(logits: dict[str, np.ndarray]) -> dict[str, Answers]:
    labels = np.zeros(IMAGES, np.int32)
    return {name: Answers.of(1, values, labels) for name, values in logits.items()}


def _middle(confidence: np.ndarray) -> float:
    ordered = np.sort(confidence)
    return float(ordered[IMAGES // 2 - 1 : IMAGES // 2 + 1].mean())


def _built(servable: ServableCascade) -> dict:
    return cascade.build(
        servable.children, servable.asked, servable.thresholds, servable.intake, servable.labels
    )


def test_the_graph_answers_as_the_rule_does(servable: ServableCascade) -> None:
    patches = _built(servable)["patches"]
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
    text = (version / "card.md").read_text()
    assert "| child_2.5 | from 0.5000 on | 25.0% | 50.00 ± 2.50% | 1 |" in text


@pytest.mark.slow
def test_wrong_answers_are_found(servable: ServableCascade, version: pathlib.Path) -> None:
    other = dataclasses.replace(servable, answered_by=(servable.answered_by + 1) % 3)
    with pytest.raises(errors.RunError, match="the logits of 'serving_default' differ by"):
        cascade.verified(other, version)
    # Of the last child as the one that is asked for the fewest images.
    shifted = servable.logits | {CHILDREN[2]: servable.logits[CHILDREN[2]] + 0.01}
    unseen = servable.answered_by < 2
    alone = dataclasses.replace(
        servable,
        logits={name: values[unseen] for name, values in shifted.items()},
        patches=servable.patches[unseen],
        answered_by=servable.answered_by[unseen],
    )
    with pytest.raises(errors.RunError, match=f"the logits of '{CHILDREN[2]}' differ by"):
        cascade.verified(alone, version)
