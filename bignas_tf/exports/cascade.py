"""Several children in one SavedModel: as a cascade, and each by its own name.

A cascade asks a small child first, and a bigger one where that is not sure. It answers behind the
signatures of a single child, so that clients need not know; see `selection.cascades`.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf import errors, files
from bignas_tf.data import decode
from bignas_tf.exports import card as card_lib
from bignas_tf.exports import proof as proof_lib
from bignas_tf.exports import (
    requests,
    saved_model,
    signatures,
    trials,
    verify,
    versions,
)
from bignas_tf.exports.intake import Intake
from bignas_tf.exports.signatures import Answer

_GRAPH = "batch norms folded into the convolutions, weights as constants"

Numbers = Callable[[tf.Tensor], Answer]  # what `signatures.frozen` makes of a child


@dataclasses.dataclass(frozen=True)
class ServableCascade:
    """Children, which of them are asked in turn, and all that their export says and proves.

    Attributes:
      children: from `signatures.frozen`, by names that are valid for signatures.
      asked: those of the cascade, the first to be asked first.
      thresholds: of all but the last: the probability of its best class from which on a child's
        answer stands.
      card: written as `cascade.json`.
      patches: uint8 [N, S, S, C], real images to verify on, none of which is near a threshold; the
        first ones are answered by one child each.
      logits: float32 [N, classes], the calibrated supernet's for them, by the child's name.
      answered_by: int32 [N], which of those asked answers each of them.
      labels: the classes' names, in their order.
      centre: what evaluation takes of an image.
    """

    children: Mapping[str, Numbers]
    asked: Sequence[str]
    thresholds: Sequence[float]
    card: Mapping[str, Any]
    patches: np.ndarray
    logits: Mapping[str, np.ndarray]
    answered_by: np.ndarray
    labels: Sequence[str]
    centre: decode.Centre = decode.WHOLE

    @property
    def intake(self) -> Intake:
        """How the images of a request become patches."""
        return Intake.of(self.patches, self.centre)

    @property
    def expected_logits(self) -> np.ndarray:
        """Of the cascade, float32 [N, classes]."""
        asked = np.stack([self.logits[name] for name in self.asked])
        return asked[self.answered_by, np.arange(len(self.answered_by))]

    @property
    def proofs(self) -> dict[str, proof_lib.Proof]:
        """What is to be expected, by the name of the child; "" for the cascade."""
        expected = {"": self.expected_logits, **self.logits}
        return {name: proof_lib.Proof(self.patches, logits) for name, logits in expected.items()}


def export(
    servable: ServableCascade, output_dir: str, through: Sequence[trials.Started] = ()
) -> pathlib.Path:
    """Writes `output_dir/<version>/`; see `saved_model.export`."""
    return saved_model.publish_one(functools.partial(_write, servable, through), output_dir)


def _write(
    servable: ServableCascade, through: Sequence[trials.Started], folder: pathlib.Path
) -> None:
    """Fills a folder with all that a version contains, and verifies it."""
    saved_model.save_graph(folder, build(servable))
    every = {key: feed for feeds in _feeds(servable).values() for key, feed in feeds.items()}
    requests.write_warmup(folder, every, images=len(servable.asked))
    servable.proofs[""].write(folder)
    checked = {
        "images": len(servable.patches),
        "signatures": sorted(every),
        "max_difference": verified(servable, folder),
        "tolerance": max(proof.tolerance for proof in servable.proofs.values()),
    }
    files.write_json(folder / versions.LABELS_FILE, servable.labels)
    inputs = saved_model.input_card(servable.intake)
    inputs["signatures"] |= dict.fromkeys(servable.children, "as serving_default, of this child")
    card = {**servable.card, "graph": _GRAPH, "input": inputs}
    files.write_json(folder / versions.CASCADE_FILE, card | {"verified": checked})
    text = card_lib.render_cascade(card, servable.labels)
    files.write_text(folder / card_lib.CARD_FILE, text)
    trials.require(folder, through)


def _feeds(servable: ServableCascade) -> dict[str, Mapping[str, verify.Feeds]]:
    """The images for each signature, by whose it is, as in `ServableCascade.proofs`."""
    feeds = requests.feeds(servable.patches, servable.centre)
    alone = {
        name: {name: feeds["serving_default"], _bytes_of(name): feeds["image_bytes"]}
        for name in servable.children
    }
    return {"": feeds, **alone}


def verified(servable: ServableCascade, folder: pathlib.Path) -> float:
    """The largest difference of logits, of the cascade and of each child.

    Raises:
      RunError: the folder's graph does not load, gives other logits, or asks another child.
    """
    proofs, feeds = servable.proofs, _feeds(servable)
    asked = [(name, key, feed) for name in proofs for key, feed in feeds[name].items()]
    answers = verify.session_answers(folder, [(key, feed) for _, key, feed in asked])
    differences = []
    for (name, key, _), answer in zip(asked, answers, strict=True):
        proof = proofs[name]
        differences.append(verify.difference(folder, key, answer, proof.logits, proof.tolerance))
        if isinstance(answer, dict) and not name:
            _check_asked(servable, folder, key, answer)
    return max(differences)


def _check_asked(
    servable: ServableCascade, folder: pathlib.Path, key: str, answer: Mapping[str, np.ndarray]
) -> None:
    wrong = np.flatnonzero(answer[versions.ANSWERED_BY] != servable.answered_by)
    if len(wrong):
        raise errors.RunError(
            f"the export {folder} failed verification: {key!r} asks other children than expected, "
            f"first for image {wrong[0]} of {len(servable.answered_by)}"
        )


def _bytes_of(child: str) -> str:
    """The signature of a child that takes encoded images."""
    return f"{child}_bytes"


def build(servable: ServableCascade) -> dict[str, Callable[[tf.Tensor], Answer]]:
    """The functions to save, by the keys of their signatures.

    Those of `signatures.around` answer as the cascade, with the number of the child whose answer
    stands as well, int32 [N]. Each child alone answers to its name ('serving_default' of its own
    export) and to its name with '_bytes' ('image_bytes').
    """
    intake, labels = servable.intake, servable.labels
    cascade = _cascade([servable.children[name] for name in servable.asked], servable.thresholds)
    built = signatures.around(cascade, intake, labels)
    for name, answer in servable.children.items():
        alone = signatures.around(answer, intake, labels)
        built |= {name: alone["serving_default"], _bytes_of(name): alone["image_bytes"]}
    return built


def _cascade(children: Sequence[Numbers], thresholds: Sequence[float]) -> Numbers:
    """Patches to the answers that stand."""

    def answered(patches: tf.Tensor) -> Answer:
        answer = children[0](patches)
        answer[versions.ANSWERED_BY] = tf.zeros(tf.shape(patches)[:1], tf.int32)
        for number, threshold in enumerate(thresholds):
            confidence = tf.reduce_max(answer["probabilities"], -1)
            waiting = (answer[versions.ANSWERED_BY] == number) & ~(confidence >= threshold)
            answer = _replaced(answer, patches, tf.where(waiting), number + 1, children[number + 1])
        return answer

    return answered


def _replaced(
    answer: Answer, patches: tf.Tensor, places: tf.Tensor, number: int, child: Numbers
) -> Answer:
    """An answer with another child's for the images at `places`, int64 [n, 1].

    The child does not run where there are none.
    """

    def asked() -> Answer:
        better = child(tf.gather_nd(patches, places))
        better[versions.ANSWERED_BY] = tf.fill(tf.shape(places)[:1], number)
        return {
            key: tf.tensor_scatter_nd_update(value, places, better[key])
            for key, value in answer.items()
        }

    return tf.cond(tf.size(places) > 0, asked, lambda: answer)
