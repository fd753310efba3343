"""Coarse-to-fine selection for every budget in one run (paper, Sections 3.2 and 4.4)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bignas_tf import errors
from bignas_tf.search_space import cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.journal import Candidate

KERNEL_PATTERNS = ("smallest", "largest", "largest_early", "largest_late")
_ATTEMPTS = 200  # draws for one new mutant within a budget, before the neighbourhood is done

Scores = Callable[[Sequence[Architecture], str], list[Candidate]]
Macs = Callable[[Architecture], int]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a search tries.

    Attributes:
      resolutions: input sides of the coarse grid.
      depth_multipliers: 0 (shallowest) to 1 (deepest), all stages alike.
      width_multipliers: 0 (narrowest) to 1 (widest), all layers alike.
      kernel_patterns: stage-wise kernels, of `KERNEL_PATTERNS`.
      rounds: generations of mutants for each budget.
      mutants: children a generation.
      mutation_rate: probability that one choice is drawn anew.
      seed: of the mutations.
    """

    resolutions: tuple[int, ...]
    depth_multipliers: tuple[float, ...]
    width_multipliers: tuple[float, ...]
    kernel_patterns: tuple[str, ...]
    rounds: int
    mutants: int
    mutation_rate: float
    seed: int


def coarse_grid(space: SearchSpace, settings: Settings) -> Iterator[Architecture]:
    """Yields the skeletons: every combination of the four global configurations.

    Raises:
      UsageError: a kernel pattern or a multiplier that does not exist.
    """
    _check(settings)
    seen = set()
    for resolution, depth, width, pattern in itertools.product(
        settings.resolutions,
        settings.depth_multipliers,
        settings.width_multipliers,
        settings.kernel_patterns,
    ):
        skeleton = _skeleton(space, resolution, depth, width, pattern)
        if skeleton not in seen:
            seen.add(skeleton)
            yield skeleton


def _check(settings: Settings) -> None:
    for pattern in settings.kernel_patterns:
        if pattern not in KERNEL_PATTERNS:
            raise errors.UsageError(
                f"selection.kernel_patterns has {pattern!r}; choose from {list(KERNEL_PATTERNS)}"
            )
    for name in ("depth_multipliers", "width_multipliers"):
        for value in getattr(settings, name):
            if not 0 <= value <= 1:
                raise errors.UsageError(f"selection.{name} has {value!r}; they run from 0 to 1")


def _skeleton(
    space: SearchSpace, resolution: int, depth: float, width: float, pattern: str
) -> Architecture:
    depths = tuple(_pick(stage.depths, depth) for stage in space.stages)
    stages = range(len(space.stages))
    return Architecture(
        resolution=resolution,
        stem_width=_pick(space.stem_widths, width),
        depths=depths,
        kernels=tuple((_kernel(space, i, pattern),) * depths[i] for i in stages),
        widths=tuple((_pick(space.stages[i].widths, width),) * depths[i] for i in stages),
        expands=tuple((_pick(space.stages[i].expands, width),) * depths[i] for i in stages),
        head_width=_pick(space.head_widths, width),
    )


def _pick(choices: tuple[int, ...], multiplier: float) -> int:
    return choices[round(multiplier * (len(choices) - 1))]


def _kernel(space: SearchSpace, stage: int, pattern: str) -> int:
    kernels, late = space.stages[stage].kernels, 2 * stage >= len(space.stages)
    large = pattern == "largest" or pattern == ("largest_late" if late else "largest_early")
    return max(kernels) if large else min(kernels)


def search(
    space: SearchSpace, settings: Settings, budgets: Sequence[int], macs: Macs, scores: Scores
) -> list[Candidate]:
    """Scores the coarse grid, then mutants of each budget's best.

    Args:
      space: what may be chosen.
      settings: grid and mutations.
      budgets: most multiply-adds, one for each child wanted.
      macs: counts a child's multiply-adds.
      scores: gives the candidates of children, in their order; several replicas share
        the children of one call. Called again for one it knows already.

    Returns:
      Every candidate, in order of first scoring.
    """
    grid = list(coarse_grid(space, settings))
    candidates = dict(zip(grid, scores(grid, "coarse"), strict=True))
    for index, budget in enumerate(budgets):
        rng = np.random.default_rng([settings.seed, index])
        parent = best(candidates.values(), budget)
        if parent is None:
            (parent,) = scores([_fallback(space)], "coarse")
            candidates[parent.architecture] = parent
        for _ in range(settings.rounds):
            parent = best(candidates.values(), budget) or parent
            mutants = _mutants(space, settings, parent, budget, rng, candidates, macs)
            candidates.update(zip(mutants, scores(mutants, "fine"), strict=True))
    return list(candidates.values())


def _fallback(space: SearchSpace) -> Architecture:
    """The cheapest child: what is left where no skeleton fits a budget."""
    return space.with_resolution(space.smallest(), min(space.eval_resolutions))


def _mutants(
    space: SearchSpace,
    settings: Settings,
    parent: Candidate,
    budget: int,
    rng: np.random.Generator,
    known: dict[Architecture, Candidate],
    macs: Macs,
) -> list[Architecture]:
    """Draws new children within the budget, before anything is spent on one."""
    drawn: list[Architecture] = []
    for _ in range(_ATTEMPTS):
        if len(drawn) == settings.mutants:
            break
        mutant = space.mutate(parent.architecture, rng, settings.mutation_rate)
        fresh = mutant not in known and mutant not in drawn
        if fresh and macs(mutant) <= budget:
            drawn.append(mutant)
    return drawn


def best(candidates: Iterable[Candidate], budget: int) -> Candidate | None:
    """The most accurate candidate within a budget; the cheaper one of equals."""
    within = [c for c in candidates if c.macs <= budget]
    return max(within, key=lambda c: (c.ranking_top1, -c.macs), default=None)


def check_budgets(
    space: SearchSpace, budgets: Sequence[int], num_classes: int, input_channels: int
) -> None:
    """Refuses budgets no child, or every child, fits.

    Raises:
      UsageError: names the feasible range.
    """
    biggest = space.with_resolution(space.biggest(), max(space.eval_resolutions))
    ends = (_fallback(space), biggest)
    least, most = (cost.count(space, a, num_classes, input_channels).macs for a in ends)
    for budget in budgets:
        if not least <= budget <= most:
            raise errors.UsageError(
                f"budget {budget / 1e6:g}M multiply-adds is infeasible; children of "
                # Rounded inwards: what is named must be feasible.
                f"{space.name!r} take from {-(-least // 1000) / 1e3:.3f} "
                f"to {most // 1000 / 1e3:.3f}M"
            )
