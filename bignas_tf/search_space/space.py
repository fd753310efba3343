"""A search space: what may be chosen, and the fixed-length code of a choice.

A code is an int32 vector of plain values (widths, kernels, ...), laid out as
`[resolution, stem width, head width]` and then, stage by stage,
`[depth, (kernel, width, expand) of each layer up to the largest depth]`.
Layers past the chosen depth repeat the last active one, so that equal children
have equal codes and the output width of a stage is that of its last layer.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from bignas_tf import errors, plain
from bignas_tf.search_space.architecture import (
    MOST_CHANNELS,
    PER_LAYER,
    Architecture,
    Stage,
    up_to,
)
from bignas_tf.search_space.style import PAPER, Style

PADDINGS = ("symmetric", "same")
_MOST_PIXELS = 1 << 13
RESOLUTION, STEM_WIDTH, HEAD_WIDTH, FIRST_STAGE = range(4)


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """A stem, stages and a head with the choices in each.

    Attributes:
      name: shown to people; not part of the fingerprint.
      stem_widths: output channels of the 3x3 stem.
      stem_stride: 1 or 2.
      stages: see `Stage`.
      head_widths: channels of the 1x1 head.
      train_resolutions: ascending input sides trained on, smallest child first.
      eval_resolutions: every input side a child may have.
      base_resolution: side at which images are cropped and augmented once.
      padding: how a stride of 2 pads. "symmetric" adds k // 2 pixels on every side, so that
        the sampled pixels are the same at every resolution (ours). "same" is TensorFlow's
        and EfficientNet's: it samples odd pixels of even sides and even pixels of odd
        ones, so a resolution of the other parity sees shifted filters.
      style: how blocks, stem and head are made.
    """

    name: str
    stem_widths: tuple[int, ...] = dataclasses.field(metadata=up_to(MOST_CHANNELS))
    stem_stride: int
    stages: tuple[Stage, ...]
    head_widths: tuple[int, ...] = dataclasses.field(metadata=up_to(MOST_CHANNELS))
    train_resolutions: tuple[int, ...] = dataclasses.field(metadata=up_to(_MOST_PIXELS))
    eval_resolutions: tuple[int, ...] = dataclasses.field(metadata=up_to(_MOST_PIXELS))
    base_resolution: int = dataclasses.field(metadata=up_to(_MOST_PIXELS))
    padding: str = "symmetric"
    style: Style = PAPER

    @functools.cached_property
    def genes(self) -> tuple[tuple[int, ...], ...]:
        """The choices at each position of a code."""
        stages = [
            (stage.depths, *stage.layer_choices * stage.coded_layers) for stage in self.stages
        ]
        network = (self.eval_resolutions, self.stem_widths, self.head_widths)
        return network + tuple(gene for stage in stages for gene in stage)

    @property
    def code_length(self) -> int:
        return len(self.genes)

    def stage_starts(self) -> Iterator[tuple[int, Stage]]:
        """Yields each stage with the position of its depth in a code."""
        start = FIRST_STAGE
        for stage in self.stages:
            yield start, stage
            start += stage.code_length

    def content(self) -> dict[str, Any]:
        """All its fields as plain data, but those that an older language of spaces had not.

        So what spaces that do not use them are written as, and their fingerprints, stay.
        """
        content = dataclasses.asdict(self)
        for part in (content, *content["stages"]):
            for name, default in _ADDED.items():
                if part.get(name) == default:
                    del part[name]
        return content

    def fingerprint(self) -> int:
        """A 62-bit number equal for equal spaces; checkpoints carry it."""
        content = self.content()
        del content["name"]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 2

    def count_architectures(self) -> int:
        """The number of different children, resolutions included."""
        total = len(self.eval_resolutions) * len(self.stem_widths) * len(self.head_widths)
        for stage in self.stages:
            layer = math.prod(map(len, stage.layer_choices))
            total *= sum(1 if stage.tied else layer**depth for depth in stage.depths)
            total *= layer if stage.tied else 1
        return total

    def smallest(self) -> Architecture:
        """The least of every choice, on the lowest training resolution."""
        return self._extreme(min, self.train_resolutions[0])

    def biggest(self) -> Architecture:
        """The most of every choice, on the highest training resolution."""
        return self._extreme(max, self.train_resolutions[-1])

    def _extreme(self, pick: Callable[[Sequence[int]], int], resolution: int) -> Architecture:
        code = np.array([pick(choices) for choices in self.genes], np.int32)
        code[RESOLUTION] = resolution
        return self.decode(code)

    def sample(self, rng: np.random.Generator) -> Architecture:
        """Draws every choice uniformly."""
        return self.decode([int(rng.choice(choices)) for choices in self.genes])

    def mutate(
        self, architecture: Architecture, rng: np.random.Generator, rate: float
    ) -> Architecture:
        """Draws each choice again with probability `rate`."""
        code = self.encode(architecture)
        for position, choices in enumerate(self.genes):
            if rng.random() < rate:
                code[position] = rng.choice(choices)
        return self.decode(code)

    def cross(
        self, one: Architecture, other: Architecture, rng: np.random.Generator
    ) -> Architecture:
        """Takes each choice from one of two children, each as likely as the other."""
        from_one = rng.random(self.code_length) < 0.5
        return self.decode(np.where(from_one, self.encode(one), self.encode(other)))

    def encode(self, architecture: Architecture) -> np.ndarray:
        """Returns the int32 code, shape [code_length].

        Raises:
          UsageError: the architecture is outside this space.
        """
        self.validate(architecture)
        a = architecture
        code = [a.resolution, a.stem_width, a.head_width]
        for index, stage in enumerate(self.stages):
            layers = list(zip(*(getattr(a, name)[index] for name in PER_LAYER), strict=True))
            layers += layers[-1:] * (stage.max_depth - len(layers))
            layers = layers[: stage.coded_layers]
            code += [a.depths[index], *(gene for layer in layers for gene in layer)]
        return np.array(code, np.int32)

    def decode(self, code: Sequence[int] | np.ndarray) -> Architecture:
        """Reads a code; values of layers past the depth are ignored."""
        values = [int(value) for value in code]
        depths: list[int] = []
        layers: dict[str, list[tuple[int, ...]]] = {name: [] for name in PER_LAYER}
        for start, stage in self.stage_starts():
            depths.append(values[start])
            genes = [start + stage.gene(layer) for layer in range(values[start])]
            for offset, name in enumerate(PER_LAYER):
                layers[name].append(tuple(values[gene + offset] for gene in genes))
        architecture = Architecture(
            resolution=values[RESOLUTION],
            stem_width=values[STEM_WIDTH],
            depths=tuple(depths),
            head_width=values[HEAD_WIDTH],
            **{name: tuple(stages) for name, stages in layers.items()},
        )
        self.validate(architecture)
        return architecture

    def normalised(self, architecture: Architecture) -> Architecture:
        """The same child in Python's integers, which files take, whatever it was made of.

        Raises:
          UsageError: it is outside this space.
        """
        return self.decode(self.encode(architecture))

    def with_resolution(self, architecture: Architecture, resolution: int) -> Architecture:
        """The same child on another input side, which may be a number of NumPy's.

        Raises:
          UsageError: it is no whole number.
        """
        side = plain.whole("resolution", resolution, 1)
        return dataclasses.replace(architecture, resolution=side)

    def validate(self, architecture: Architecture) -> None:
        """Checks every field.

        Raises:
          UsageError: names the field, its value and the choices.
        """
        a = architecture
        _check("resolution", a.resolution, self.eval_resolutions)
        _check("stem_width", a.stem_width, self.stem_widths)
        _check("head_width", a.head_width, self.head_widths)
        for name in ("depths", *PER_LAYER):
            if len(getattr(a, name)) != len(self.stages):
                raise errors.UsageError(
                    f"architecture field {name!r} has {len(getattr(a, name))} stages; "
                    f"space {self.name!r} has {len(self.stages)}"
                )
        for index, stage in enumerate(self.stages):
            _check(f"depths[{index}]", a.depths[index], stage.depths)
            for name in PER_LAYER:
                values = getattr(a, name)[index]
                if len(values) != a.depths[index]:
                    raise errors.UsageError(
                        f"architecture field '{name}[{index}]' has {len(values)} layers; "
                        f"depths[{index}] is {a.depths[index]}"
                    )
                for layer, value in enumerate(values):
                    _check(f"{name}[{index}][{layer}]", value, getattr(stage, name))
                if stage.tied and len(set(values)) > 1:
                    raise errors.UsageError(
                        f"architecture field '{name}[{index}]' is {errors.shown(list(values))}; "
                        f"the layers of a tied stage are equal"
                    )


_ADDED = {"style": dataclasses.asdict(PAPER), "activation": "swish", "tied": False}


def _check(field: str, value: int, choices: tuple[int, ...]) -> None:
    if value not in choices:
        raise errors.UsageError(
            f"architecture field {field!r} is {errors.shown(value)}; choose from "
            f"{errors.shown(list(choices), 200)}"
        )
