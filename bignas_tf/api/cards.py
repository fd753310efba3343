"""The card of every export, and the images on which it is verified."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf import machine
from bignas_tf.accuracy import Accuracy
from bignas_tf.api import exported
from bignas_tf.data import config as config_lib
from bignas_tf.data import faults
from bignas_tf.exports import sliced_graph, trainable
from bignas_tf.search_space import cost as cost_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.cost import Cost
from bignas_tf.selection import splits
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.splits import Split
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig

CALIBRATION_IMAGES = 500  # that int8 takes its ranges from, unless told otherwise
VERIFIED_IMAGES = 64


def reporting_images(task: BigNASConfig) -> Split:
    """The images on which an accuracy is reported."""
    selection = task.selection
    return splits.open_split(task.train_data, selection.reporting_split, selection.batch_size)


def verified_images(reporting: Split) -> tuple[tf.Tensor, tf.Tensor]:
    """Patches and labels from the reporting split, on which an export is verified."""
    with faults.named(reporting.config):
        return next(iter(reporting.dataset.unbatch().batch(VERIFIED_IMAGES)))


def calibration_patches(task: BigNASConfig, images: int) -> np.ndarray:
    """Patches from the calibration split, uint8 [N, S, S, C]: int8 takes its ranges from them."""
    split = splits.open_split(task.train_data, task.selection.calibration_split, images, images)
    return next(iter(split))[0].numpy()


def calibration(task: BigNASConfig) -> dict[str, Any]:
    """What every card says of the images that calibrated batch norms."""
    # Full batches alone are taken, so it may be fewer than the configuration says.
    images = splits.calibration_batches(task.train_data, task.selection).images
    return {"split": task.selection.calibration_split, "images": images}


def card(
    run: Run,
    task: BigNASConfig,
    architecture: Architecture,
    cost: Cost,
    accuracy: Accuracy,
    licence: str,
) -> dict[str, Any]:
    """Returns the content of a child's `child.json`, as plain data.

    Args:
      run: what its weights come from.
      task: of the images that it was trained on last, and scored on.
      architecture: its choices.
      cost: as trained, batch norms counted.
      accuracy: on the reporting split of `task`.
      licence: of the model, to which that of weights made by others is added.
    """
    stock, network = sliced_graph.is_of_papers_family(run.supernet), run.config.task.model.network
    changed = config_lib.changes(task.train_data, run.config.task.train_data)
    return {
        "architecture": architecture.to_json(),
        trainable.SPACE_FIELD: run.space.content(),
        **({} if stock else {trainable.NETWORK_FIELD: network}),
        **cost_lib.plain(cost)._asdict(),
        "accuracy": {"split": task.selection.reporting_split, **accuracy.to_json()},
        **provenance(run, task, licence),
        **({exported.TRAIN_DATA: changed} if changed else {}),
    }


def provenance(run: Run, task: BigNASConfig, licence: str) -> dict[str, Any]:
    """What every card says of where its weights come from; see `card`."""
    theirs = run.origin.licence if run.origin else ""
    return {
        "data": config_lib.images_name(task.train_data),
        "licence": "; of its weights: ".join(filter(None, (licence, theirs))),
        "source": run.source,
        **({"origin": dataclasses.asdict(run.origin)} if run.origin else {}),
        "tensorflow": machine.versions()["tensorflow"],
    }


def converted(found: SearchResult) -> dict[Architecture, dict[str, Any]]:
    """What the cards of selected children say of the files by which they were selected."""
    if found.rerank is None:
        return {}
    ranked = {"format": found.rerank.form, "split": found.ranking.split}
    return {
        each.architecture: ranked | each.converted.to_json() | each.converted.accuracy.to_json()
        for each in found.selected
        if each.converted is not None
    }
