"""Results of a campaign's finished units, appended as they finish: a kill loses at most one."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from bignas_tf import errors
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
        self._path = path
        self._entries: dict[str, Entry] = {}
        self._file = line_files.LocalLines(path, "a campaign", "--work_dir")
        try:
            self._load(json.dumps({"origin": origin}, sort_keys=True))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def get(self, key: Mapping[str, Any]) -> Entry | None:
        """The entry of a unit, or None if it has not finished."""
        return self._entries.get(_canonical(key))

    def add(self, key: Mapping[str, Any], entry: Entry) -> None:
        """Records a finished unit, on disk when this returns."""
        self._file.append(json.dumps({"key": dict(key), **entry._asdict()}, allow_nan=False))
        self._entries[_canonical(key)] = entry

    def _load(self, head: str) -> None:
        try:
            text = self._file.read()
        except UnicodeDecodeError as error:
            raise self._damaged("it is not text") from error
        ours = line_files.whole_lines(text, head)
        if ours is None:
            raise errors.UsageError(
                f"{self._path} belongs to a campaign with another configuration or length; choose "
                "another --work_dir, or delete this one to start again"
            )
        whole, lines = ours
        for number, line in enumerate(lines, 2):
            try:
                value = json.loads(line)
                entry = Entry(value["result"], float(value["seconds"]))
                self._entries[_canonical(value["key"])] = entry
            except (ValueError, KeyError, TypeError) as error:
                raise self._damaged(f"line {number}") from error
        line_files.continue_after(self._file, whole, head)

    def _damaged(self, where: str) -> errors.UsageError:
        return errors.UsageError(f"{self._path} is damaged ({where}); delete it to start again")


def _canonical(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
