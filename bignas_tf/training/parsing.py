"""Builds a checked configuration from an experiment's name, YAML files and overrides."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams

from bignas_tf import console, errors, files, packaged, strict_yaml
from bignas_tf.console import Show
from bignas_tf.training import batch, field_types, optimisation, registry, unread, validation

_MOST_SHOWN = 300  # characters of overrides in a message


def parse(
    name: str,
    config_files: Sequence[str],
    params_override: str | Mapping[str, Any],
    show: Show = console.silent,
) -> cfg.ExperimentConfig:
    """Builds a configuration; later sources win.

    Args:
      name: a registered experiment.
      config_files: YAML files of overrides; see `bignas_tf.packaged` for those that come with
        this package.
      params_override: as `override` takes them.
      show: takes a line if lengths and rates were rescaled to the batch.

    Raises:
      UsageError: an unknown experiment or key (the nearest valid one is named), a field that has
        no effect, an unreadable file, or values that do not fit together.
    """
    config = _registered(name)
    override(config, *config_files, params_override)
    optimisation.check_types(config.trainer)  # which those below read
    unread.check(config, _registered(name))
    changed = batch.follow(config)
    validation.validate(config)
    if changed:
        show(changed)
    return config


def _registered(name: str) -> cfg.ExperimentConfig:
    errors.require_one_of("experiment", name, registry.names())
    return exp_factory.get_exp_config(name)


_QUOTES = (
    "; in an override a value with brackets, colons, commas or quotes stands in quotes of its own, "
    "as in "
    "task.selection.ranking_split='train[90%:]'"
)


def override(config: cfg.ExperimentConfig, *sources: str | Mapping[str, Any]) -> None:
    """Overrides fields; whether their values fit together is not checked.

    Args:
      config: is changed.
      *sources: "a.b=1,c.d=x", a YAML string, a YAML file, or what such a file holds; later ones
        win, and empty ones change nothing.

    Raises:
      UsageError: an unknown key (the nearest valid one is named), a value of another type, one
        that has no effect, or an unreadable file.
    """
    paths = [path for each in sources if each for path in _override(config, each)]
    for path in paths:  # a later source may have chosen it
        group, _, name = path.rpartition(".")
        choice = functools.reduce(getattr, group.split("."), config)
        chosen = choice.type
        # What is no choice at all is told by the configuration's own check.
        if chosen not in (None, name) and hasattr(choice, chosen):
            raise errors.UsageError(
                f"{path} has no effect, because {group}.type is {chosen!r}; set {group}.{chosen} "
                f"instead, or {group}.type={name} as well"
            )


def _override(config: cfg.ExperimentConfig, source: str | Mapping[str, Any]) -> Iterator[str]:
    """Overrides fields, and gives those that have no effect so far."""
    try:
        values = _values(source)
    except errors.UsageError:
        raise
    except (yaml.YAMLError, ValueError, OSError, UnicodeDecodeError) as error:
        text = isinstance(source, str) and "=" in source
        raise errors.UsageError(
            f"cannot read overrides {errors.shown(source, _MOST_SHOWN)}: {errors.one_line(error)}"
            + (_QUOTES if text else "")
        ) from error
    field_types.override(config, values, errors.cut(str(source), _MOST_SHOWN))
    return field_types.unchosen(config, values)


def _textual(value: object) -> object:
    """A value of a mapping as YAML would have it: paths as text, NumPy's numbers as Python's."""
    if isinstance(value, Mapping):
        return {key: _textual(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_textual(each) for each in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _values(source: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(source, Mapping):
        return {key: _textual(value) for key, value in source.items()}
    if not isinstance(source, str):
        raise ValueError("expected text or a mapping")
    if os.path.isdir(source):
        raise errors.UsageError(f"{source} is a folder; give a YAML file")
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
