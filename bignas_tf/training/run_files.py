"""Writes the files of a run that `checkpoints.load_run` reads."""

from __future__ import annotations

import copy
import os

import tensorflow as tf
from official.core import config_definitions as cfg

from bignas_tf import files, run_folder, strict_yaml
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import children, learnt


def describe(config: cfg.ExperimentConfig, space: SearchSpace, model_dir: str) -> None:
    """Writes the configuration, and what its names mean: a preset or a file may change later."""
    files.write_text(os.path.join(model_dir, run_folder.SPACE_FILE), presets.to_yaml(space))
    child = children.alone(space, config.task.sandwich)
    if child:
        files.write_json(os.path.join(model_dir, run_folder.ALONE_FILE), child)
    values = strict_yaml.dump(config.as_dict())
    files.write_text(os.path.join(model_dir, run_folder.PARAMS_FILE), values)


def save(
    supernet: ElasticModel,
    step: int,
    config: cfg.ExperimentConfig,
    space: SearchSpace,
    model_dir: str,
) -> None:
    """Writes a run of weights alone: no optimiser, no averages, no run that it started from.

    The list of checkpoints comes last: a folder without it holds no run.

    Args:
      supernet: the weights.
      step: how long they were trained.
      config: of the run; it stays as it is.
      space: of the supernet.
      model_dir: a folder, which exists.
    """
    config = copy.deepcopy(config)
    config.trainer.optimizer_config.ema = None
    config.task.init_checkpoint = ""
    learnt.forget(model_dir)
    describe(config, space, model_dir)
    checkpoint = tf.train.Checkpoint(model=supernet, global_step=tf.Variable(step, dtype=tf.int64))
    checkpoint.write(os.path.join(model_dir, f"ckpt-{step}"))
    # TensorFlow's own list has the time in it, and would differ each time.
    listed = f'model_checkpoint_path: "ckpt-{step}"\n'
    files.write_text(os.path.join(model_dir, run_folder.CHECKPOINTS_FILE), listed)
