"""What all workers of a run must agree on, compared before anything is built.

One that differs would not be noticed: the chief writes its own configuration, and the others add
gradients of theirs, or wait for a chief that trains longer or has ended.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys
from typing import Any

import tensorflow as tf
from official.core import config_definitions as cfg

import bignas_tf
from bignas_tf import errors, files, plain, workers
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import children, models

# Which worker it is, and where its machine keeps what all of them have.
_OWN = (
    "runtime.task_index",
    "task.distillation.teacher",
    "task.init_checkpoint",
    "task.model.search_space",
    "task.sandwich.alone",
    "task.train_data.input_path",
    "task.train_data.tfds_data_dir",
)
_STEP, _CODE, _SPACE = "step", "the code of bignas_tf", "the search space"
_ALONE = "the child of task.sandwich.alone"
_NETWORK = "the code of task.model.network"
_TOOLS = ("tools", "experiments")  # which a wheel has in the package, and a checkout beside it


def check(
    step: int,
    config: cfg.ExperimentConfig,
    space: SearchSpace,
    model_dir: str,
    strategy: tf.distribute.Strategy,
) -> None:
    """Refuses workers that would start at different steps, with other settings or other code.

    All workers call this together, and all of them raise.

    Args:
      step: that this worker would start at.
      config: of this worker.
      space: its search space.
      model_dir: its folder of the run.
      strategy: of the workers.

    Raises:
      UsageError: names the first thing that differs, on the workers where it does.
    """
    if not workers.many(strategy):
        return
    mine = json.loads(json.dumps(_known(step, config, space)))
    chiefs = json.loads(workers.sharing(strategy)(json.dumps(mine)))
    different = plain.changes(chiefs, mine)
    if not workers.averaging(strategy)(float(bool(different))):
        return
    workers.wait_for_all(strategy)
    if _STEP in different:
        raise errors.UsageError(
            f"{model_dir} holds a checkpoint of step {step} here and of step {chiefs[_STEP]} on "
            "the first worker; name one folder that all of them see"
        )
    for name, (theirs, ours) in different.items():
        raise errors.UsageError(
            f"{name} is {errors.shown(theirs)} on the first worker and {errors.shown(ours)} on "
            "this one; start all workers with the same flags and the same code"
        )
    raise errors.UsageError(
        "another worker has other settings, code or checkpoints; its error names them"
    )


def _known(step: int, config: cfg.ExperimentConfig, space: SearchSpace) -> dict[str, Any]:
    """What this worker would train with, by the names that an error gives it."""
    task = config.task
    family = models.network(task.model.network).__mro__
    own = [each for each in family if each not in ElasticModel.__mro__]  # all that a user derived
    return {
        _STEP: step,
        _CODE: _code(),
        _SPACE: presets.to_yaml(space),
        _ALONE: children.alone(space, task.sandwich),
        "whether task.init_checkpoint is given": bool(task.init_checkpoint),
        "whether task.distillation.teacher is given": bool(task.distillation.teacher),
        _NETWORK: [_module(each.__module__) for each in own],
        **_settings(config),
    }


def _settings(config: cfg.ExperimentConfig) -> dict[str, Any]:
    """The values that workers share."""
    values = config.as_dict()
    for path in _OWN:
        group, (*parts, name) = values, path.split(".")
        for part in parts:
            group = group[part]
        del group[name]
    return values


def _code() -> str:
    """A short hash of this package's modules."""
    root, digest = pathlib.Path(bignas_tf.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] not in _TOOLS and not any(part[0] == "." for part in place.parts):
            digest.update(place.as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _module(name: str) -> str:
    """A short hash of a module's source; "" of one that has none, such as a notebook's."""
    path = getattr(sys.modules[name], "__file__", None)
    return files.sha256(path)[:12] if path else ""
