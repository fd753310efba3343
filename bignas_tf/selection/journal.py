"""The results of a search, appended as they are found: a kill loses at most one."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from typing import Any

from bignas_tf.plain import Value
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import line_files

FILE = "journal.jsonl"
RANKING, REPORTING = ("ranking_top1", "reporting_top1")
_ACCURACY = "_top1"  # how the names of all accuracies end, those of files in other formats, too


@dataclasses.dataclass(frozen=True)
class Record:
    """One figure of one child.

    Attributes:
      what: an objective's name, or the kind of accuracy.
      architecture: of the child.
      value: the figure; None if it failed.
      spread: of repeats, in the same unit; of a file's accuracy the standard error of what it
        loses. None if there is none.
      failure: why it failed; None if it did not.
    """

    what: str
    architecture: Architecture
    value: float | None
    spread: float | None = None
    failure: str | None = None


class MemoryJournal:
    """Records by what they are of, in memory.

    Args:
      lines: of records that are known already, as `lines` gives them.

    Raises:
      ValueError: a line is not a record; `UsageError` is one.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        records = map(_from_line, lines)
        self._records = {(each.what, each.architecture): each for each in records}

    def get(self, what: str, architecture: Architecture) -> Record | None:
        """Returns the record of a child, if there is one."""
        return self._records.get((what, architecture))

    def add(self, record: Record) -> None:
        """Keeps a figure."""
        self._records[record.what, record.architecture] = record

    def lines(self) -> list[str]:
        """All records, a line of JSON each."""
        return [_to_line(record) for record in self._records.values()]


class Journal(MemoryJournal):
    """Records in a JSON-lines file whose first line is `origin`.

    An incomplete last line, left by a kill, is cut off. While the journal is open no other
    process can open it; in a bucket, which has no locks, the one that opened it last continues.

    Args:
      path: the file, which may be remote; created if missing.
      origin: all that the figures depend on besides the child, plain.

    Raises:
      UsageError: another process has it open, it is damaged, or of another origin.
    """

    def __init__(self, path: str | os.PathLike[str], origin: dict[str, Any]) -> None:
        super().__init__()
        self._file = line_files.opened(path)
        other = (
            "belongs to a search of another checkpoint, or with other splits, images or "
            "measurements; choose another output_dir, or delete it"
        )
        head = json.dumps(origin, sort_keys=True)
        line_files.take_up(
            self._file, path, head, other, lambda line: super(Journal, self).add(_from_line(line))
        )

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def add(self, record: Record) -> None:
        """Records a figure; it outlives a kill from then on.

        Raises:
          RunError: there is no room; the next search cuts off what was begun. Or another search
            has opened the journal, in a bucket.
        """
        self._file.append(_to_line(record))
        super().add(record)


def _to_line(record: Record) -> str:
    plain = dataclasses.asdict(record) | {"architecture": record.architecture.to_json()}
    return json.dumps(plain, sort_keys=True, allow_nan=False)


def _from_line(line: str) -> Record:
    value = Value(json.loads(line))
    what = value["what"].text()
    record = Record(
        what=what,
        architecture=value["architecture"].parsed(Architecture.from_json),
        value=value["value"].optional(Value.fraction if what.endswith(_ACCURACY) else _cost),
        spread=value["spread"].optional(_cost),
        failure=value["failure"].optional(Value.text),
    )
    if (record.value is None) == (record.failure is None):
        raise value.wrong("it takes a value or a failure")
    return record


def _cost(value: Value) -> float:
    return value.number(0)
