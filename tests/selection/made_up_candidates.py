"""A few candidates of a search, and what is selected of them."""

from __future__ import annotations

from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import selecting
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.objectives import Quantity
from bignas_tf.selection.provenance import ImageSet, Source
from bignas_tf.selection.result import SearchResult
from tests.selection import countable

CHILDREN = countable.everything()
UNITS = {"mflops": Quantity("multiply-adds", "M"), "ms": Quantity("time", "ms")}


def made_up(number: int, macs: float, top1: float | None, ms: float = 1.0) -> Candidate:
    """The child of a number with these figures; one without accuracy has failed."""
    failure = "it failed" if top1 is None else None
    costs, ranking = {"mflops": macs, "ms": ms}, None if top1 is None else Accuracy(top1, 400)
    return Candidate(CHILDREN[number], "fine", costs, {"ms": 0.1}, ranking, failure)


DEAR, CHEAP, DEAREST, BEATEN = (
    made_up(0, 30, 0.9, ms=1),
    made_up(1, 20, 0.9, ms=3),
    made_up(2, 40, 0.95, ms=2),
    made_up(3, 25, 0.8, ms=2),
)
FAILED = made_up(4, 10, None)
FOUND = [DEAR, CHEAP, DEAREST, BEATEN, FAILED]


def finished(candidates: list[Candidate], reporting_images: int = 100) -> SearchResult:
    """A search that has selected nothing yet."""
    return SearchResult(
        source=Source("countable", "run/ckpt-7", "5eed", 7),
        selection={"strategy": "random"},
        objectives=UNITS,
        ranking=ImageSet("train", 400),
        reporting=ImageSet("test", reporting_images),
        candidates=tuple(candidates),
    )


def select(candidates: list[Candidate], *limits: dict[str, float]) -> SearchResult:
    """What a search with these candidates selects."""

    def reporting(children: object) -> dict[Architecture, Accuracy | None]:
        assert isinstance(children, list)
        return {c: Accuracy(0.5 + 0.3 * (c == DEAREST.architecture), 100) for c in children}

    return selecting.select(finished(candidates), [Budget(each) for each in limits], reporting)
