"""A judgement as types, and its file: judgement.json."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bignas_tf import errors, files
from bignas_tf.accuracy import Accuracy
from bignas_tf.plain import Value
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.provenance import ImageSet, Source

FILE = "judgement.json"
_TOOL = "tools.judge"

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class JudgedChild:
    """A child at every resolution.

    Attributes:
      name: such as "smallest" or "random 1".
      architecture: its choices, with its own resolution.
      macs: multiply-adds by resolution.
      accuracies: by resolution.
    """

    name: str
    architecture: Architecture
    macs: Mapping[int, int]
    accuracies: Mapping[int, Accuracy]

    def to_json(self) -> dict[str, Any]:
        """Plain form without the number of images; `from_json` reads it back."""
        return {
            "name": self.name,
            "architecture": self.architecture.to_json(),
            "macs": _texts(self.macs),
            "top1": {str(side): accuracy.top1 for side, accuracy in self.accuracies.items()},
        }

    @classmethod
    def from_json(cls, value: object, resolutions: tuple[int, ...], images: int) -> JudgedChild:
        """Reads `to_json`'s form.

        Args:
          value: plain.
          resolutions: at which the child must have been judged.
          images: how many it was scored on.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        top1 = _by_resolution(value["top1"], resolutions, Value.fraction)
        return cls(
            name=value["name"].text(),
            architecture=value["architecture"].parsed(Architecture.from_json),
            macs=_by_resolution(value["macs"], resolutions, Value.count),
            accuracies={side: Accuracy(each, images) for side, each in top1.items()},
        )


@dataclasses.dataclass(frozen=True)
class Summary:
    """A few figures that tell how good a supernet is; accuracies are fractions.

    Attributes:
      random_mean: top-1 of the random children, mean of all resolutions.
      random_mean_by_resolution: the same at each.
      largest_trained: the largest resolution of training.
      random_mean_to_largest_trained: mean of the resolutions up to that.
      worst_resolution: where random children are least accurate.
      worst_mean: their mean there.
      front_distance: how far points are below the front, mean; see `findings.front_distances`.
      front_distance_by_resolution: the same at each.
      standard_error: of a single accuracy that equals `random_mean`.
    """

    random_mean: float
    random_mean_by_resolution: Mapping[int, float]
    largest_trained: int
    random_mean_to_largest_trained: float
    worst_resolution: int
    worst_mean: float
    front_distance: float
    front_distance_by_resolution: Mapping[int, float]
    standard_error: float

    def to_json(self) -> dict[str, Any]:
        """Plain form; `from_json` reads it back."""
        return {
            name: _texts(value) if isinstance(value, dict) else value
            for name, value in dataclasses.asdict(self).items()
        }

    @classmethod
    def from_json(cls, value: object, resolutions: tuple[int, ...]) -> Summary:
        """Reads `to_json`'s form.

        Args:
          value: plain.
          resolutions: of the judgement.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        means, distances = "random_mean_by_resolution", "front_distance_by_resolution"
        return cls(
            random_mean=value["random_mean"].fraction(),
            random_mean_by_resolution=_by_resolution(value[means], resolutions, Value.fraction),
            largest_trained=value["largest_trained"].count(1),
            random_mean_to_largest_trained=value["random_mean_to_largest_trained"].fraction(),
            worst_resolution=value["worst_resolution"].count(1),
            worst_mean=value["worst_mean"].fraction(),
            front_distance=value["front_distance"].fraction(),
            front_distance_by_resolution=_by_resolution(
                value[distances], resolutions, Value.fraction
            ),
            standard_error=value["standard_error"].fraction(),
        )


@dataclasses.dataclass(frozen=True)
class Judgement:
    """How good a supernet is.

    Attributes:
      source: its weights.
      scored_on: the images.
      random_children: how many were drawn.
      seed: they were drawn with.
      resolutions: input sides in pixels, ascending.
      children: the smallest, the random ones, the biggest.
      summary: a few figures.
      warnings: problems, in plain words.
    """

    source: Source
    scored_on: ImageSet
    random_children: int
    seed: int
    resolutions: tuple[int, ...]
    children: tuple[JudgedChild, ...]
    summary: Summary
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain form; `from_json` reads it back."""
        return {
            "settings": {
                "source": self.source.to_json(),
                **self.scored_on.to_json(),
                "random_children": self.random_children,
                "seed": self.seed,
            },
            "resolutions": list(self.resolutions),
            "children": [child.to_json() for child in self.children],
            "summary": self.summary.to_json(),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, value: object) -> Judgement:
        """Reads `to_json`'s form.

        Raises:
          UsageError: it is something else, or no child was judged.
        """
        value = Value.of(value)
        settings, scored_on = value["settings"], ImageSet.from_json(value["settings"])
        sides = tuple(each.count(1) for each in value["resolutions"].elements())
        children = tuple(
            JudgedChild.from_json(each, sides, scored_on.images)
            for each in value["children"].elements()
        )
        for name, judged in (("resolutions", sides), ("children", children)):
            if not judged:
                raise value[name].wrong("it takes one or more")
        return cls(
            source=Source.from_json(settings["source"]),
            scored_on=scored_on,
            random_children=settings["random_children"].count(),
            seed=settings["seed"].count(),
            resolutions=sides,
            children=children,
            summary=Summary.from_json(value["summary"], sides),
            warnings=tuple(value["warnings"].texts()),
        )


def _texts(values: Mapping[int, Any]) -> dict[str, Any]:
    """Values by resolutions as text, which JSON's keys are."""
    return {str(side): value for side, value in values.items()}


def _by_resolution(
    value: Value, resolutions: tuple[int, ...], read: Callable[[Value], T]
) -> dict[int, T]:
    return {side: read(value[str(side)]) for side in resolutions}


def write(path: str | os.PathLike[str], judgement: Judgement) -> None:
    """Writes a judgement's file."""
    files.write_json(path, judgement.to_json())


def read(path: str | os.PathLike[str], space: SearchSpace) -> Judgement:
    """Reads what `write` wrote.

    Args:
      path: of the file.
      space: that its children must belong to at every resolution.

    Raises:
      UsageError: it is missing, damaged or something else, or of another space.
    """
    with files.reading(path, _TOOL) as content:
        judgement = Judgement.from_json(content)
        for child in judgement.children:
            for side in judgement.resolutions:
                try:
                    space.validate(space.with_resolution(child.architecture, side))
                except errors.UsageError as error:
                    raise errors.UsageError(f"child {child.name!r}, {side} px: {error}") from error
    return judgement
