"""Keys of a mapping from YAML, against the dataclass that it describes."""

from __future__ import annotations

import dataclasses
from typing import Any

from bignas_tf import errors


def check_keys(cls: type, value: object, source: str) -> dict[str, Any]:
    """Returns `value` if it is a mapping whose keys are fields of `cls`, none missing.

    Args:
      cls: a dataclass; fields with a default may be missing.
      value: from YAML.
      source: what to call it in messages.

    Raises:
      UsageError: it is something else.
    """
    if not isinstance(value, dict):
        raise errors.UsageError(f"{source} must be a mapping; got {type(value).__name__}")
    declared = {field.name: field for field in dataclasses.fields(cls)}
    for key in value:
        if key not in declared:
            hint = errors.did_you_mean(key, declared) or f"; it takes {', '.join(declared)}"
            raise errors.UsageError(f"{source}: unknown key {errors.shown(key)}{hint}")
    for name, field in declared.items():
        if name not in value and field.default is dataclasses.MISSING:
            raise errors.UsageError(f"{source}: missing key {name!r}")
    return value
