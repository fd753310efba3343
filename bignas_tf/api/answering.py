"""The children of a search as a cascade needs them: their graphs, and what they answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from bignas_tf import console, errors
from bignas_tf.api import cards, evaluators
from bignas_tf.console import Show
from bignas_tf.data import decode
from bignas_tf.exports import signatures, sliced_graph
from bignas_tf.exports.cascade import Numbers
from bignas_tf.exports.intake import Intake
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import splits
from bignas_tf.selection.cascades import Answers
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.splits import Batch, Split
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig

# Confidences near a threshold may be on its other side where sums have another order. It is more
# than the logits of a proof may differ, and leaves images that are as good as certain.
_CLEAR = 5e-4


@dataclasses.dataclass(frozen=True)
class AnsweringChild:
    """A child of the search, ready to be asked.

    Attributes:
      architecture: its choices.
      statistics: calibrated, float32 [2, statistics_width].
      numbers: its weights, as they are exported.
      ranking: its answers to the images that choose thresholds.
      reporting: its answers to those that the cascade is reported on.
    """

    architecture: Architecture
    statistics: np.ndarray
    numbers: Numbers
    ranking: Answers
    reporting: Answers


def images_of(task: BigNASConfig, found: SearchResult, show: Show) -> tuple[Split, Split]:
    """The images that choose the cascade, and those that it is reported on."""
    console.warn(show, splits.check(splits.of_selection(task.train_data, task.selection)))
    selection = task.selection
    ranking = splits.open_split(task.train_data, selection.ranking_split, selection.batch_size)
    if ranking.images != found.ranking.images:
        raise errors.UsageError(
            f"the search ranked on {found.ranking.images} images of {found.ranking.split!r}, which "
            f"now has {ranking.images}: search again"
        )
    return ranking, cards.reporting_images(task)


def score(
    run: Run,
    task: BigNASConfig,
    found: SearchResult,
    costs: Mapping[str, float],
    ranking: Split,
    reporting: Split,
    show: Show,
) -> dict[str, AnsweringChild]:
    """Calibrates and slices the children, and asks each all images."""
    evaluator = evaluators.evaluator_of(run, task)
    architectures = {name: each.architecture for name, each in found.children.items()}
    centre = decode.evaluation_centre(task.train_data.crop)
    intake = Intake(run.space.base_resolution, run.supernet.input_channels, centre)
    made: dict[Architecture, AnsweringChild] = {}
    for name, cost in costs.items():
        architecture = architectures[name]
        if architecture in made:
            continue
        statistics = evaluator.statistics(architecture)
        model = sliced_graph.standalone(run.supernet, architecture, statistics)
        numbers = signatures.frozen(model, intake)
        ranked, reported = (
            Answers.of(cost, _probabilities(numbers, images)) for images in (ranking, reporting)
        )
        made[architecture] = AnsweringChild(architecture, statistics, numbers, ranked, reported)
        split = task.selection.reporting_split
        show(f"{name}: calibrated, top-1 {reported.accuracy} on {split}")
    return {name: made[architectures[name]] for name in costs}


def _probabilities(
    numbers: Numbers, batches: Iterable[Batch]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for patches, labels in batches:
        yield numbers(patches)["probabilities"].numpy(), labels.numpy()


def verified_places(by: np.ndarray, clearance: np.ndarray) -> np.ndarray:
    """The places of images to verify on, answered by each child in turn.

    Args:
      by: int32 [N], who answers each image.
      clearance: float [N], how far each is from every threshold.
    """
    clear = np.flatnonzero(clearance >= min(_CLEAR, clearance.max()))
    # An image's turn is its number among those of its child.
    turns = np.zeros(len(clear), int)
    for child in np.unique(by[clear]):
        own = by[clear] == child
        turns[own] = np.arange(own.sum())
    return clear[np.lexsort((by[clear], turns))][: cards.VERIFIED_IMAGES]


def gathered(split: Split, places: np.ndarray) -> Batch:
    """The images and labels at these places of a split, in their order."""
    first, found = 0, {}
    for patches, labels in split:
        for place in places[(places >= first) & (places < first + len(labels))]:
            found[place] = patches[place - first], labels[place - first]
        first += len(labels)
    chosen_patches, chosen_labels = zip(*(found[place] for place in places), strict=True)
    return tf.stack(chosen_patches), tf.stack(chosen_labels)
