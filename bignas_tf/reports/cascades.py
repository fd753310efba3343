"""The exported cascades of a run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence

from bignas_tf import files
from bignas_tf.accuracy import Accuracy
from bignas_tf.exports.versions import CASCADE_FILE
from bignas_tf.plain import Value
from bignas_tf.reports import exports
from bignas_tf.reports.exports import Listed
from bignas_tf.selection.cascades import Cascade
from bignas_tf.selection.objectives import Quantity


@dataclasses.dataclass(frozen=True)
class Scored:
    """What answers images, and what that gave on those that an accuracy is reported on.

    Attributes:
      what: a child's name, or a cascade as tools.export_cascade takes it.
      cost: mean for an image.
      accuracy: of its answers.
      chosen_by: its accuracy on the images that choose a cascade; None if unknown.
    """

    what: str
    cost: float
    accuracy: Accuracy
    chosen_by: Accuracy | None = None


@dataclasses.dataclass(frozen=True)
class ReportedCascade:
    """A version of an exported cascade.

    Attributes:
      name: its folder, below the run's.
      objective: the cost that it saves.
      taken: the cascade that answers.
      shares: of the images that each of its children answers, by name.
      children: each alone.
      front: the cascades that no cheaper one matched on the images that chose.
    """

    name: str
    objective: Quantity
    taken: Scored
    shares: Mapping[str, float]
    children: Sequence[Scored]
    front: Sequence[Scored]


def below(folder: str, listed: Listed) -> Iterator[ReportedCascade]:
    """The cascades below a run's folder.

    Args:
      folder: of the run.
      listed: its files, from `files.below`.

    Raises:
      UsageError: a file of one is damaged.
    """
    for name in exports.graphs(listed, CASCADE_FILE):
        path = os.path.join(folder, name)
        with files.reading(path, "tools.export_cascade") as card:
            yield _read(os.path.dirname(name), card)


def _read(name: str, card: Value) -> ReportedCascade:
    cascade = Cascade.from_json(card["cascade"])
    shares = [each.fraction() for each in card["shares"].elements()]
    if len(shares) != len(cascade.children):
        raise card["shares"].wrong(f"the cascade has {len(cascade.children)} children")
    return ReportedCascade(
        name=name,
        objective=Quantity.from_json(card["objective"]),
        taken=Scored(
            cascade.text, card["mean_cost"].positive(), Accuracy.from_json(card["accuracy"])
        ),
        shares=dict(zip(cascade.children, shares, strict=True)),
        children=[
            Scored(child, value["cost"].positive(), Accuracy.from_json(value["accuracy"]))
            for child, value in card["children"].fields().items()
        ],
        front=[_of_front(each) for each in card["front"].elements()],
    )


def _of_front(value: Value) -> Scored:
    found = value["reporting"]
    what = Cascade.from_json(value).text
    ranked = Accuracy.from_json(value["ranking"])
    return Scored(what, found["cost"].positive(), Accuracy.from_json(found), ranked)
