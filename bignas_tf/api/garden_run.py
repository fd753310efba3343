"""The folder of a training by the Model Garden: whose weights it began with, and what goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml
from official.core import config_definitions as cfg
from official.modeling import hyperparams

from bignas_tf import errors, files, plain, run_folder, strict_yaml
from bignas_tf.exports import trainable, versions
from bignas_tf.plain import Value
from bignas_tf.training import listing

CARD_FILE = "backbone.json"
_AVERAGES = "ema_checkpoints"  # where the Model Garden saves averages of the weights
# Parts of a model's configuration that trained weights do not depend on.
_FREE = {
    *("input_size", "export_dir", "pretrained", "norm_momentum", "use_sync_bn", "dropout_rate"),
    *("init_stochastic_depth_rate", "stochastic_depth_drop_rate"),
    *("detection_generator", "roi_generator", "roi_sampler", "mask_sampler"),
}


def write(model_dir: str, config: cfg.ExperimentConfig, *, new: bool, trains: bool) -> None:
    """Writes what is asked of a folder later.

    Args:
      model_dir: the folder.
      config: what it is trained or evaluated with, from now on.
      new: it holds no checkpoint; its children's card is kept then.
      trains: evaluation leaves the configuration of the training.

    Raises:
      UsageError: the child's export is damaged.
    """
    if new:
        _keep_card(model_dir, config.task.model.backbone.get())
    if trains:
        values = strict_yaml.dump(config.as_dict())
        files.write_text(os.path.join(model_dir, run_folder.PARAMS_FILE), values)


def _keep_card(model_dir: str, backbone: hyperparams.Config) -> None:
    """Keeps the card of the child whose weights a new training starts from; null if of none."""
    taken = getattr(backbone, "pretrained", False) and hasattr(backbone, "export_dir")
    card = _card(backbone.export_dir) if taken else None
    files.write_json(os.path.join(model_dir, CARD_FILE), card)


def copy_card(model_dir: str, backbone: hyperparams.Config, version: Path) -> None:
    """Puts the card into an export, if the training began with a child's weights."""
    card = _kept(model_dir, backbone)
    if card is not None:
        files.write_json(version / CARD_FILE, card)


def _kept(model_dir: str, now: hyperparams.Config) -> dict[str, Any] | None:
    """The card of the child that a training began with; None if it was none.

    Args:
      model_dir: of the training.
      now: its backbone as it is given now, which says where the child is if it has moved.
    """
    path = os.path.join(model_dir, CARD_FILE)
    if files.is_file(path):
        with files.reading(path, "tools.garden") as card:
            return card.optional(_contents)
    # The Garden's own driver keeps none, but the configuration that it was started with last.
    backbone = _trained(model_dir)["task"]["model"]["backbone"]
    chosen = backbone[backbone["type"].text()].fields()
    if "export_dir" not in chosen or not chosen["pretrained"].content:
        return None
    folder = chosen["export_dir"].text()
    return _card(folder if os.path.isdir(folder) else getattr(now, "export_dir", folder))


def check(model_dir: str, config: cfg.ExperimentConfig) -> list[str]:
    """Checks that a configuration is of the model that a folder's checkpoints are of.

    Args:
      model_dir: holds a checkpoint.
      config: to train, evaluate or export with.

    Returns:
      A line for each value that differs from what the run was last trained with.

    Raises:
      UsageError: it is of another model or another child, or `params.yaml` is missing or damaged.
    """
    before = {name: value.content for name, value in _trained(model_dir).fields().items()}
    changed = plain.changes(before, json.loads(json.dumps(config.as_dict())))
    for name, values in changed.items():
        # A value that one of them lacks is of another version of the Garden.
        if (
            name.startswith("task.model.")
            and plain.ABSENT not in values
            and not _FREE & set(name.split("."))
        ):
            raise _other(model_dir, name, *values)
    _check_child(model_dir, config.task.model.backbone.get())
    return [f"  changed: {each}" for each in plain.told(changed)]


def _check_child(model_dir: str, backbone: hyperparams.Config) -> None:
    """Refuses another child than that of the weights, where the folder says which that is."""
    was = _kept(model_dir, backbone)
    if was and hasattr(backbone, "export_dir"):
        now = _card(backbone.export_dir)
        for name in (trainable.SPACE_FIELD, "architecture"):
            if was.get(name) != now.get(name):
                raise _other(model_dir, f"the child's {name}", was.get(name), now.get(name))


def _card(export_dir: str) -> dict[str, Any]:
    """The card of a child.

    Raises:
      UsageError: none is named, or its file is missing or damaged.
    """
    from bignas_tf.garden.config import require_child  # the Garden, which only its users import

    require_child(export_dir)
    with files.reading(os.path.join(export_dir, versions.CHILD_FILE), "tools.export") as card:
        return _contents(card)


def _contents(card: Value) -> dict[str, Any]:
    return {name: field.content for name, field in card.fields().items()}


def _other(model_dir: str, name: str, was: object, now: object) -> errors.UsageError:
    return errors.UsageError(
        f"{name} was {errors.shown(was)} in the run in {model_dir} and is now {errors.shown(now)}, "
        f"which its weights are not for; give {os.path.join(model_dir, run_folder.PARAMS_FILE)} as "
        "--config_file, or use another --model_dir"
    )


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
