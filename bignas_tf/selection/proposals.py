"""Which children a search should measure next, by what it has measured.

Each round many children are imagined: random ones, and generations of mutants and crossings of the
best. Some of them are proposed: for each budget in turn the one that promises the highest
accuracy, and for the fronts the ones that promise to raise their hypervolume most. Promising is
what is predicted plus one standard deviation, an upper confidence bound
(https://arxiv.org/abs/0912.3995), so that a search also looks where it knows little. Of several
children proposed at once, each takes what is predicted of those before it for measured: the kriging
believer of Ginsbourger et al., Kriging Is Well-Suited to Parallelize Optimization, 2010.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import grid, prediction
from bignas_tf.selection import hypervolume as hypervolume_lib
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.hypervolume import Point
from bignas_tf.selection.pool import Pool
from bignas_tf.selection.prediction import Predictor

_RANDOM, _BRED = 100, 100  # children imagined at random, and in each generation
_GENERATIONS = 3
_MOST_MISSES = 10  # measured children beyond their budget before a round ends

Costs = Mapping[str, float]
Aim = Budget | str  # what a child may be for: a budget, or the front of an objective


class Crowd:
    """Children within at least one budget that are not candidates, as far as that is counted.

    Args:
      pool: of the search.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._costs: dict[Architecture, Costs] = {}
        self._rows: list[np.ndarray] = []

    def add(self, children: Iterable[Architecture]) -> None:
        """Takes those that are new."""
        added: dict[Architecture, Costs] = {}
        for child in children:
            if child not in self._costs and child not in added and not self._pool.has(child):
                costs = self._pool.counted_costs(child)
                if any(_allows(budget, costs) for budget in self._pool.budgets):
                    added[child] = costs
        self._costs |= added
        if added:
            self._rows.append(
                prediction.features(self._pool.space, list(added), list(added.values()))
            )

    @property
    def children(self) -> list[Architecture]:
        """In the order in which they came."""
        return list(self._costs)

    @property
    def costs(self) -> list[Costs]:
        """The counted costs of each."""
        return list(self._costs.values())

    def features(self) -> np.ndarray:
        """See `prediction.features`."""
        return np.concatenate(self._rows)


def _allows(budget: Budget, costs: Costs) -> bool:
    """Whether a budget allows those costs that are known."""
    return all(value <= budget.limits.get(name, np.inf) for name, value in costs.items())


def spread(pool: Pool, settings: SelectionConfig, count: int) -> list[Architecture]:
    """The children that a search begins with: far from one another in their choices.

    The first is the cheapest, so that each budget has one. Each further one is, of the skeletons of
    the coarse grid, the one least like all before it. Skeletons teach more than random children do,
    which have a bit of everything (measured; see the results). Where the grid has too few, random
    ones are among them.

    Args:
      pool: of the search.
      settings: how to search.
      count: how many.

    Raises:
      UsageError: a resolution that the space does not have.
    """
    crowd = Crowd(pool)
    crowd.add([budgets_lib.cheapest(pool.space), *grid.skeletons(pool.space, settings)])
    if len(crowd.children) < count:
        rng = np.random.default_rng(settings.seed)
        crowd.add(pool.space.sample(rng) for _ in range(_RANDOM))
    if not crowd.children:  # what is within a budget is rarer than one child in a hundred
        return [budgets_lib.cheapest(pool.space)]
    children, rows = crowd.children, crowd.features()
    chosen, nearest = [0], np.full(len(children), np.inf)
    while len(chosen) < min(count, len(children)):
        nearest = np.minimum(nearest, np.square(rows - rows[chosen[-1]]).sum(1))
        chosen.append(int(nearest.argmax()))
    return [children[place] for place in chosen]


def propose(
    pool: Pool, settings: SelectionConfig, rng: np.random.Generator, outlook: Outlook
) -> list[Architecture]:
    """Proposes children that are new: `settings.mutants`, or as many as there are or may be.

    Args:
      pool: of the search.
      settings: how to search.
      rng: for what is drawn.
      outlook: on the pool as it is; afterwards it supposes what it has proposed.
    """
    crowd = _imagined(pool, settings, rng, outlook)
    count = pool.allowed(settings.mutants)
    return list(_picks(pool, crowd, outlook, count)) if crowd.children else []


@dataclasses.dataclass(frozen=True)
class View:
    """Imagined children as arrays.

    Attributes:
      rows: their features, float64 [children, features].
      costs: those that budgets limit, counted or predicted, float64 [children] each.
      allowed: whether each budget allows them, bool [children] each.
    """

    rows: np.ndarray
    costs: Mapping[str, np.ndarray]
    allowed: Mapping[Budget, np.ndarray]


