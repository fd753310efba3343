"""Whether files are what the tools write: a report on half of one would mislead."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.candidates import Candidate

_FAILURES = (KeyError, TypeError, ValueError, IndexError, AttributeError)


@contextlib.contextmanager
def written_by(tool: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Whatever fails inside, reading what `path` held, is told of the file.

    Raises:
      UsageError: something failed.
    """
    try:
        yield
    except _FAILURES as error:
        missing = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise errors.UsageError(
            f"{os.fspath(path)} is damaged, or not what {tool} writes: {missing}"
        ) from error


def number(value: Any) -> float:
    """Returns a finite number as it is.

    Raises:
      ValueError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def search(result: Mapping[str, Any], space: SearchSpace) -> None:
    """Checks what `selection.result.read` gave, as far as a report reads it.

    Raises:
      KeyError, TypeError, ValueError, IndexError, AttributeError: it is damaged, or of another
        search space; run this within `written_by`.
    """
    objectives = {
        name: (each["title"], each["unit"]) for name, each in result["objectives"].items()
    }
    scored = [_is_scored(value, space, objectives) for value in result["candidates"]]
    for name in objectives:
        if not all(scored[index] for index in result["fronts"][name]):
            raise ValueError(f"the front of {name} has a candidate that failed")
    for entry in result["selected"]:
        space.validate(Architecture.from_json(entry["architecture"]))
        _costs(entry, objectives)
        for name in entry["budget"]:
            number(entry["budget"][name] if name in objectives else None)
        for split in ("ranking", "reporting"):
            _maybe(entry[f"{split}_top1"])
            _maybe(entry[f"{split}_error"])
    for split in ("ranking", "reporting"):
        number(result[split]["images"])
        str(result[split]["split"])
    for key in ("checkpoint", "step", "index_sha256"):
        str(result["settings"]["source"][key])
    str(result["settings"]["selection"]["strategy"])
    ", ".join(result["warnings"])


def judgement(result: Mapping[str, Any], space: SearchSpace) -> None:
    """Checks what tools.judge wrote, as far as a report reads it.

    Raises:
      KeyError, TypeError, ValueError, AttributeError: it is damaged, or of another search space;
        run this within `written_by`.
    """
    settings, summary = result["settings"], result["summary"]
    if not (result["resolutions"] and result["children"] and number(settings["images"]) > 0):
        raise ValueError("no child was scored")
    for child in result["children"]:
        str.strip(child["name"])
        architecture = Architecture.from_json(child["architecture"])
        for side in result["resolutions"]:
            space.validate(space.with_resolution(architecture, side))
            number(child["macs"][str(side)])
            _fraction(child["top1"][str(side)])
    for name in ("random_mean", "random_mean_to_largest_trained", "worst_mean"):
        _fraction(summary[name])
    for name in ("worst_resolution", "largest_trained", "front_distance", "standard_error"):
        number(summary[name])
    for key in ("checkpoint", "step", "index_sha256"):
        str(settings["source"][key])
    ", ".join([settings["split"], *result["warnings"]])


def _is_scored(value: Any, space: SearchSpace, objectives: Mapping[str, Any]) -> bool:
    """Checks a candidate; returns whether it has an accuracy."""
    candidate = Candidate.from_json(value)
    space.validate(candidate.architecture)
    _maybe(candidate.ranking_top1)
    if candidate.ranking_top1 is None:
        return False
    _costs(value, objectives)
    return True


def _costs(child: Mapping[str, Any], objectives: Mapping[str, Any]) -> None:
    for name in objectives:
        number(child["costs"][name])
    for spread in child["spreads"].values():
        number(spread)


def _fraction(value: Any) -> None:
    if not 0 <= number(value) <= 1:
        raise ValueError(f"{value!r} is not between 0 and 1")


def _maybe(value: Any) -> None:
    if value is not None:
        number(value)
