"""Builds a checked configuration from an experiment's name, YAML files and overrides."""

from __future__ import annotations

import dataclasses
import difflib
import os
import typing
from collections.abc import Sequence

import yaml
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams

from bignas_tf import console, errors, files, packaged, strict_yaml
from bignas_tf.console import Show
from bignas_tf.training import batch, registry, validation


def parse(
    name: str,
    config_files: Sequence[str],
    params_override: str,
    show: Show = console.silent,
) -> cfg.ExperimentConfig:
    """Builds a configuration; later sources win.

    Args:
      name: a registered experiment.
      config_files: YAML files of overrides; see `bignas_tf.packaged` for those that come with
        this package.
      params_override: "a.b=1,c.d=x", a YAML string, or a YAML file.
      show: takes a line if lengths and rates were rescaled to the batch.

    Raises:
      UsageError: an unknown experiment or key (the nearest valid one is named),
        an unreadable file, or values that do not fit together.
    """
    config = _registered(name)
    for source in [*config_files, params_override]:
        if source:
            override(config, source)
    changed = batch.follow(config)
    validation.validate(config)
    if changed:
        show(changed)
    return config


def _registered(name: str) -> cfg.ExperimentConfig:
    try:
        return exp_factory.get_exp_config(name)
    except LookupError:
        raise errors.UsageError(
            f"unknown experiment {name!r}; choose from {registry.names()}"
        ) from None


def override(config: cfg.ExperimentConfig, source: str) -> None:
    """Overrides fields; whether their values fit together is not checked.

    Args:
      config: is changed.
      source: "a.b=1,c.d=x", a YAML string, or a YAML file.

    Raises:
      UsageError: an unknown key (the nearest valid one is named), a value of another type, or
        an unreadable file.
    """
    try:
        values = _values(source)
    except errors.UsageError:
        raise
    except (yaml.YAMLError, ValueError, OSError, UnicodeDecodeError) as error:
        raise errors.UsageError(
            f"cannot read overrides {source!r}: {errors.one_line(error)}"
        ) from error
    _check_keys(config, values, source, "")
    try:
        config.override(values, is_strict=True)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errors.UsageError(f"{source}: {errors.one_line(error)}") from error


def _values(source: str) -> dict[str, object]:
    if os.path.isfile(source) or (source.endswith((".yaml", ".yml")) and "=" not in source):
        values = strict_yaml.load(files.read_text(packaged.experiment_file(source)))
    else:
        values = strict_yaml.load(source)
        if isinstance(values, str):
            # Of a list of overrides the later ones win, as of several files.
            nested = hyperparams.nested_csv_str_to_json_str(source)
            values = yaml.load(nested, strict_yaml.Loader)
    if not isinstance(values, dict):
        raise ValueError("expected a mapping of configuration keys")
    return values


def _check_keys(
    known: hyperparams.Config, values: dict[str, object], source: str, path: str
) -> None:
    """Refuses unknown keys and values of another type, naming the nearest key.

    Asks the class for its fields: of a choice, `as_dict` would give the chosen one alone.
    """
    names = [field.name for field in dataclasses.fields(known)]
    for key, value in values.items():
        where = f"{path}{key}"
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1, 0.0)
            raise errors.UsageError(
                f"{source}: unknown key {where!r}; nearest is '{path}{near[0] if near else '?'}'"
            )
        default = getattr(known, key)
        if value is None and _blank(known, key):
            continue  # leaves a whole group out, as in `ema=null`
        if default is None and value is not None:
            default = _blank(known, key)
        if isinstance(default, hyperparams.Config):
            if not isinstance(value, dict):
                raise errors.UsageError(f"{source}: {where} is {value!r}; expected dict")
            _check_keys(default, value, source, f"{where}.")
        elif not _fits(default, value):
            raise errors.UsageError(
                f"{source}: {where} is {value!r}; expected {type(default).__name__}"
            )


def _blank(known: hyperparams.Config, key: str) -> hyperparams.Config | None:
    """Returns the defaults of a group of fields that is absent by default, such as `ema`."""
    (kind,) = (field.type for field in dataclasses.fields(known) if field.name == key)
    groups = [each for each in typing.get_args(kind) if each is not type(None)]
    for each in groups:
        if isinstance(each, type) and issubclass(each, hyperparams.Config):
            return each()
    return None


def _fits(default: object, value: object) -> bool:
    if default is None:
        return True
    if value is None:
        # Only names may be unset, such as warmup.type or tfds_data_dir.
        return isinstance(default, str)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, list | tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)