class Outlook:
    """What the candidates of a search say of other children.

    Args:
      pool: with at least one scored candidate.

    Attributes:
      children: how many candidates were scored.
      tau: Kendall's tau of what is predicted for children left out; None if it is unknown.
      budgets: of the search.
      fronts: cost and accuracy of scored children, for each objective that budgets limit.
    """

    def __init__(self, pool: Pool) -> None:
        scored = [each for each in pool.candidates if each.ranking is not None]
        children = [each.architecture for each in scored]
        counted = list(map(pool.counted_costs, children))
        seen = prediction.features(pool.space, children, counted)
        top1 = [each.ranking.top1 for each in scored if each.ranking is not None]
        self.budgets = pool.budgets
        self._highest = hypervolume_lib.highest_costs(pool.budgets)
        self._accuracy = Predictor(seen, np.array(top1))
        # Measured costs are predicted, too: hundreds of children a round cannot be measured.
        self._logarithms = {
            name: Predictor(seen, np.log([each.costs[name] for each in scored]))
            for name in pool.limited
            if name not in counted[0]
        }
        self.children = len(scored)
        self.tau = self._accuracy.unseen_tau()
        self.fronts: dict[str, list[Point]] = {
            name: list(zip([each.costs[name] for each in scored], top1, strict=True))
            for name in pool.limited
        }

    def view(self, crowd: Crowd) -> View:
        """What is known of imagined children before they are measured."""
        rows, costs = crowd.features(), crowd.costs
        priced = {
            name: np.array([each[name] for each in costs])
            if name in costs[0]
            else np.exp(self._logarithms[name].predict(rows)[0])
            for name in self.fronts
        }
        allowed = {
            budget: np.all([priced[name] <= most for name, most in budget.limits.items()], axis=0)
            for budget in self.budgets
        }
        return View(rows, priced, allowed)

    def promise(self, view: View) -> np.ndarray:
        """The accuracy that each child promises, float64 [children]."""
        mean, deviation = self._accuracy.predict(view.rows)
        return mean + deviation

    def order(self, view: View, promise: np.ndarray, aim: Aim) -> np.ndarray:
        """What each child promises to a budget or to a front, float64 [children].

        Args:
          view: of the children.
          promise: of theirs, see above.
          aim: the budget, or the front's objective.

        Returns:
          Accuracies or additions to the hypervolume; -inf for children of no use.
        """
        if isinstance(aim, Budget):
            return np.where(view.allowed[aim], promise, -np.inf)
        points = np.stack([view.costs[aim], promise], axis=1)
        gains = hypervolume_lib.gains(points, self.fronts[aim], self._highest[aim])
        useful = np.any([*view.allowed.values()], axis=0) & (gains > 0)
        return np.where(useful, gains, -np.inf)

    def suppose(self, view: View, place: int) -> None:
        """Takes what is predicted of a child for measured, so that the next picks differ."""
        row = view.rows[[place]]
        mean, _ = self._accuracy.predict(row)
        self._accuracy.suppose(row)
        for name, front in self.fronts.items():
            front.append((view.costs[name][place], mean[0]))


def _imagined(
    pool: Pool, settings: SelectionConfig, rng: np.random.Generator, outlook: Outlook
) -> Crowd:
    """Random children, then generations bred from the best candidates and the most promising."""
    crowd = Crowd(pool)
    crowd.add(pool.space.sample(rng) for _ in range(_RANDOM))
    best = [c.architecture for b in pool.budgets for c in pool.best(b, settings.parents)]
    for _ in range(_GENERATIONS):
        parents = list(dict.fromkeys([*best, *_promising(crowd, outlook, settings.parents)]))
        crowd.add(_bred(pool, settings, rng, parents))
    return crowd


def _promising(crowd: Crowd, outlook: Outlook, count: int) -> Iterator[Architecture]:
    """The most promising children for each budget and each front."""
    if not (children := crowd.children):
        return
    view = outlook.view(crowd)
    promise = outlook.promise(view)
    aims: tuple[Aim, ...] = (*outlook.budgets, *outlook.fronts)
    for aim in aims:
        order = outlook.order(view, promise, aim)
        yield from (children[place] for place in np.argsort(-order, kind="stable")[:count])


def _bred(
    pool: Pool,
    settings: SelectionConfig,
    rng: np.random.Generator,
    parents: Sequence[Architecture],
) -> Iterator[Architecture]:
    """Children of parents: one half crossed, the other mutated."""
    for number in range(_BRED if parents else 0):
        one, other = (parents[int(rng.integers(len(parents)))] for _ in range(2))
        if number % 2:
            yield pool.space.cross(one, other, rng)
        else:
            yield pool.space.mutate(one, rng, settings.mutation_rate)


def _picks(pool: Pool, crowd: Crowd, outlook: Outlook, count: int) -> Iterator[Architecture]:
    """Yields children, for a budget and for a front in turn; measures costs that are limited."""
    children, view = crowd.children, outlook.view(crowd)
    left = np.ones(len(children), bool)
    found = misses = 0
    pairs = zip(itertools.cycle(outlook.budgets), itertools.cycle(outlook.fronts), strict=False)
    turns: Iterator[Aim] = itertools.chain.from_iterable(pairs)
    for aim in turns:
        if found >= count or misses >= _MOST_MISSES:
            return
        order = np.where(left, outlook.order(view, outlook.promise(view), aim), -np.inf)
        place = int(order.argmax())
        if order[place] == -np.inf:  # nothing is left for this turn
            misses += 1
            continue
        left[place] = False
        useful = [budget for budget, allowed in view.allowed.items() if allowed[place]]
        budgets = [aim] if isinstance(aim, Budget) else useful
        if all(pool.measured_beyond(children[place], each) for each in budgets):
            misses += 1
            continue
        found += 1
        outlook.suppose(view, place)
        yield children[place]
