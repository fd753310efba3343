"""Latency looked up: the milliseconds of a child as a sum over its parts.

A table is a JSON file that says how long each part takes on some device; docs/searching.md
describes the format. `tools.latency_table` measures one on this machine, and you can write one
from other measurements. Whether sums predict the latency of whole children is for its author to
check.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from bignas_tf import commands, errors, files, plain
from bignas_tf.search_space import blocks, presets, style
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.parts import BlockPart, Head, ModelSpace, Part, Stem
from bignas_tf.search_space.space import SearchSpace

FORMAT, UNIT = 3, "ms"
_KINDS: dict[str, type[Part]] = {"stem": Stem, "block": BlockPart, "head": Head}
_KEYS = ["format", "unit", "device", "overhead_ms", "entries"]
_MAY_BE_ZERO = ("se_width", "mix_width")
_THREADS = re.compile(r", ([2-9]|[1-9][0-9]+) threads;")  # of a device, as we write it
_CHOICES = {
    "skip": blocks.SKIPS,
    "activation": style.ACTIVATIONS,
    "se_activation": style.ACTIVATIONS,
    "se_gate": style.GATES,
}


@dataclasses.dataclass(frozen=True)
class LatencyTable:
    """How long the parts of children take.

    Attributes:
      path: of its file.
      device: what was timed, on what; for people.
      overhead_ms: of a call, whatever the child.
      times: milliseconds of each part.
    """

    path: str
    device: str
    overhead_ms: float
    times: dict[Part, float]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LatencyTable:
        """Reads a table.

        Raises:
          UsageError: it cannot be read, or the entry that the message names is wrong.
        """
        name = os.fspath(path)
        value = files.read_json(path)
        if not isinstance(value, dict) or sorted(value) != sorted(_KEYS):
            given = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise errors.UsageError(
                f"{name}: a latency table has the keys {_KEYS}; got {errors.cut(str(given), 200)}"
            )
        if (value["format"], value["unit"]) != (FORMAT, UNIT):
            given = f"{errors.shown(value['format'])} and {errors.shown(value['unit'])}"
            raise errors.UsageError(
                f"{name}: format and unit are {given}; this version reads {FORMAT} and {UNIT!r}"
            )
        overhead = value["overhead_ms"]
        # A table whose author has put the call's time elsewhere says 0.
        if not _is_time(overhead) and (isinstance(overhead, bool) or overhead != 0):
            given = errors.shown(overhead)
            raise errors.UsageError(f"{name}: overhead_ms is {given}; it is 0 or more")
        for key, kind in (("device", str), ("entries", list)):
            if not isinstance(value[key], kind):
                raise errors.UsageError(f"{name}: {key} is not a {kind.__name__}")
        return cls(name, value["device"], float(overhead), _times(name, value["entries"]))

    def save(self) -> None:
        """Writes the table to its path.

        Raises:
          UsageError: it cannot be written.
        """
        entries = [_plain(part) | {"ms": time} for part, time in self.times.items()]
        value = {
            "format": FORMAT,
            "unit": UNIT,
            "device": self.device,
            "overhead_ms": self.overhead_ms,
            "entries": entries,
        }
        files.write_json(self.path, value)

    def milliseconds(self, models: ModelSpace, architecture: Architecture) -> float:
        """Looks a child up.

        Raises:
          UsageError: an architecture outside the space, or a part that the table lacks.
        """
        parts = models.parts(architecture)
        try:
            return self.overhead_ms + sum(self.times[part] for part in parts)
        except KeyError:
            missing = [part for part in parts if part not in self.times]
            space = models.space.name
            measured = {
                "search_space": space if space in presets.PRESETS else f"<YAML file of {space!r}>",
                "resolutions": str(architecture.resolution),
                "num_classes": str(models.num_classes),
                "input_channels": str(models.input_channels),
            }
            raise self._incomplete(missing, models, measured) from None

    def require(self, models: ModelSpace, searched: SearchSpace, model_dir: str) -> None:
        """Refuses a table that lacks a part of some child, before a search begins.

        Args:
          models: the space.
          searched: the part of it whose children are searched, or all of it.
          model_dir: folder of their run, which can be measured.

        Raises:
          UsageError: it does; the message says how to measure what is missing.
        """
        sides = searched.eval_resolutions
        known = models.all_parts(sides, searched)
        missing = [part for part in known if part not in self.times]
        if missing:
            measured = {"model_dir": model_dir, "resolutions": ",".join(map(str, sides))}
            raise self._incomplete(missing, models, measured)

    def check_images(self, models: ModelSpace, way_out: str) -> None:
        """Refuses a table of other images than children of a space read: their overhead is another.

        Args:
          models: the space.
          way_out: what to do.

        Raises:
          UsageError: it is one.
        """
        size = (models.space.base_resolution, models.input_channels)
        stems = (part for part in self.times if isinstance(part, Stem))
        for side, channels in {(stem.patch_side, stem.in_width) for stem in stems} - {size}:
            raise errors.UsageError(
                f"{self.path} is for patches of {side} px with {channels} channels, and children "
                f"of {models.space.name!r} take {size[0]} px with {size[1]}, whose overhead is "
                f"another; {way_out}"
            )

    def _incomplete(
        self, missing: list[Part], models: ModelSpace, measured: Mapping[str, str]
    ) -> errors.UsageError:
        self.check_images(models, "measure another table for them")
        flags = {**measured, "output": self.path}
        if threads := _THREADS.search(self.device):
            flags["threads"] = threads[1]
        quoted = {flag: shlex.quote(v) if not v.startswith("<") else v for flag, v in flags.items()}
        command = " ".join(f"--{flag}={value}" for flag, value in quoted.items())
        return errors.UsageError(
            f"{self.path} lacks {len(missing)} entries that children of {models.space.name!r} "
            f"need, the first {json.dumps(_plain(missing[0]))}; add them, or measure them on the "
            f"same device with as many threads ({self.device}): "
            f"{commands.spelling('latency_table')} {command}"
        )


def _plain(part: Part) -> dict[str, Any]:
    (kind,) = (kind for kind, cls in _KINDS.items() if cls is type(part))
    told = {
        field.name: getattr(part, field.name)
        for field in dataclasses.fields(part)
        if getattr(part, field.name) != field.default
    }
    return {"part": kind, **told}


def _times(path: str, entries: list[dict[str, Any]]) -> dict[Part, float]:
    times: dict[Part, float] = {}
    for index, entry in enumerate(entries):
        try:
            part = _part(entry)
            errors.require(_is_time(entry["ms"]), "ms", entry["ms"], "a number above 0")
            if part in times:
                raise errors.UsageError(f"{json.dumps(_plain(part))} is listed twice")
        except errors.UsageError as error:
            raise errors.UsageError(f"{path}: entries[{index}]: {error}") from None
        times[part] = float(entry["ms"])
    return times


def _part(entry: Any) -> Part:
    kind: Any = entry.get("part") if isinstance(entry, dict) else None
    errors.require_one_of("part", kind, list(_KINDS))  # a list is not hashable
    fields = {field.name: field for field in dataclasses.fields(_KINDS[kind])}
    needed = [name for name, field in fields.items() if field.default is dataclasses.MISSING]
    given = {name: value for name, value in entry.items() if name not in ("part", "ms")}
    if "ms" not in entry or not set(needed) <= set(given) <= set(fields):
        expected = ["part", *needed, "ms"]
        optional = [name for name in fields if name not in needed]
        raise errors.UsageError(
            f"a {kind} has the keys {expected} and may have {optional}; got "
            f"{errors.shown(list(entry), 200)}"
        )
    for name, value in given.items():
        _check(name, value, str(fields[name].type))
    return _KINDS[kind](**given)


def _check(name: str, value: object, annotation: str) -> None:
    """Checks a value of an entry; a bool is an int to isinstance."""
    least = 0 if name in _MAY_BE_ZERO else 1
    if annotation == "str":
        errors.require_one_of(name, value, _CHOICES[name])
    elif annotation == "bool":
        errors.require(isinstance(value, bool), name, value, "true or false")
    else:
        errors.require(plain.is_whole(value, least), name, value, f"{least} or more")


def _is_time(value: object) -> bool:
    """Whether it is a positive, finite number."""
    return plain.is_number(value) and 0 < value <= sys.float_info.max
