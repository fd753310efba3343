"""An append-only record of finished candidates, so that no kill costs more than one."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import Any

from bignas_tf import errors, files
from bignas_tf.search_space.architecture import Architecture


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A child that was calibrated and scored.

    Attributes:
      architecture: its choices.
      macs: multiply-adds of one image.
      params: parameters, as Keras counts them.
      ranking_top1: fraction right on the ranking split.
      phase: "coarse" or "fine".
    """

    architecture: Architecture
    macs: int
    params: int
    ranking_top1: float
    phase: str

    def to_json(self) -> dict[str, Any]:
        """Plain form; `from_json` reads it back."""
        return dataclasses.asdict(self) | {"architecture": self.architecture.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Candidate:
        """Reads `to_json`'s form."""
        return cls(**value | {"architecture": Architecture.from_json(value["architecture"])})


class Journal:
    """Candidates by architecture, kept in a JSON-lines file whose first line is `settings`.

    A torn last line, the mark of a kill, is dropped.

    Raises:
      UsageError: the file is damaged, or belongs to a search with other settings.
    """

    def __init__(self, path: str | os.PathLike[str], settings: dict[str, Any]) -> None:
        self._path = pathlib.Path(path)
        self._candidates: dict[Architecture, Candidate] = {}
        head = json.dumps(settings, sort_keys=True)
        if self._path.exists():
            self._load(head)
        else:
            files.write_text(self._path, head + "\n")

    def _load(self, head: str) -> None:
        text = self._path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        first, *lines = whole.splitlines() or [""]
        if first != head:
            raise errors.UsageError(
                f"{self._path} belongs to a search with other settings or another checkpoint; "
                "choose another --output_dir, or delete it to start anew"
            )
        if whole != text:
            files.write_text(self._path, whole)
        for number, line in enumerate(lines, 2):
            try:
                candidate = Candidate.from_json(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise errors.UsageError(
                    f"{self._path}, line {number} is damaged; delete the file to start anew"
                ) from error
            self._candidates[candidate.architecture] = candidate

    def get(self, architecture: Architecture) -> Candidate | None:
        """The finished candidate, if there is one."""
        return self._candidates.get(architecture)

    def add(self, candidate: Candidate) -> None:
        """Records a candidate at once, on disk too."""
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(candidate.to_json(), sort_keys=True) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._candidates[candidate.architecture] = candidate
