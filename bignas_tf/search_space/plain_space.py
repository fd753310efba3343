"""A search space from the plain form of its fields, with a check of every one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeGuard

from bignas_tf import errors, plain
from bignas_tf.search_space import plain_style, style
from bignas_tf.search_space.architecture import MOST_CHANNELS, PER_LAYER, Stage
from bignas_tf.search_space.keys import check_keys
from bignas_tf.search_space.space import PADDINGS, SearchSpace

_NAMED = {"padding": PADDINGS, "activation": style.ACTIVATIONS}
_MOST_STAGES = 100
_MOST_NAME = 100  # characters; messages and files have it


def from_dict(value: object, source: str = "search space") -> SearchSpace:
    """Builds a space from the plain form of its fields, as YAML gives them.

    The fields are those of `SearchSpace` and `Stage`. What a stage leaves out is not off: its
    `expands` are then [6], its `stride` 1, its `se_ratio` 0.25 and its `activation` "swish". A
    stage without squeeze-and-excite says `se_ratio: 0`.

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
    keys = check_keys(cls, value, source)
    most = {field.name: field.metadata.get("most") for field in dataclasses.fields(cls)}
    return {name: _field(source, name, item, most[name]) for name, item in keys.items()}


def _field(source: str, name: str, value: object, most: int | None) -> Any:
    if name == "stages":
        return value
    if name == "style":
        return plain_style.from_dict(value, f"{source}: style")
    if name in _NAMED:
        errors.require_one_of(f"{source}: {name}", value, _NAMED[name])
        return value
    given = f"{source}: {name} is {errors.shown(value)}"
    if name in _READERS:
        return _READERS[name](given, value)
    return _integers(given, value, most)


def _name(given: str, value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _MOST_NAME:
        raise errors.UsageError(f"{given}; it takes text of up to {_MOST_NAME} characters")
    return value


def _tied(given: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise errors.UsageError(f"{given}; it takes true or false")
    return value


def _ratio(given: str, value: object) -> float:
    if not _is_ratio(value):
        raise errors.UsageError(
            f"{given}; it is 0, or 1/n such as 0.25, for a whole n up to {MOST_CHANNELS}"
        )
    return float(value)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "name": _name,
    "tied": _tied,
    "se_ratio": _ratio,
}


def _integers(given: str, value: object, most: int | None) -> Any:
    """One positive integer, or several choices of one."""
    items = value if isinstance(value, list) else [value]
    if not items or not all(plain.is_whole(item, 1) for item in items):
        raise errors.UsageError(f"{given}; it takes positive integers")
    if most is not None and max(items) > most:
        raise errors.UsageError(f"{given}; {most} is the most that is allowed")
    if not isinstance(value, list):
        return value
    if sorted(set(items)) != items:
        raise errors.UsageError(f"{given}; list each choice once, ascending")
    return tuple(items)


def _is_ratio(value: object) -> TypeGuard[float]:
    """Whether a value is 0 or one over a whole number."""
    if not plain.is_number(value):
        return False
    if value == 0:
        return True
    # Written so that NaN fails, and before a division that could overflow.
    return 1 / MOST_CHANNELS <= value <= 1 and 1 / value == round(1 / value)


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
        _require_tuples(stage, ("depths", *PER_LAYER), where)
        _check_stride(f"{where}: stride", stage.stride)
        if any(kernel % 2 == 0 for kernel in stage.kernels):
            raise errors.UsageError(f"{where}: kernels are {stage.kernels}; only odd ones")
        if space.padding == "same":
            _check_centres(stage, where)
        narrowest_input = min(narrowest, *stage.widths) if stage.max_depth > 1 else narrowest
        _check_units(space.style.squeeze_excite.of, stage, narrowest_input, where)
        narrowest = min(stage.widths)


def _check_centres(stage: Stage, where: str) -> None:
    """Refuses a kernel of 1 whose centres are not those of the larger ones.

    At stride 2, SAME would pad an even side by -1 for it; it pads by 0 and sees other pixels.
    """
    if stage.stride > 1 and stage.kernels[0] == 1 < len(stage.kernels):
        raise errors.UsageError(
            f"{where}: kernels are {stage.kernels} at stride {stage.stride}, where 1 would see "
            "other pixels than the centre of a larger one; leave 1 out, or set padding: symmetric"
        )


def _check_units(se_base: str, stage: Stage, narrowest: int, where: str) -> None:
    """Refuses a stage whose narrowest block would have no squeeze-and-excite units."""
    base = narrowest if se_base == "input" else narrowest * min(stage.expands)
    if stage.se_ratio and base * stage.se_ratio < 1:
        raise errors.UsageError(
            f"{where}: se_ratio {stage.se_ratio} of {base} channels leaves no "
            "squeeze-and-excite units"
        )


def _require_tuples(holder: SearchSpace | Stage, names: tuple[str, ...], source: str) -> None:
    for name in names:
        if not isinstance(getattr(holder, name), tuple):
            raise errors.UsageError(f"{source}: {name} must be a list")


def _check_stride(where: str, stride: int) -> None:
    if stride not in (1, 2):
        raise errors.UsageError(f"{where} is {errors.shown(stride)}; choose 1 or 2")
