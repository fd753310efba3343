"""The folder of a training by the Model Garden: whose weights it began with, and what goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import yaml
from official.core import config_definitions as cfg
from official.modeling import hyperparams

from bignas_tf import errors, files, plain, run_folder, strict_yaml
from bignas_tf.exports import versions
from bignas_tf.plain import Value
from bignas_tf.training import listing

CARD_FILE = "backbone.json"
_AVERAGES = "ema_checkpoints"  # where the Model Garden saves averages of the weights
# Parts of a model's configuration that trained weights do not depend on.
_FREE = {
    *("input_size", "detection_generator", "export_dir", "pretrained"),
    *("norm_momentum", "use_sync_bn", "dropout_rate"),
}


def begin(model_dir: str, backbone: hyperparams.Config) -> None:
    """Keeps the card of the child whose weights a new training starts from, if it is on one.

    Raises:
      UsageError: the child's export is damaged.
    """
    path = os.path.join(model_dir, CARD_FILE)
    if getattr(backbone, "pretrained", False) and hasattr(backbone, "export_dir"):
        card = files.read_json(os.path.join(backbone.export_dir, versions.CHILD_FILE))
        files.write_json(path, card)
    else:
        files.remove(path)


def copy_card(model_dir: str, version: Path) -> None:
    """Puts the card into an export; there is none where the training began with random weights."""
    path = os.path.join(model_dir, CARD_FILE)
    if files.is_file(path):
        (version / CARD_FILE).write_text(files.read_text(path))


def check(model_dir: str, config: cfg.ExperimentConfig) -> list[str]:
    """Checks that a configuration is of the model that a folder's checkpoints are of.

    Args:
      model_dir: holds a checkpoint.
      config: to train, evaluate or export with.

    Returns:
      A line for each value that differs from what the run was last trained with.

    Raises:
      UsageError: it is of another model, or `params.yaml` is missing or damaged.
    """
    before = {name: value.content for name, value in _trained(model_dir).fields().items()}
    changed = plain.changes(before, json.loads(json.dumps(config.as_dict())))
    for name, (was, value) in changed.items():
        if name.startswith("task.model.") and not _FREE & set(name.split(".")):
            raise errors.UsageError(
                f"{name} was {errors.shown(was)} in the run in {model_dir} and is now "
                f"{errors.shown(value)}, which its weights are not for; give "
                f"{os.path.join(model_dir, run_folder.PARAMS_FILE)} as --config_file, or use "
                "another --model_dir"
            )
    return [f"  changed: {name} was {was}, is now {now}" for name, (was, now) in changed.items()]


def weights_dir(model_dir: str) -> str:
    """Where the weights are whose metrics the Garden reports: averages, if it keeps any."""
    averages = _trained(model_dir)["trainer"]["optimizer_config"]["ema"].content is not None
    return os.path.join(model_dir, _AVERAGES) if averages else model_dir


def require_checkpoint(model_dir: str) -> None:
    """Refuses a folder in which nothing was saved yet.

    Raises:
      UsageError: there is no checkpoint, or the list of them is lost.
    """
    if listing.latest(model_dir) is None:
        raise listing.no_checkpoint(model_dir)


def _trained(model_dir: str) -> Value:
    """What a training wrote down of its configuration."""
    path = os.path.join(model_dir, run_folder.PARAMS_FILE)
    try:
        return Value(strict_yaml.load(files.read_text(path)), path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise errors.UsageError(f"{path} is damaged: {errors.one_line(error)}") from error
