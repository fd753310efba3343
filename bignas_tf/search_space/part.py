"""A part of a search space: the same network, with fewer of its choices."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Mapping
from typing import Any

from bignas_tf import errors, plain
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import PER_LAYER
from bignas_tf.search_space.plain_space import from_dict
from bignas_tf.search_space.space import SearchSpace

_CHOICES = ("stem_widths", "head_widths", "eval_resolutions")
_OF_STAGE = ("depths", *PER_LAYER)


def read(space: SearchSpace, path: str | os.PathLike[str]) -> SearchSpace:
    """Reads which part of a space a file names.

    Args:
      space: the whole.
      path: of a YAML file with those fields of the space that have fewer choices, or of all its
        fields. `stages` has a mapping for each stage, `{}` where nothing changes.

    Returns:
      A space whose children are children of the whole; their codes may be shorter. It trains on
      the resolutions on which it evaluates.

    Raises:
      UsageError: the file cannot be read, or names what the space does not have.
    """
    source = errors.require_path("a part of the search space", path)
    given = presets.read_yaml(source)
    content = json.loads(json.dumps(space.content()))  # lists, as YAML has them
    stages = given.pop("stages", content["stages"]) if isinstance(given, dict) else None
    part = _narrowed(content, given, _CHOICES, source)
    if not isinstance(stages, list) or len(stages) != len(space.stages):
        raise errors.UsageError(
            f"{source}: stages must be a list of {len(space.stages)}, as in {space.name!r}; an "
            "empty mapping, {}, leaves a stage as it is"
        )
    part["stages"] = [
        _narrowed(own, stage, _OF_STAGE, f"{source}: stages[{index}]")
        for index, (own, stage) in enumerate(zip(content["stages"], stages, strict=True))
    ]
    part["train_resolutions"] = part["eval_resolutions"]
    name = f"{space.name} within {source}"  # for messages
    return dataclasses.replace(from_dict(part, source), name=name)


def _narrowed(
    own: Mapping[str, Any], given: object, choices: Collection[str], source: str
) -> dict[str, Any]:
    """The fields of a space or a stage, with the choices that are given in place of all."""
    if not isinstance(given, dict):
        raise errors.UsageError(f"{source} is {errors.shown(given)}; it takes fields of a space")
    for name, value in given.items():
        errors.require_one_of(f"{source}: field", name, own)
        if name not in choices:
            errors.require(
                value == own[name],
                f"{source}: {name}",
                value,
                f"{errors.shown(own[name])}, as in the whole space: a part has fewer choices of "
                f"{', '.join(choices)} alone",
            )
        elif not _are_some(value, own[name]):
            raise errors.UsageError(
                f"{source}: {name} is {errors.shown(value)}; it takes a list of some of "
                f"{own[name]}, ascending"
            )
    return {**own, **given}


def _are_some(value: object, of: list[int]) -> bool:
    """Whether a value lists some of these ascending numbers, in their order."""
    numbers = value if isinstance(value, list) and all(map(plain.is_whole, value)) else []
    return bool(numbers) and numbers == [each for each in of if each in numbers]
