"""A table of true classes by answers."""

from __future__ import annotations

import csv
import pathlib

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.selection.confusion import Confusion

# No image is a bird; every fish is right.
FOUND = Confusion(
    ["cat, tame", "dog", "bird", "fish"],
    np.array([[6, 3, 1, 0], [5, 15, 0, 0], [0, 0, 0, 0], [0, 0, 0, 7]]),
)


def test_accuracies_follow_from_the_counts() -> None:
    assert FOUND.accuracy == Accuracy(28 / 37, 37)
    by_class = {0: Accuracy(0.6, 10), 1: Accuracy(0.75, 20), 3: Accuracy(1.0, 7)}
    assert FOUND.by_class() == by_class


def test_the_worst_classes_come_first_with_what_they_are_taken_for() -> None:
    assert list(FOUND.lines()) == [
        "cat, tame: 60.00 ± 15.49% of 10 images; 3 taken for dog",
        "dog: 75.00 ± 9.68% of 20 images; 5 taken for cat, tame",
        "fish: 100.00 ± 11.88% of 7 images",
    ]


def test_of_many_classes_the_ten_worst_are_shown() -> None:
    counts = np.diag(np.arange(20, 32)) + np.eye(12, k=1, dtype=int)
    shown = [line.partition(":")[0] for line in Confusion([*map(str, range(12))], counts).lines()]
    assert shown == [str(number) for number in range(10)]


def test_the_file_is_the_whole_table(tmp_path: pathlib.Path) -> None:
    FOUND.save(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as stream:
        (_, *names), *rows = csv.reader(stream)
    assert names == [name for name, *_ in rows] == FOUND.names
    assert np.array([row for _, *row in rows], np.int64).tolist() == FOUND.counts.tolist()
    with pytest.raises(errors.UsageError, match=r"table\.csv"):
        FOUND.save(tmp_path / "table.csv" / "in a file")
