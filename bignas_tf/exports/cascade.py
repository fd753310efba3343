"""Several children in one SavedModel: as a cascade, and each by its own name.

A cascade asks a small child first, and a bigger one where that is not sure. It answers behind the
signatures of a single child, so that clients need not know; see `selection.cascading`.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from bignas_tf import files
from bignas_tf.data import decode
from bignas_tf.exports import card as card_lib
from bignas_tf.exports import configs, requests, runtimes, saved_model, signatures, verify, versions
from bignas_tf.exports import proof as proof_lib
from bignas_tf.exports.intake import Intake
from bignas_tf.exports.signatures import Answer

ANSWERED_BY = "answered_by"
_GRAPH = "batch norms folded into the convolutions, weights as constants"


@dataclasses.dataclass(frozen=True)
class ServableCascade:
    """Children, which of them are asked in turn, and all that their export says and proves.

    Attributes:
      children: from `slicing.sliced_child`, by names that are valid for signatures.
      asked: those of the cascade, the first to be asked first.
      thresholds: of all but the last: the probability of its best class from which on a child's
        answer stands.
      card: written as `cascade.json`.
      patches: uint8 [N, S, S, C], real images to verify on, none of which is near a threshold.
      logits: float32 [N, classes], the calibrated supernet's for them, by the child's name.
      answered_by: int32 [N], which of those asked answers each of them.
      labels: the classes' names, in their order.
      centre: what evaluation takes of an image.
    """

    children: Mapping[str, tf_keras.Model]
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
        """What becomes of images before a child sees them."""
        return Intake(self.patches.shape[1], self.patches.shape[3], self.centre)

    @property
    def expected_logits(self) -> np.ndarray:
        """Of the cascade, float32 [N, classes]."""
        asked = np.stack([self.logits[name] for name in self.asked])
        return asked[self.answered_by, np.arange(len(self.answered_by))]


def export(
    servable: ServableCascade, output_dir: str, through: Sequence[runtimes.Runtime] = ()
) -> pathlib.Path:
    """Writes `output_dir/<version>/`; see `saved_model.export`."""

    def write(folder: pathlib.Path) -> None:
        _write(servable, folder, through)

    (version,) = saved_model.publish([(configs.ONLY_MODEL, write)], output_dir)
    return version


def _write(
    servable: ServableCascade, folder: pathlib.Path, through: Sequence[runtimes.Runtime]
) -> None:
    """Fills a folder with all that a version contains, and verifies it."""
    functions = build(
        servable.children, servable.asked, servable.thresholds, servable.intake, servable.labels
    )
    saved_model.save_graph(folder, functions)
    requests.write_warmup(folder, requests.feeds(servable.patches, servable.centre))
    proof_lib.Proof(servable.patches, servable.expected_logits).write(folder)
    checked = {"images": len(servable.patches), **verified(servable, folder)}
    files.write_json(folder / saved_model.LABELS_FILE, servable.labels)
    inputs = saved_model.input_card(servable.intake)
    inputs["signatures"] |= dict.fromkeys(servable.children, "as serving_default, of this child")
    card = {**servable.card, "graph": _GRAPH, "input": inputs}
    files.write_json(folder / versions.CASCADE_FILE, card | {"verified": checked})
    text = card_lib.render_cascade(card, servable.labels)
    files.write_text(folder / card_lib.CARD_FILE, text)
    runtimes.require(folder, through)


def verified(servable: ServableCascade, folder: pathlib.Path) -> dict[str, float]:
    """The largest difference and the tolerance, of the cascade and of each child.

    Raises:
      RunError: the folder's graph does not load, or gives other logits.
    """
    feeds = requests.feeds(servable.patches, servable.centre)
    checks: list[tuple[Mapping[str, verify.Feeds], np.ndarray]]
    checks = [(feeds, servable.expected_logits)]
    for name, logits in servable.logits.items():
        alone = {name: feeds["serving_default"], _bytes_of(name): feeds["image_bytes"]}
        checks.append((alone, logits))
    proofs = [(each, proof_lib.Proof(servable.patches, logits)) for each, logits in checks]
    differences = [
        verify.verify_export(folder, each, proof.logits, proof.tolerance) for each, proof in proofs
    ]
    tolerance = max(proof.tolerance for _, proof in proofs)
    return {"max_difference": max(differences), "tolerance": tolerance}


def _bytes_of(child: str) -> str:
    """The signature of a child that takes encoded images."""
    return f"{child}_bytes"


def build(
    children: Mapping[str, tf_keras.Model],
    asked: Sequence[str],
    thresholds: Sequence[float],
    intake: Intake,
    labels: Sequence[str],
) -> dict[str, Callable[[tf.Tensor], Answer]]:
    """The functions to save, by the keys of their signatures.

    Those of `signatures.build` answer as the cascade, with the number of the child whose answer
    stands as well, int32 [N]. Each child alone answers to its name ('serving_default' of its own
    export) and to its name with '_bytes' ('image_bytes').

    Args:
      children: what `build_child` made, weights set, by name.
      asked: those of the cascade, the first to be asked first.
      thresholds: of all but the last; see `selection.cascading.Cascade`.
      intake: what becomes of images before a child sees them.
      labels: the classes' names, in their order.
    """
    numbers = {name: signatures.frozen(child, intake) for name, child in children.items()}
    cascade = _cascade([numbers[name] for name in asked], thresholds)
    built = signatures.around(cascade, intake, labels)
    for name, answer in numbers.items():
        alone = signatures.around(answer, intake, labels)
        built |= {name: alone["serving_default"], _bytes_of(name): alone["image_bytes"]}
    return built


def _cascade(
    children: Sequence[Callable[[tf.Tensor], Answer]], thresholds: Sequence[float]
) -> Callable[[tf.Tensor], Answer]:
    """Patches to the answers that stand."""

    def answered(patches: tf.Tensor) -> Answer:
        answer = children[0](patches)
        answer[ANSWERED_BY] = tf.zeros(tf.shape(patches)[:1], tf.int32)
        for number, threshold in enumerate(thresholds):
            confidence = tf.reduce_max(answer["probabilities"], -1)
            waiting = (answer[ANSWERED_BY] == number) & (confidence < threshold)
            answer = _replaced(answer, patches, tf.where(waiting), number + 1, children[number + 1])
        return answer

    return answered


def _replaced(
    answer: Answer,
    patches: tf.Tensor,
    places: tf.Tensor,
    number: int,
    child: Callable[[tf.Tensor], Answer],
) -> Answer:
    """An answer with another child's for the images at `places`, int64 [n, 1]; 0 cost nothing."""

    def asked() -> Answer:
        better = child(tf.gather_nd(patches, places))
        better[ANSWERED_BY] = tf.fill(tf.shape(places)[:1], number)
        return {
            key: tf.tensor_scatter_nd_update(value, places, better[key])
            for key, value in answer.items()
        }

    return tf.cond(tf.size(places) > 0, asked, lambda: answer)
