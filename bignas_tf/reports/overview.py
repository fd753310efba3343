"""A search space for people: what may be chosen, and what its children cost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from bignas_tf import console, errors
from bignas_tf.reports import words
from bignas_tf.search_space import cost as cost_lib
from bignas_tf.search_space import published
from bignas_tf.search_space.architecture import Architecture, Stage
from bignas_tf.search_space.parts import ModelSpace
from bignas_tf.search_space.space import SearchSpace

_RANDOM = 1000  # few enough to be counted in a tenth of a second
_MOST_LISTED = 8
_CHOICES = (
    "",
    "widths",
    "depths",
    "kernels",
    "expansions",
    "stride",
    "squeeze-excite",
    "activation",
)
_COSTS = ("", "side", "multiply-adds (M)", "parameters (M)", "peak activations (MB)")


def lines(models: ModelSpace) -> Iterator[str]:
    """The size of a space, its choices, and what its extremes and random children cost."""
    space = models.space
    yield f"{space.name}: {words.large(space.count_architectures())} children"
    yield f"trained at {_listed(space.train_resolutions)} px"
    yield f"searched at {_listed(space.eval_resolutions)} px"
    yield ""
    yield from console.aligned([_CHOICES, *_choices(space)])
    yield ""
    yield f"with num_classes={models.num_classes} and input_channels={models.input_channels}:"
    yield from console.aligned([_COSTS, *_costs(models)])
    if names := [name for name in published.published_names(space.name) if _has(space, name)]:
        yield ""
        yield f"published children: {', '.join(names)}"


def _has(space: SearchSpace, name: str) -> bool:
    """Whether a published child is in the space, which may be another one of the preset's name."""
    try:
        space.validate(published.published(name))
    except errors.UsageError:
        return False
    return True


def _choices(space: SearchSpace) -> Iterator[Sequence[str]]:
    """A row for the stem, for each stage and for the head."""
    stem, head = space.style.stem_activation, space.style.head_activation
    yield "stem", _listed(space.stem_widths), "", "3", "", str(space.stem_stride), "", stem
    for number, stage in enumerate(space.stages, 1):
        yield f"stage {number}", *_stage(stage)
    yield "head", _listed(space.head_widths), "", "1", "", "", "", head


def _stage(stage: Stage) -> Iterator[str]:
    yield from map(_listed, (stage.widths, stage.depths, stage.kernels, stage.expands))
    yield str(stage.stride)
    yield f"{stage.se_ratio:.3g}" if stage.se_ratio else "none"
    yield stage.activation + (", layers alike" if stage.tied else "")


def _costs(models: ModelSpace) -> Iterator[Sequence[str]]:
    """A row for each extreme, and one for the median of each cost of random children."""
    space, rng = models.space, np.random.default_rng(0)
    for name, child, side in (
        ("smallest", space.smallest(), min(space.eval_resolutions)),
        ("biggest", space.biggest(), max(space.eval_resolutions)),
    ):
        for each in dict.fromkeys((child, space.with_resolution(child, side))):
            yield name, f"{each.resolution} px", *_millions(models, [each])
    drawn = [space.sample(rng) for _ in range(_RANDOM)]
    yield f"random, median of {_RANDOM}", "any", *_millions(models, drawn)


def _millions(models: ModelSpace, children: Sequence[Architecture]) -> Iterator[str]:
    """The median of each cost."""
    codes = np.stack([models.space.encode(child) for child in children])
    costs = cost_lib.count_many(models.space, codes, models.num_classes, models.input_channels)
    for cost in costs:
        yield f"{np.median(cost) / 1e6:.4g}"


def _listed(choices: Sequence[int]) -> str:
    """All choices, or of many in equal steps the first two and the last."""
    steps = {after - before for before, after in itertools.pairwise(choices)}
    if len(choices) > _MOST_LISTED and len(steps) == 1:
        return f"{choices[0]}, {choices[1]}, ..., {choices[-1]}"
    return ", ".join(map(str, choices))
