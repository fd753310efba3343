"""Public supernets that others have trained, as runs like any other."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from official.core import config_definitions as cfg

from bignas_tf import console, errors, files, packaged, run_folder
from bignas_tf.api import arguments, runs
from bignas_tf.console import Show
from bignas_tf.importing import torch_files, weights
from bignas_tf.importing.sources import SOURCES, Source
from bignas_tf.importing.weights import Taken
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import presets
from bignas_tf.training import listing, models, origin, run_files, writer
from bignas_tf.training.checkpoints import Run

_EXPERIMENT = "bignas_imagenet"


def import_supernet(
    source: str,
    checkpoint: str | os.PathLike[str],
    model_dir: str | os.PathLike[str],
    *,
    config_files: Sequence[str | os.PathLike[str]] = (),
    params_override: str | Mapping[str, Any] = "",
    show: Show | None = console.print_line,
) -> Run:
    """Makes a run of a supernet that others have trained.

    No code of the checkpoint is run, and PyTorch is not needed. Statistics of batch norms are not
    taken: every child is calibrated when it is used, on the images of the configuration.

    Args:
      source: which supernet: "attentive_nas", "alphanet", "ofa_mbv3_w1.0" or "ofa_mbv3_w1.2".
      checkpoint: the file that its authors saved with PyTorch; local.
      model_dir: folder of the run to be; may be remote.
      config_files: YAML files on top of the source's own, such as where the images are.
      params_override: overrides on top, as in `configure`.
      show: takes lines of progress; None for silence.

    Returns:
      The run, as `load` gives it.

    Raises:
      UsageError: an unknown source, a file that is no checkpoint of it, a folder that holds a run,
        or a configuration that does not fit.
      RunError: the disk is full.
    """
    errors.require_one_of("source", source, SOURCES)
    chosen, show = SOURCES[source], console.or_silent(show)
    # Lengths and rates of training matter to no import.
    sources = [packaged.packaged_file(chosen.experiment), *arguments.listed(config_files)]
    config = runs.configure(_EXPERIMENT, sources, params_override, show=None)
    folder = errors.require_path("model_dir", model_dir)
    file = errors.require_path("checkpoint", checkpoint)
    _check_empty(folder)
    show(f"reading {file}")
    supernet, taken, beside = _read(file, config)
    files.make_folder(folder)  # only now: a name that is mistyped leaves nothing
    with writer.sole(folder, tf.distribute.get_strategy(), show):
        _check_empty(folder)
        origin.Origin(
            supernet=chosen.title,
            licence=chosen.licence,
            address=chosen.address,
            file=os.path.basename(file),
            sha256=files.sha256(pathlib.Path(file)),
        ).save(folder)
        run_files.save(supernet, 0, config, supernet.space, folder)
    for line in _summary(chosen, taken, beside, folder):
        show(line)
    return runs.load(folder)


def _check_empty(model_dir: str) -> None:
    """Refuses the folder of a run, even of one whose list of checkpoints is lost."""
    # A killed import has left step 0 without a list.
    trained = set(listing.saved_steps(model_dir)) - {0}
    if trained or files.is_file(os.path.join(model_dir, run_folder.CHECKPOINTS_FILE)):
        raise errors.UsageError(f"{model_dir} already holds a run; name another folder")


def _read(checkpoint: str, config: cfg.ExperimentConfig) -> tuple[ElasticModel, Taken, list[str]]:
    """The supernet of a checkpoint, what it took, and what was beside that."""
    content = torch_files.read(checkpoint)
    state, beside = weights.state_of(content, checkpoint)
    there, here = weights.classes(state, checkpoint), config.task.train_data.num_classes
    if there != here:
        raise errors.UsageError(
            f"{checkpoint} has {there} classes, and the configuration {here}: set "
            f"task.train_data.num_classes={there}"
        )
    space = presets.get(config.task.model.search_space)
    supernet = models.build_supernet(config.task, space)
    return supernet, weights.assign(supernet, state, checkpoint), beside


def _summary(source: Source, taken: Taken, beside: list[str], model_dir: str) -> list[str]:
    """What was read and what was left, in words."""
    left = [f"{taken.statistics} statistics of batch norms (children are calibrated here)"]
    if taken.unused:
        left.append(f"{taken.unused} convolutions that no child runs")
    left += beside
    return [
        f"took {taken.parameters:,} parameters in {taken.tensors} tensors of {source.title}",
        f"left {', '.join(left)}",
        f"licence: {source.licence}; it holds for every child, see {source.address}",
        f"the run is in {model_dir}",
    ]
