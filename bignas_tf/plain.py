"""Values of a JSON file, read with checks that say where the file is wrong."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

from bignas_tf import errors

T = TypeVar("T")
ABSENT = "not set"


def is_whole(value: object, least: float = -math.inf, most: float = math.inf) -> TypeGuard[int]:
    """Whether it is a whole number from `least` to `most`; a bool does not count."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number; a bool does not count, NaN does."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(name: str, value: float, above: float = -math.inf) -> float:
    """A finite number as Python's; NumPy's are taken, too.

    Args:
      name: of the argument.
      value: that was given.
      above: what it must exceed.

    Raises:
      UsageError: it is something else.
    """
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool) and above < value
    takes = "a number" if math.isinf(above) else f"a number above {above:g}"
    errors.require(fits and _is_finite(value), name, value, takes)
    return float(value)


def whole(name: str, value: int, least: int, most: int | None = None) -> int:
    """A whole number as Python's; NumPy's, which fit into no JSON, are taken, too.

    Args:
      name: of the argument.
      value: that was given.
      least: that it may be.
      most: that it may be, if there is a bound.

    Raises:
      UsageError: names the argument, its value and what is allowed.
    """
    fits = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    fits = fits and least <= value and (most is None or value <= most)
    allowed = f"{least}" if most is None else f"{least} to {most}"
    errors.require(fits, name, value, f"a whole number from {allowed}")
    return int(value)


def changes(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two objects, by dotted names such as "task.seed".

    Returns:
      What each was, and what it is now; "not set" where one of them has no such value.
    """
    was, new = dict(_leaves(before, "")), dict(_leaves(now, ""))
    pairs = {name: (was.get(name, ABSENT), new.get(name, ABSENT)) for name in new | was}
    return {name: (old, value) for name, (old, value) in pairs.items() if old != value}


def told(changes: Mapping[str, tuple[object, object]]) -> list[str]:
    """What `changes` found, such as "task.seed was 1, is now 2"."""

    def shown(value: object) -> str:
        return ABSENT if value is ABSENT else errors.shown(value)

    return [f"{name} was {shown(was)}, is now {shown(now)}" for name, (was, now) in changes.items()]


def _leaves(group: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in group.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class Value:
    """A value and its place in the file, such as "selected[0].costs".

    Every method but `of` raises `UsageError` if the value is something else than it reads; the
    message has the place, the value and what is allowed.

    Args:
      content: as `json` gives it.
      place: in the file; "" is the whole of it.
    """

    def __init__(self, content: object, place: str = "") -> None:
        self.content = content
        self._place = place

    @classmethod
    def of(cls, content: object) -> Value:
        """A value; one that has its place keeps it."""
        return content if isinstance(content, Value) else cls(content)

    def __getitem__(self, name: str) -> Value:
        """A field of an object."""
        fields = self.fields()
        if name not in fields:
            raise errors.UsageError(
                f"{self._place} has no {name!r}" if self._place else f"no {name!r}"
            )
        return fields[name]

    def fields(self) -> dict[str, Value]:
        """The fields of an object, by their names."""
        if not isinstance(self.content, dict):
            raise self.wrong("it takes an object")
        prefix = f"{self._place}." if self._place else ""
        return {name: Value(each, f"{prefix}{name}") for name, each in self.content.items()}

    def added(self, name: str, read: Callable[[Value], T], absent: T) -> T:
        """What `read` makes of a field that not every file has."""
        return read(self[name]) if name in self.fields() else absent

    def elements(self) -> list[Value]:
        """The elements of a list."""
        if not isinstance(self.content, list | tuple):
            raise self.wrong("it takes a list")
        return [Value(each, f"{self._place}[{index}]") for index, each in enumerate(self.content)]

    def text(self) -> str:
        """Text that can be printed and stored."""
        if not isinstance(self.content, str):
            raise self.wrong("it takes text")
        try:
            self.content.encode()
        except UnicodeEncodeError:
            raise self.wrong("it takes valid Unicode (no lone surrogates)") from None
        return self.content

    def texts(self) -> list[str]:
        """A list of texts."""
        return [each.text() for each in self.elements()]

    def one_of(self, choices: Sequence[str]) -> str:
        """One of these texts."""
        if self.content not in choices:
            raise self.wrong(f"choose from {list(choices)}")
        return self.text()

    def number(self, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number from `least` to `most`; whole ones stay integers."""
        value = self.content
        if not is_number(value) or not _is_finite(value):
            raise self.wrong("it takes a number")
        if not least <= value <= most:
            raise self.wrong(
                f"it takes {least:.12g} to {most:.12g}"
                if most < math.inf
                else f"it takes {least:g} or more"
            )
        return value

    def positive(self) -> float:
        """A finite number above 0, such as a cost."""
        value = self.number()
        if value <= 0:
            raise self.wrong("it takes a number above 0")
        return value

    def fraction(self) -> float:
        """A number from 0 to 1."""
        return self.number(0, 1)

    def count(self, least: int = 0, most: float = math.inf) -> int:
        """A whole number from `least` to `most`."""
        if not is_whole(self.content):
            raise self.wrong("it takes a whole number")
        self.number(least, most)
        return self.content

    def setting(self) -> object:
        """A value of a configuration: text, a number, true or false, null, or a list of texts."""
        if self.content is None or isinstance(self.content, bool):
            return self.content
        if isinstance(self.content, int | float):
            return self.number()
        if isinstance(self.content, list | tuple):
            return self.texts()
        return self.text()

    def settings(self) -> dict[str, object]:
        """Fields of a configuration, each a `setting`."""
        return {name: each.setting() for name, each in self.fields().items()}

    def optional(self, read: Callable[[Value], T]) -> T | None:
        """What `read` makes of the value; None if that is null."""
        return None if self.content is None else read(self)

    def parsed(self, read: Callable[[object], T]) -> T:
        """What `read` makes of the plain content; its errors get the place.

        Args:
          read: such as `Architecture.from_json`, which raises `UsageError`.
        """
        try:
            return read(self.content)
        except errors.UsageError as error:
            raise errors.UsageError(
                f"{self._place}: {error}" if self._place else str(error)
            ) from error

    def wrong(self, allowed: str) -> errors.UsageError:
        """The error to raise, such as "ranking.images is 0; it takes 1 or more"."""
        place = self._place or "the file"
        return errors.UsageError(f"{place} is {errors.shown(self.content)}; {allowed}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False
