"""Which classes a child takes for which."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Iterator, Sequence

import numpy as np

from bignas_tf import files
from bignas_tf.accuracy import Accuracy

_WORST = 10  # classes that are shown


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How many images of each class a child took for which.

    Attributes:
      names: of the classes, in their order.
      counts: int64 [classes, classes]; a row for each true class, a column for each answer.
    """

    names: Sequence[str]
    counts: np.ndarray

    @property
    def accuracy(self) -> Accuracy:
        """Of all images."""
        images = int(self.counts.sum())
        return Accuracy(int(self.counts.trace()) / images, images)

    def by_class(self) -> dict[int, Accuracy]:
        """Of the images of each class that has some, by its number."""
        hits, totals = self.counts.diagonal().tolist(), self.counts.sum(1).tolist()
        rows = enumerate(zip(hits, totals, strict=True))
        return {
            number: Accuracy(right / images, images) for number, (right, images) in rows if images
        }

    def lines(self) -> Iterator[str]:
        """The classes that are recognised least, for people, and what they are taken for."""
        worst = sorted(self.by_class().items(), key=lambda each: each[1].top1)
        for number, found in worst[:_WORST]:
            wrong = self.counts[number].copy()
            wrong[number] = 0
            most, other = int(wrong.max()), self.names[int(wrong.argmax())]
            taken = f"; {most:,} taken for {other}" if most else ""
            yield f"{self.names[number]}: {found} of {found.images:,} images{taken}"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a table as CSV: in each row the true class, then how often each was answered.

        Raises:
          UsageError: it cannot be written.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["", *self.names])
        table.writerows(
            [name, *row] for name, row in zip(self.names, self.counts.tolist(), strict=True)
        )
        files.write_text(path, text.getvalue())
