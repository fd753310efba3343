"""A search space from the plain form of its fields, with a check of every one."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any, TypeGuard

from bignas_tf import errors
from bignas_tf.search_space.space import PADDINGS, SearchSpace, Stage

# Far above what any network has; beyond them codes, tensors and counts would overflow.
_MOST = {
    "stem_widths": 1 << 14,
    "head_widths": 1 << 14,
    "widths": 1 << 14,
    "depths": 100,
    "kernels": 99,
    "expands": 64,
    "train_resolutions": 1 << 13,
    "eval_resolutions": 1 << 13,
    "base_resolution": 1 << 13,
}
_MOST_STAGES = 100
_MOST_NAME = 100  # characters; messages and files have it


def from_dict(value: object, source: str = "search space") -> SearchSpace:
    """Builds a space from the plain form of its fields, as YAML gives them.

    The fields are those of `SearchSpace` and `Stage`. What a stage leaves out is not off: its
    `expands` are then [6], its `stride` 1 and its `se_ratio` 0.25. A stage without
    squeeze-and-excite says `se_ratio: 0`.

    Args:
      value: a mapping; `stages` is a list of mappings.
      source: what to call it in messages.

    Raises:
      UsageError: a key is missing or unknown, or a value is not allowed.
    """
    fields = _fields(SearchSpace, value, source)
    stages = fields["stages"]
    if not isinstance(stages, list) or not 1 <= len(stages) <= _MOST_STAGES:
        raise errors.UsageError(f"{source}: 'stages' must be a list of 1 to {_MOST_STAGES} stages")
    fields["stages"] = tuple(
        Stage(**_fields(Stage, stage, f"{source}: stages[{index}]"))
        for index, stage in enumerate(stages)
    )
    space = SearchSpace(**fields)
    _check_space(space, source)
    return space


def _fields(cls: type, value: object, source: str) -> dict[str, Any]:
    """Checks the keys of `value` against a dataclass and makes its lists tuples."""
    if not isinstance(value, dict):
        raise errors.UsageError(f"{source} must be a mapping; got {type(value).__name__}")
    declared = {field.name: field for field in dataclasses.fields(cls)}
    for key in value:
        if key not in declared:
            given = errors.shown(key)
            near = difflib.get_close_matches(given, declared, 1, 0.0)[0]
            raise errors.UsageError(f"{source}: unknown key {given}; nearest is {near!r}")
    for name, field in declared.items():
        if name not in value and field.default is dataclasses.MISSING:
            raise errors.UsageError(f"{source}: missing key {name!r}")
    return {name: _choices(source, name, item) for name, item in value.items()}


def _choices(source: str, name: str, value: object) -> Any:
    if name == "stages":
        return value
    given = f"{source}: {name} is {errors.shown(value)}"
    if name == "name":
        if not isinstance(value, str) or not 1 <= len(value) <= _MOST_NAME:
            raise errors.UsageError(f"{given}; it takes text of up to {_MOST_NAME} characters")
        return value
    if name == "padding":
        if value not in PADDINGS:
            raise errors.UsageError(f"{given}; choose from {PADDINGS}")
        return value
    if name == "se_ratio":
        if not _is_ratio(value):
            raise errors.UsageError(
                f"{given}; it is 0, or 1/n such as 0.25, for a whole n up to {_MOST['widths']}"
            )
        return float(value)
    items = value if isinstance(value, list) else [value]
    whole = all(isinstance(item, int) and not isinstance(item, bool) for item in items)
    if not items or not whole or min(items) < 1:
        raise errors.UsageError(f"{given}; it takes positive integers")
    if name in _MOST and max(items) > _MOST[name]:
        raise errors.UsageError(f"{given}; {_MOST[name]} is the most that is allowed")
    if not isinstance(value, list):
        return value
    if sorted(set(items)) != items:
        raise errors.UsageError(f"{given}; list each choice once, ascending")
    return tuple(items)


def _is_ratio(value: object) -> TypeGuard[float]:
    """Whether a value is 0 or one over a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if value == 0:
        return True
    # Written so that NaN fails, and before a division that could overflow.
    return 1 / _MOST["widths"] <= value <= 1 and 1 / value == round(1 / value)


def _check_space(space: SearchSpace, source: str) -> None:
    """Checks what no single field can know."""
    lists = ("stem_widths", "head_widths", "train_resolutions", "eval_resolutions")
    _require_tuples(space, lists, source)
    if isinstance(space.base_resolution, tuple):
        raise errors.UsageError(f"{source}: base_resolution must be one integer")
    if not set(space.train_resolutions) <= set(space.eval_resolutions):
        raise errors.UsageError(f"{source}: eval_resolutions must include the training ones")
    _check_stride(f"{source}: stem_stride", space.stem_stride)
    narrowest = min(space.stem_widths)
    for index, stage in enumerate(space.stages):
        where = f"{source}: stages[{index}]"
        _require_tuples(stage, ("widths", "depths", "kernels", "expands"), where)
        _check_stride(f"{where}: stride", stage.stride)
        if any(kernel % 2 == 0 for kernel in stage.kernels):
            raise errors.UsageError(f"{where}: kernels are {stage.kernels}; only odd ones")
        narrowest_input = min(narrowest, *stage.widths) if stage.max_depth > 1 else narrowest
        if stage.se_ratio and narrowest_input * stage.se_ratio < 1:
            raise errors.UsageError(
                f"{where}: se_ratio {stage.se_ratio} of {narrowest_input} channels leaves no "
                "squeeze-and-excite units"
            )
        narrowest = min(stage.widths)


def _require_tuples(holder: SearchSpace | Stage, names: tuple[str, ...], source: str) -> None:
    for name in names:
        if not isinstance(getattr(holder, name), tuple):
            raise errors.UsageError(f"{source}: {name} must be a list")


def _check_stride(where: str, stride: int) -> None:
    if stride not in (1, 2):
        raise errors.UsageError(f"{where} is {errors.shown(stride)}; choose 1 or 2")
