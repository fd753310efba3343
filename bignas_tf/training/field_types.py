"""Checks of keys and types that a configuration's classes do not make themselves."""

from __future__ import annotations

import collections.abc
import dataclasses
import sys
import typing
from collections.abc import Iterator
from typing import Any

from official.modeling import hyperparams

from bignas_tf import errors, plain


def check(known: hyperparams.Config, values: object, source: str, path: str = "") -> None:
    """Refuses unknown keys and values of another type, naming the nearest key.

    Asks the class for its fields: of a choice, `as_dict` would give the chosen one alone.

    Args:
      known: the configuration, or a group of its fields.
      values: what its fields are to be, as YAML gives them.
      source: what to call their origin in messages.
      path: of the group, such as "task.train_data."; "" is the whole configuration.

    Raises:
      UsageError: names the key, its value and what is expected.
    """
    if not isinstance(values, dict):
        where = path.removesuffix(".") or "the whole"
        raise errors.UsageError(f"{source}: {where} is {errors.shown(values)}; expected dict")
    types = {field.name: field.type for field in dataclasses.fields(known)}
    for key, value in values.items():
        if key not in types:
            hint = errors.did_you_mean(key, types) or f"; it takes {', '.join(types)}"
            raise errors.UsageError(f"{source}: unknown key {errors.shown(f'{path}{key}')}{hint}")
        default = getattr(known, key)
        if value is None and _blank(known, key):
            continue  # leaves a whole group out, as in `ema=null`
        if default is None and value is not None:
            default = _blank(known, key)
        if types[key] in (float, "float") and default is not None:
            default = float(default)  # the Model Garden writes 0 for 0.0
        if isinstance(default, hyperparams.Config):
            check(default, value, source, f"{path}{key}.")
        elif not (_fits(default, value) or _is_listed(types[key], value)):
            raise errors.UsageError(
                f"{source}: {path}{key} is {errors.shown(value)}; expected {type(default).__name__}"
            )


def override(config: hyperparams.Config, values: Any, source: str, path: str = "") -> None:
    """Overrides fields whose keys and types `check` accepts; see it for arguments and errors."""
    check(config, values, source, path)
    try:
        config.override(values, is_strict=True)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errors.UsageError(f"{source}: {errors.one_line(error)}") from error
    to_floats(config)


def to_floats(config: hyperparams.Config) -> None:
    """Makes whole numbers floats in the fields of real ones: `learning_rate=1` is 1.0.

    Schedules compute with them, and optimisers make variables of their type, into which a
    checkpoint of another type is not restored.

    Args:
      config: the configuration, or a group of its fields; changed.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, hyperparams.Config):
            to_floats(value)
        elif _is_real(field.type):
            setattr(config, field.name, _floats(value))


def _is_real(kind: object) -> bool:
    """Whether a field has real numbers: one, a list of them, or perhaps none."""
    return kind in (float, "float") or any(map(_is_real, typing.get_args(kind)))


def _floats(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_floats, value))
    return float(value) if plain.is_whole(value) else value


def unchosen(known: object, values: object, path: str = "") -> Iterator[str]:
    """Yields the fields that have no effect, such as a cosine's where the rate is exponential.

    Args:
      known: the configuration, or a group of its fields, with these values in it.
      values: what its fields were set to.
      path: of the group, as in `check`.
    """
    if not (isinstance(known, hyperparams.Config) and isinstance(values, dict)):
        return
    chosen = known.type if isinstance(known, hyperparams.OneOfConfig) else None
    for key, value in values.items():
        if chosen not in (None, key) and key != "type":
            yield f"{path}{key}"
        else:
            yield from unchosen(getattr(known, key), value, f"{path}{key}.")


def _blank(known: hyperparams.Config, key: str) -> hyperparams.Config | None:
    """Returns the defaults of a group of fields that is absent by default, such as `ema`."""
    (kind,) = (field.type for field in dataclasses.fields(known) if field.name == key)
    kinds = [each for each in typing.get_args(kind) if each is not type(None)]
    return kinds[0]() if len(kinds) == 1 and _is_group(kinds[0]) else None


def _is_group(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, hyperparams.Config)


def _is_listed(kind: object, value: object) -> bool:
    """Whether a field takes one value or several, as `input_path` does, and has several.

    Several may have names, as the Model Garden's weighted sources do.
    """
    # `typing` may give the kinds of a union in any order.
    kinds = typing.get_args(kind)
    if isinstance(value, dict):
        return bool(value) and any(map(_is_group, kinds))
    several = (each for each in kinds if typing.get_origin(each) is collections.abc.Sequence)
    items = [typing.get_args(each)[0] for each in several]
    return isinstance(value, list | tuple) and any(
        all(isinstance(one, item) for one in value) for item in items
    )


def _fits(default: object, value: object) -> bool:
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        return False  # nothing here takes such a number, and checks could not compute with it
    if default is None:
        return True
    if value is None:
        # Only names may be unset, such as warmup.type or tfds_data_dir.
        return isinstance(default, str)
    if isinstance(default, float):
        return plain.is_number(value)
    if isinstance(default, list | tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)
