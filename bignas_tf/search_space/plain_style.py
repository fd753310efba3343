"""A style from the plain form of its fields, with a check of every one."""

from __future__ import annotations

from typing import Any

from bignas_tf import errors, plain
from bignas_tf.search_space import style
from bignas_tf.search_space.keys import check_keys
from bignas_tf.search_space.style import SqueezeExcite, Style

_NAMED = {
    "skips": style.SKIPS,
    "head": style.HEADS,
    "kernels": style.KERNELS,
    "stem_activation": style.ACTIVATIONS,
    "head_activation": style.ACTIVATIONS,
    "of": style.SE_BASES,
    "activation": style.ACTIVATIONS,
    "gate": style.GATES,
}
_MOST_EPSILON = 1.0
_MOST_DIVISOR = 64
_MOST_CHANNELS = 16
_MOST_PIXEL = 255.0


def from_dict(value: object, source: str) -> Style:
    """Builds a style from a mapping; fields that are left out are the paper's.

    Raises:
      UsageError: a key is unknown, or a value is not allowed.
    """
    made: Style = _made(Style, value, source)
    if len(made.pixel_mean) != len(made.pixel_deviation):
        raise errors.UsageError(
            f"{source}: pixel_mean has {len(made.pixel_mean)} channels, pixel_deviation "
            f"{len(made.pixel_deviation)}; give both as many, or neither"
        )
    return made


def _made(cls: type, value: object, source: str) -> Any:
    """A style, or a part of one, of the fields in a mapping."""
    fields = check_keys(cls, value, source)
    return cls(**{name: _field(source, name, item) for name, item in fields.items()})


def _field(source: str, name: str, value: Any) -> Any:
    if name == "squeeze_excite":
        return _made(SqueezeExcite, value, f"{source}: squeeze_excite")
    if name in _NAMED:
        errors.require_one_of(f"{source}: {name}", value, _NAMED[name])
        return value
    given = f"{source}: {name} is {errors.shown(value)}"
    if name == "divisor":
        if not plain.is_whole(value, 1, _MOST_DIVISOR):
            raise errors.UsageError(f"{given}; it takes 1 to {_MOST_DIVISOR}")
        return value
    if name == "epsilon":
        # NaN fails every comparison.
        if not plain.is_number(value) or not 0 < value <= _MOST_EPSILON:
            raise errors.UsageError(f"{given}; it takes a number above 0, up to {_MOST_EPSILON}")
        return float(value)
    return _pixels(given, name, value)


def _pixels(given: str, name: str, value: Any) -> tuple[float, ...]:
    """A value for each channel, from 0 to 255; a deviation is above 0."""
    numbers = isinstance(value, list) and all(map(plain.is_number, value))
    if not numbers or len(value) > _MOST_CHANNELS:
        raise errors.UsageError(f"{given}; it takes a list of numbers, one a channel")
    positive = name == "pixel_deviation"
    if not all(0 <= each <= _MOST_PIXEL and (each or not positive) for each in value):
        least = "above 0" if positive else "0 or more"
        raise errors.UsageError(f"{given}; each is {least} and at most {_MOST_PIXEL:.0f}")
    return tuple(map(float, value))
