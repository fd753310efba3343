"""Which children a step trains, and at which resolutions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from bignas_tf.search_space import pairing, presets
from bignas_tf.search_space import space as space_lib
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import sampling
from bignas_tf.training.configs import SandwichConfig

BIGGEST, SMALLEST, RANDOM, ALONE = "biggest", "smallest", "random", "alone"


@dataclasses.dataclass(frozen=True)
class Child:
    """One child of a step.

    Attributes:
      role: "biggest", "smallest", "random<i>" or "alone".
      choice: an `Architecture`, or an int32 code drawn for this step.
      resolution: the input side, where the program knows it; None if only the code does.
    """

    role: str
    choice: Any
    resolution: int | None

    @property
    def side(self) -> Any:
        """The input side, an int or an int32 scalar tensor."""
        return self.choice[space_lib.RESOLUTION] if self.resolution is None else self.resolution


def roles(config: SandwichConfig) -> list[str]:
    """The kinds of children that a step trains, the random ones as one kind."""
    if config.alone:
        return [ALONE]
    present = {BIGGEST: config.biggest, SMALLEST: config.smallest, RANDOM: config.num_random}
    return [role for role, number in present.items() if number]


def alone(space: SearchSpace, config: SandwichConfig) -> dict[str, Any] | None:
    """The only child that is trained, as plain data; None if it is not alone."""
    return presets.child(space, config.alone).to_json() if config.alone else None


def kind(role: str) -> str:
    """A child's role without its number."""
    return role.rstrip("0123456789")


def trained_resolutions(space: SearchSpace, config: SandwichConfig) -> tuple[set[int], set[int]]:
    """The resolutions at which training runs any child, and those at which it runs random ones.

    Args:
      space: of the supernet.
      config: of the run.
    """
    sides, number = space.train_resolutions, config.num_random
    drawn = sides if number else ()
    if config.resolutions == "paired":
        drawn = pairing.paired(sides, number, config.smallest, config.biggest)
    extremes = (sides[:1] if config.smallest else ()) + (sides[-1:] if config.biggest else ())
    return {*drawn, *extremes}, set(drawn)


def children(
    space: SearchSpace, config: SandwichConfig, step: tf.Tensor, seed: int
) -> Iterator[Child]:
    """Yields a step's children, the biggest first.

    The biggest is paired with the highest training resolution, the smallest with the lowest.
    Random ones take turns at those of `pairing.paired`, or each draws one of all training
    resolutions (ours).
    """
    if config.alone:
        child = presets.child(space, config.alone)
        yield Child(ALONE, child, child.resolution)
        return
    if config.biggest:
        yield Child(BIGGEST, space.biggest(), space.train_resolutions[-1])
    if config.smallest:
        yield Child(SMALLEST, space.smallest(), space.train_resolutions[0])
    paired = pairing.paired(
        space.train_resolutions, config.num_random, config.smallest, config.biggest
    )
    for index in range(config.num_random):
        # Every replica and every restart knows the step, and so draws the same children.
        step_seed = _seed(step, seed * 1000 + index)
        if config.resolutions == "any":
            side = sampling.sample_resolution(space, _seed(step, -(seed * 1000 + index) - 1))
            yield Child(f"{RANDOM}{index + 1}", sampling.sample_code(space, step_seed, side), None)
        else:
            side = paired[index % len(paired)]
            yield Child(f"{RANDOM}{index + 1}", sampling.sample_code(space, step_seed, side), side)


def _seed(step: tf.Tensor, number: int) -> tf.Tensor:
    return tf.stack([tf.cast(step, tf.int64), tf.constant(number, tf.int64)])
