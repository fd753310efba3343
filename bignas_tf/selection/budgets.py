"""What a child may cost: one limit or several at once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

from bignas_tf import errors, plain
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.objectives import Objective

MULTIPLY_ADDS = "mflops"


@dataclasses.dataclass(frozen=True)
class Budget:
    """The most that a child may cost, by the names of objectives, in their units.

    Raises:
      UsageError: there is no limit, or one that is not a positive number.
    """

    limits: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.limits:
            raise errors.UsageError("a budget has no limit; give one, as in mflops=4")
        # Equal budgets have one name.
        limits = {name: _limit(name, limit) for name, limit in sorted(self.limits.items(), key=str)}
        object.__setattr__(self, "limits", limits)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def name(self) -> str:
        """Name in files and tables; the usual objective, multiply-adds, is not named."""
        if list(self.limits) == [MULTIPLY_ADDS]:
            return f"{self.limits[MULTIPLY_ADDS]:.12g}"
        return "_".join(f"{name}_{limit:.12g}" for name, limit in self.limits.items())

    def holds(self, costs: Mapping[str, float]) -> bool:
        """Whether a child of these costs is within all limits."""
        return all(costs[name] <= limit for name, limit in self.limits.items())

    def order(self, costs: Mapping[str, float]) -> tuple[float, ...]:
        """The costs that this budget limits; the cheaper child comes first."""
        return tuple(costs[name] for name in self.limits)

    def __str__(self) -> str:
        return ",".join(f"{name}={limit:.12g}" for name, limit in self.limits.items())


# However a budget may be given; see `read`.
AnyBudget = Budget | Mapping[str, float] | str


def read(budget: AnyBudget) -> Budget:
    """A budget that may be its limits or text; see `parse`.

    Raises:
      UsageError: it is none of these, or malformed.
    """
    if isinstance(budget, Mapping):
        return Budget(budget)
    if not isinstance(budget, Budget | str):
        raise errors.UsageError(f"budget {errors.shown(budget)}: write it as in 'mflops=4'")
    return budget if isinstance(budget, Budget) else parse(budget)


def parse(text: str) -> Budget:
    """Reads a budget such as "mflops=4" or "litert_ms=1.5,params_m=0.2".

    Raises:
      UsageError: it is not of this form, or a limit is not a positive number.
    """
    limits: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not (name and equals) or name in limits:
            raise errors.UsageError(
                f"budget {errors.shown(text)}: limits are written as in mflops=4,params_m=0.2, "
                "each once"
            )
        try:
            limits[name] = float(value)
        except ValueError as error:
            raise _no_limit(name, value) from error
    return Budget(limits)


def _limit(name: str, value: float) -> float:
    """A limit as Python's number: NumPy's fit into no JSON."""
    try:
        return plain.number(name, value, above=0)
    except errors.UsageError:
        raise _no_limit(name, value) from None


def _no_limit(name: str, value: object) -> errors.UsageError:
    given = errors.shown(f"{name}={value}")
    return errors.UsageError(
        f"budget {given}: {errors.shown(value)} is not a positive number, such as 4 or 0.5"
    )


def ordered(budgets: Sequence[Budget]) -> list[Budget]:
    """Each budget once, ascending, those of the same objectives side by side.

    Raises:
      UsageError: two have one name.
    """
    named: dict[str, Budget] = {}
    for budget in budgets:
        other = named.setdefault(budget.name, budget)
        if other != budget:
            raise errors.UsageError(
                f"the budgets {other} and {budget} would both be called {budget.name}; name an "
                "objective otherwise"
            )
    return sorted(
        named.values(),
        key=lambda budget: (list(budget.limits), list(budget.limits.values())),
    )


def limited(budgets: Iterable[Budget]) -> list[str]:
    """The objectives that any of the budgets limits, by their names, each once."""
    return list(dict.fromkeys(name for budget in budgets for name in budget.limits))


def cheapest(space: SearchSpace) -> Architecture:
    """The child that costs least: the smallest, on the lowest resolution."""
    return space.with_resolution(space.smallest(), min(space.eval_resolutions))


def check(
    space: SearchSpace,
    budgets: Sequence[Budget],
    objectives: Mapping[str, Objective],
    cost: Callable[[str, Architecture], float],
) -> None:
    """Refuses limits that no child meets, or that every child meets.

    Of a cost that is measured only the smallest and the biggest child are asked.

    Args:
      space: what may be chosen.
      budgets: whose limits are checked.
      objectives: by name; limits on others are not checked.
      cost: gives a child's cost, by the objective's name.

    Raises:
      UsageError: names the feasible range.
    """
    for budget in budgets:
        # In the order of the limits, because several processes measure together.
        for name, limit in budget.limits.items():
            if name in objectives:
                _check_limit(space, objectives[name], limit, functools.partial(cost, name))


def _check_limit(
    space: SearchSpace, objective: Objective, limit: float, cost: Callable[[Architecture], float]
) -> None:
    small = cheapest(space)
    big = space.with_resolution(space.biggest(), max(space.eval_resolutions))
    least, most = sorted(map(cost, (small, big)))
    if least <= limit <= most:
        return
    given = f"budget {objective.name}={limit:.12g}"
    of_all = f"{objective.title} of the children of {space.name!r}: from"
    if not objective.counted:
        raise errors.UsageError(
            f"{given} is out of reach, or of no use; {of_all} about {least:.12g} to {most:.12g} "
            f"{objective.unit} (the smallest child and the biggest, as measured)"
        )
    # A table, or a space of another style, may have cheaper children than the smallest.
    least, most = _least(space, small, cost), -_least(space, big, lambda child: -cost(child))
    if not least <= limit <= most:
        fits = "no child fits" if limit < least else "every child fits"
        raise errors.UsageError(
            f"{fits} {given}; {of_all} {least:.12g} to {most:.12g} {objective.unit}"
        )


def _least(space: SearchSpace, child: Architecture, cost: Callable[[Architecture], float]) -> float:
    """The least cost to which a child comes by changing one choice at a time."""
    best = cost(child)
    improved = True
    while improved:
        improved = False
        for position, choices in enumerate(space.genes):
            for choice in choices:
                code = space.encode(child)
                code[position] = choice
                other = space.decode(code)
                if (found := cost(other)) < best:
                    child, best, improved = other, found, True
    return best
