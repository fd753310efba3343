"""Results of a campaign's finished units, appended as they finish: a kill loses at most one."""

from __future__ import annotations

import hashlib
import json
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from bignas_tf.selection import line_files


class Entry(NamedTuple):
    """What a unit gave.

    Attributes:
      result: plain data.
      seconds: it took, without what an earlier, interrupted attempt had done.
    """

    result: Any
    seconds: float


def digest(value: Any) -> str:
    """A short name of plain data, equal for equal data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


class Journal:
    """A JSON-lines file of entries by their keys, whose first line is `origin`.

    A torn last line, the mark of a kill, is cut off. While the journal is open no other
    process can open it, so that two campaigns never share a folder.

    Args:
      path: of the file; created if it is missing.
      origin: everything that all results depend on, as plain data.

    Raises:
      UsageError: another process has it open, it is damaged, or it has another origin.
    """

    def __init__(self, path: pathlib.Path, origin: Mapping[str, Any]) -> None:
        self._entries: dict[str, Entry] = {}
        self._file = line_files.LocalLines(path, "a campaign", "--work_dir")
        other = (
            "belongs to a campaign with another configuration, length or code; choose another "
            "--work_dir, or delete it"
        )
        head = json.dumps({"origin": origin}, sort_keys=True)
        line_files.take_up(self._file, path, head, other, self._take)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def get(self, key: Mapping[str, Any]) -> Entry | None:
        """The entry of a unit, or None if it has not finished."""
        return self._entries.get(_canonical(key))

    def add(self, key: Mapping[str, Any], entry: Entry) -> None:
        """Records a finished unit, on disk when this returns."""
        self._file.append(json.dumps({"key": dict(key), **entry._asdict()}, allow_nan=False))
        self._entries[_canonical(key)] = entry

    def once(self, key: Mapping[str, Any], do: Callable[..., Any], *arguments: Any) -> Entry:
        """The entry of a unit, which is done first if it has not been."""
        entry = self.get(key)
        if entry is None:
            began = time.monotonic()
            entry = Entry(do(*arguments), round(time.monotonic() - began, 1))
            self.add(key, entry)
        return entry

    def _take(self, line: str) -> None:
        value = json.loads(line)
        self._entries[_canonical(value["key"])] = Entry(value["result"], float(value["seconds"]))


def _canonical(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
