"""Reading the checkpoints of a run, with clear refusals."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import yaml
from official.core import config_definitions as cfg

from bignas_tf import errors, files, run_folder, strict_yaml
from bignas_tf.data.identity import BySplit
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import (
    averaging,
    configs,
    field_types,
    learnt,
    listing,
    models,
    origin,
    validation,
)
from bignas_tf.training.origin import Origin

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
# Whatever TensorFlow may raise for a missing, cut or foreign file.
_UNREADABLE = (tf.errors.OpError, ValueError, RuntimeError, IndexError)


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained (or half trained) supernet and what it was trained as.

    Attributes:
      model_dir: the folder of the run.
      config: what it was last trained with.
      space: which children there are.
      supernet: with the weights of the checkpoint, or their averages if the run kept them.
      checkpoint: its path, without an ending; empty if the weights are not from a file.
      step: at which it was written.
      index_sha256: of its index; tells it from one that was trained differently.
      origin: who trained the weights, if they were imported.
      images: what each split had when the run was last started, if that is known.
    """

    model_dir: str
    config: cfg.ExperimentConfig = dataclasses.field(repr=False)
    space: SearchSpace = dataclasses.field(repr=False)
    supernet: ElasticModel = dataclasses.field(repr=False)
    checkpoint: str
    step: int
    index_sha256: str = dataclasses.field(repr=False)
    origin: Origin | None = dataclasses.field(default=None, repr=False)
    images: BySplit | None = dataclasses.field(default=None, repr=False)

    @property
    def source(self) -> dict[str, Any]:
        """Describes the weights as plain data; their files may be gone by now."""
        return {
            "search_space": self.space.name,
            "checkpoint": self.checkpoint,
            "index_sha256": self.index_sha256,
            "step": self.step,
        }


def describe(checkpoint: str) -> dict[str, Any]:
    """A checkpoint's path, index hash and step; the hash tells retrained weights apart.

    Raises:
      UsageError: it cannot be read.
    """
    step = int(_read(checkpoint, "global_step"))
    with _unreadable_explained(checkpoint), tf.io.gfile.GFile(f"{checkpoint}.index", "rb") as index:
        digest = hashlib.sha256(index.read()).hexdigest()
    return {"checkpoint": checkpoint, "index_sha256": digest, "step": step}


def describe_latest(model_dir: str) -> dict[str, Any] | None:
    """Describes the latest checkpoint of a run; None if nothing was saved yet.

    Raises:
      UsageError: it cannot be read, or the list of checkpoints is lost; see `listing`.
    """
    return listing.read_latest(model_dir, describe)


def latest_step(model_dir: str) -> int:
    """The global step of the latest checkpoint; 0 where there is none."""
    checkpoint = listing.latest(model_dir) if model_dir else None
    return int(_read(checkpoint, "global_step")) if checkpoint else 0


def load_run(model_dir: str) -> Run:
    """Rebuilds the supernet of `model_dir` from its latest checkpoint.

    Its weights are those trained, or their averages if the run kept them.

    Raises:
      UsageError: no run, no checkpoint, a corrupt one, or one of another space.
    """
    config = read_config(model_dir)
    config.task.init_checkpoint = learnt.parent(model_dir, config.task)
    space = presets.get(os.path.join(model_dir, run_folder.SPACE_FILE))
    run = listing.read_latest(
        model_dir, lambda checkpoint: _load(model_dir, config, space, checkpoint)
    )
    if run is None:
        raise listing.no_checkpoint(model_dir)
    return run


def _load(model_dir: str, config: cfg.ExperimentConfig, space: SearchSpace, checkpoint: str) -> Run:
    check_space(checkpoint, space)
    described = describe(checkpoint)
    supernet = models.build_supernet(config.task, space)
    with restoring(model_dir):
        if config.trainer.optimizer_config.ema:
            averaging.restore(supernet, checkpoint)
        else:
            status = tf.train.Checkpoint(model=supernet).read(checkpoint)
            status.assert_existing_objects_matched().expect_partial()
    return Run(
        model_dir, config, space, supernet, **described,
        origin=origin.read(model_dir), images=learnt.read(model_dir),
    )  # fmt: skip


