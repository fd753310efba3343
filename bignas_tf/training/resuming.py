"""Whether a configuration may continue a run, and what it changes of it."""

from __future__ import annotations

import json
import os
from typing import Any

from official.core import config_definitions as cfg

from bignas_tf import errors, files, plain, run_folder
from bignas_tf.data import config as config_lib
from bignas_tf.data import identity, split_names
from bignas_tf.data.config import DataConfig
from bignas_tf.data.identity import BySplit
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import checkpoints, children, learnt
from bignas_tf.training.configs import BigNASConfig

# With another one of these the weights mean something else (layers, labels, pixels, which children
# they are for), or the optimiser silently starts with empty slots.
_FIXED = (
    "task.model.network",
    "task.train_data.num_classes",
    "task.train_data.channels",
    "task.train_data.label_offset",
    "task.sandwich.alone",
    "trainer.optimizer_config.optimizer.type",
)
_FIRST = ("model.zero_init_gamma", ".initial_mean_square", ".initial_accumulator_value")
_RESTORE = (
    "restore it, because nothing else says what the weights are for and which images they have "
    "learnt from"
)
_BATCH = "task.train_data.global_batch_size"


def check(
    checkpoint: str, config: cfg.ExperimentConfig, space: SearchSpace, chief: bool = True
) -> list[str]:
    """Checks that a configuration may continue from a checkpoint.

    Args:
      checkpoint: to continue from.
      config: to continue with.
      space: its search space.
      chief: whether this worker is the chief, whose configuration the run has.

    Returns:
      Lines for the user: the checkpoint, and each value that differs from the run's so far.

    Raises:
      UsageError: the run is of another space, has no optimiser, keeps averages of the weights and
        this configuration does not (or the other way round), or a value differs that must not
        (the batch, where lengths follow it).
    """
    checkpoints.check_space(checkpoint, space)
    checkpoints.check_optimiser(checkpoint, bool(config.trainer.optimizer_config.ema))
    _check_alone(os.path.dirname(checkpoint), config.task, space)
    return [f"resuming from {checkpoint}", *changes(os.path.dirname(checkpoint), config, chief)]


def _check_alone(model_dir: str, task: BigNASConfig, space: SearchSpace) -> None:
    """Refuses another child under the name of the one that a run trains alone."""
    path = os.path.join(model_dir, run_folder.ALONE_FILE)
    if not (task.sandwich.alone and files.is_file(path)):
        return
    if files.read_json(path) != children.alone(space, task.sandwich):
        raise errors.UsageError(
            f"task.sandwich.alone is {task.sandwich.alone}, which is no longer the child that the "
            f"run in {model_dir} trains ({path}); name that one, or use another model_dir"
        )


def check_length(step: int, steps: int, model_dir: str) -> None:
    """Refuses a training that would end before the step that its run has reached.

    Raises:
      UsageError: `step` is beyond `steps`.
    """
    if step > steps:
        raise errors.UsageError(
            f"trainer.train_steps is {steps}, but the run in {model_dir} is at step {step}; give "
            "that number or more, or another model_dir"
        )


def changes(model_dir: str, config: cfg.ExperimentConfig, chief: bool = True) -> list[str]:
    """Compares a configuration with the one that a run was last trained with.

    Args:
      model_dir: folder of the run.
      config: to continue with.
      chief: see `check`.

    Returns:
      A line for each value that differs.

    Raises:
      UsageError: a value differs that must not, the images have changed, or the run's
        configuration is missing or cannot be read.
    """
    path = os.path.join(model_dir, run_folder.PARAMS_FILE)
    if not files.is_file(path):
        raise errors.UsageError(f"{path} is missing; {_RESTORE}")
    try:
        before = checkpoints.read_config(model_dir)
    except errors.UsageError as error:
        raise errors.UsageError(f"{error}; {_RESTORE}") from error
    changed = plain.changes(_values(before), _values(config))
    for name in _FIXED:
        if name in changed:
            was, now = changed[name]
            raise errors.UsageError(
                f"{name} was {was!r} in the run in {model_dir} and is now {now!r}, with which its "
                "weights cannot be trained further; set it back, or use another model_dir "
                "(task.init_checkpoint starts a new run from the weights of this one)"
            )
    if _BATCH in changed and config.trainer.for_batch:
        raise _jumps(*changed[_BATCH], model_dir)
    now = config.task
    if not chief:  # whose machine may keep the run that this one started from elsewhere
        now = now.replace(init_checkpoint=before.task.init_checkpoint)
    _check_learnt(model_dir, before.task, now)
    first = {name: changed.pop(name) for name in list(changed) if name.endswith(_FIRST)}
    return [
        *(f"  changed: {each}" for each in plain.told(changed)),
        *(f"  of no effect on a run that has begun: {each}" for each in plain.told(first)),
    ]


def _check_learnt(model_dir: str, before: BigNASConfig, now: BigNASConfig) -> None:
    """Refuses other images than those of the last start: nothing would tell of the first ones."""
    images, learnt_from, data = learnt.read(model_dir), before.train_data, now.train_data
    if images is None:
        return
    if not identity.is_same(learnt_from, data, images):
        raise _forgotten(model_dir, "data set", _named(learnt_from), _named(data))
    splits_named = [_resolved(each.tfds_split, images) for each in (learnt_from, data)]
    if splits_named[0] != splits_named[1]:
        split = (learnt_from.tfds_split, data.tfds_split)
        raise _forgotten(model_dir, "task.train_data.tfds_split", *split)
    first, then = before.init_checkpoint or "", now.init_checkpoint or ""
    # Whoever has moved all, or stands elsewhere, gives the same path.
    if first != then and not (first and then and identity.place(first) == identity.place(then)):
        raise _forgotten(model_dir, "task.init_checkpoint", first, then)
    try:
        identity.check_same(images, learnt_from, [data])
    except errors.UsageError as error:
        raise errors.UsageError(f"the run in {model_dir} cannot be resumed: {error}") from error


def _forgotten(model_dir: str, name: str, was: str, now: str) -> errors.UsageError:
    return errors.UsageError(
        f"{name} was {was!r} in the run in {model_dir} and is now {now!r}, so that nothing would "
        "say which images its weights learnt from before; set it back, or start a new run from "
        f"these weights: another model_dir, task.init_checkpoint={model_dir}"
    )


def _named(data: DataConfig) -> str:
    return f"{data.source} {config_lib.images_name(data)}"


def _resolved(split: str, images: BySplit) -> Any:
    """Which images a split names; the text itself where it names none of these."""
    sizes = {name: each.images for name, each in images.items()}
    try:
        return split_names.resolve(split or split_names.ALL, sizes, "data")
    except errors.UsageError:
        return split


def _jumps(was: Any, now: Any, model_dir: str) -> errors.UsageError:
    """Steps of another batch are other epochs: `batch.follow` converts all but the step reached."""
    return errors.UsageError(
        f"{_BATCH} was {was} in the run in {model_dir} and is now {now}: its lengths and learning "
        f"rates follow the batch (trainer.for_batch), but the step it has reached counts batches "
        f"of {was}, so it would continue in another epoch; set the batch back (on fewer cores "
        "task.images_at_once computes it in parts), use another model_dir with "
        f"task.init_checkpoint={model_dir}, or set trainer.for_batch=0 and all lengths yourself"
    )


def _values(config: cfg.ExperimentConfig) -> dict[str, Any]:
    """The values of a configuration, with lists for tuples as YAML has."""
    values = dict(json.loads(json.dumps(config.as_dict())))
    values["task"]["init_checkpoint"] = values["task"]["init_checkpoint"] or ""  # null, too
    return values