@contextlib.contextmanager
def restoring(model_dir: str) -> Iterator[None]:
    """Context in which the latest checkpoint of `model_dir` is restored.

    Raises:
      UsageError: it is damaged, missing, or does not fit.
    """
    try:
        yield
    except (errors.UsageError, errors.RunError):
        raise
    except (AssertionError, *_UNREADABLE) as error:
        # Not the fault of a file.
        if isinstance(error, tf.errors.UnavailableError) or errors.is_out_of_memory(error):
            raise
        raise errors.UsageError(
            f"checkpoint {listing.named(model_dir)} cannot be restored: {errors.one_line(error)}; "
            f"{_way_out(model_dir)}"
        ) from error


def check_space(checkpoint: str, space: SearchSpace) -> None:
    """Compares the fingerprint in a checkpoint with that of a space.

    Raises:
      UsageError: they differ, or the checkpoint cannot be read.
    """
    if int(_read(checkpoint, "model/fingerprint")) != space.fingerprint():
        raise errors.UsageError(
            f"checkpoint {checkpoint} was trained in another search space than {space.name!r}; "
            "use the space of its run, or another model_dir"
        )


def check_optimiser(checkpoint: str, averages: bool) -> None:
    """Refuses to continue a run without its optimiser, whose step the learning rate follows.

    The optimiser of a run with averages of the weights is saved elsewhere in the checkpoint; the
    other kind would not find it, and silently start from step 0. Some runs have none: the demo
    and imported ones, whose steps here are 0.

    Args:
      checkpoint: to continue from.
      averages: whether the configuration asks for them (`trainer.optimizer_config.ema`).

    Raises:
      UsageError: the run began otherwise, or has no optimiser.
    """
    reader = _reader(checkpoint)
    began_with, without = (
        reader.has_tensor(name + _VALUE) for name in (averaging.SAVED_AS, "optimizer/iter")
    )
    step = int(_read(checkpoint, "global_step"))
    if not (began_with or without) and (step or averages):
        raise errors.UsageError(
            f"checkpoint {checkpoint} has weights of step {step}, but no optimiser to continue "
            "with; start a new run from them: another model_dir, "
            f"task.init_checkpoint={os.path.dirname(checkpoint)}"
        )
    if began_with != averages:
        raise errors.UsageError(
            f"checkpoint {checkpoint} was trained {'with' if began_with else 'without'} averages "
            f"of the weights; {'set' if began_with else 'leave out'} "
            "trainer.optimizer_config.ema, or use another model_dir"
        )


def _read(checkpoint: str, name: str) -> int:
    with _unreadable_explained(checkpoint):
        return _reader(checkpoint).get_tensor(name + _VALUE)


@contextlib.contextmanager
def _unreadable_explained(checkpoint: str) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise errors.UsageError(
            f"checkpoint {checkpoint} is corrupt or not of a supernet: {errors.one_line(error)}; "
            f"{_way_out(os.path.dirname(checkpoint))}"
        ) from error


def _reader(checkpoint: str) -> Any:
    """Returns a reader of a checkpoint's tensors.

    `tf.train.load_checkpoint` takes a checkpoint in memory (ram://) for a folder without any.
    """
    return tf.compat.v1.train.NewCheckpointReader(checkpoint)


def _way_out(model_dir: str) -> str:
    listed = os.path.join(model_dir, run_folder.CHECKPOINTS_FILE)
    return f"name an older one as model_checkpoint_path in {listed}"


def read_config(model_dir: str) -> cfg.ExperimentConfig:
    """Reads the configuration of a run.

    Raises:
      UsageError: the folder is not that of a run, or its configuration is damaged.
    """
    run_folder.check(model_dir)
    path = os.path.join(model_dir, run_folder.PARAMS_FILE)
    damaged = f"{path} is not a run's configuration"
    config = configs.blank_experiment()
    try:
        values = strict_yaml.load(files.read_text(path))
    except errors.UsageError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise errors.UsageError(f"{damaged}: {errors.one_line(error)}") from error
    field_types.override(config, values, damaged)
    try:
        validation.validate_trained(config.task)
    except errors.UsageError as error:
        raise errors.UsageError(f"{damaged}: {error}") from error
    return config
