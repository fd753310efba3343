"""Chooses the configuration of a run for a folder of images.

Rules of thumb, each in one place: which space, which splits, how many steps. The numbers are those
of the quickstart on Fashion-MNIST, scaled. No TensorFlow.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any, ClassVar

from bignas_tf import commands, errors, plain, strict_yaml
from bignas_tf.data import description, division
from bignas_tf.data.description import Description
from bignas_tf.data.division import Splits
from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.space import SearchSpace

EXPERIMENT = "bignas_small"
SPACES = ("bignas_small", "bignas_medium", "bignas_large")
# Forward multiply-adds per second of a training step, on two hardware threads of one core.
MACS_A_SECOND = 6e9

_LEAST_SIDE = 8
_LEAST_IMAGES, _LEAST_OF_A_CLASS, _LEAST_ON_AVERAGE = 100, 5, 10
_BATCH, _SMALL_BATCH, _SMALL_DATA = 64, 32, 1000
_RATE = 0.007  # at a batch of 64
_LEAST_STEPS, _MOST_EPOCHS = 10, 200
_POINTS, _LONGEST_LOOP, _CHECKPOINTS = 40, 50, 4
_OVERFITS_EPOCHS = 20
_MOST_CACHED = 2 << 30


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A run that was chosen for a folder.

    Attributes:
      experiment: the registered one that every recipe is for.
      values: what it is overridden with.
      budgets: of a search, millions of multiply-adds, ascending.
      reasons: a line for each choice: what, and where to change it.
      described: the images that it suits.
      minutes: how long it may train.
    """

    values: Mapping[str, Any]
    budgets: tuple[float, ...]
    reasons: tuple[str, ...]
    described: Description
    minutes: float
    experiment: ClassVar[str] = EXPERIMENT

    def at_speed(self, images_a_second: float) -> Recipe:
        """Returns the recipe for a speed of training that was measured on this machine.

        Raises:
          UsageError: it is not a positive number.
        """
        speed = plain.number("images_a_second", images_a_second, above=0)
        return choose(self.described, self.minutes, speed)

    def to_yaml(self) -> str:
        """The values as a YAML file for `--config_file`, with the reasons as comments."""
        comments = "".join(f"# {line}\n" for line in self.reasons)
        return comments + strict_yaml.dump(dict(self.values))


def recipe(images: str | os.PathLike[str], minutes: float = 8.0) -> Recipe:
    """Looks at a folder of images and chooses a run that suits them and the minutes.

    It chooses search space, patch size, batch, splits, steps and learning rate. The steps follow
    from an estimate of this machine's speed; `at_speed` of the result takes a measured one.

    Args:
      images: the folder, `images/split/class/*.jpg` or `images/class/*.jpg` (or `*.png`).
      minutes: how long the supernet may train.

    Raises:
      UsageError: the images are too few or too small or cannot be read, or the minutes are not a
        positive number.
    """
    errors.require(isinstance(images, str | os.PathLike), "images", images, "a folder's path")
    folder = os.path.expanduser(os.fspath(images))
    errors.require(os.path.isdir(folder), "images", folder, "an existing folder")
    return choose(description.read(folder), minutes)


def choose(described: Description, minutes: float, images_a_second: float | None = None) -> Recipe:
    """Chooses a run.

    Args:
      described: the images.
      minutes: how long the supernet may train.
      images_a_second: of its training, as measured; None to estimate it from the cost of the
        space and `MACS_A_SECOND`.

    Raises:
      UsageError: the images are too few or too small, or the minutes are not a positive number.
        Says what is needed.
    """
    minutes = plain.number("minutes", minutes, above=0)
    _check(described)
    space = _choose_space(described)
    splits = division.divide(described)
    channels = 3 if described.coloured else 1
    batch = _BATCH if splits.images >= _SMALL_DATA else _SMALL_BATCH
    speed = images_a_second or _estimated_speed(space, len(described.classes), channels)
    steps, loop = _steps(60.0 * minutes * speed / batch, splits.images / batch)
    epochs = steps * batch / splits.images
    values = {
        "task": {
            "model": {"search_space": space.name},
            "sandwich": {"resolutions": "any"},
            "distillation": {"weight": 0.5, "divergence": "alpha"},
            "regularisation": {"dropout_rate": 0.2 if epochs > _OVERFITS_EPOCHS else 0.0},
            "train_data": _data(described, space, splits, batch, channels),
            "selection": _selection(space, splits),
        },
        "trainer": _trainer(steps, loop, batch),
    }
    reasons = (
        *_reasons(described, space, splits),
        f"steps: {steps} of {batch} images ({epochs:.1f} epochs), at {speed:.0f} images a second "
        "(trainer.train_steps, train_data.global_batch_size; the rate follows the steps)",
    )
    budgets = _budgets(space, len(described.classes), channels)
    return Recipe(values, budgets, reasons, described, minutes)


def _choose_space(described: Description) -> SearchSpace:
    """The preset whose patches are nearest to the images' median side, in ratio."""
    spaces = [presets.get(name) for name in SPACES]
    return min(spaces, key=lambda each: abs(math.log(each.base_resolution / described.side)))


def _check(described: Description) -> None:
    if described.side < _LEAST_SIDE:
        raise errors.UsageError(
            f"{described.root}: the images are {described.side} pixels wide or high (the median of "
            f"the shorter side); at least {_LEAST_SIDE} are needed: use larger originals"
        )
    needed = max(_LEAST_IMAGES, _LEAST_ON_AVERAGE * len(described.classes))
    if described.images < needed:
        raise errors.UsageError(
            f"{described.root} has {described.images} images of {len(described.classes)} classes; "
            f"at least {needed} are needed ({_LEAST_IMAGES}, and {_LEAST_ON_AVERAGE} a class on "
            "average): add images, leave out small classes, or fine-tune a child of another run, "
            f"which needs fewer (`{commands.spelling('finetune')}`)"
        )
    rarest = min(described.classes, key=lambda name: described.classes[name])
    if described.classes[rarest] < _LEAST_OF_A_CLASS:
        raise errors.UsageError(
            f"{described.root}: images of class {rarest!r}: {described.classes[rarest]}; at least "
            f"{_LEAST_OF_A_CLASS} are needed: add some or remove the class folder"
        )


def _estimated_speed(space: SearchSpace, classes: int, channels: int) -> float:
    """Images a second: a step trains the extremes, and two children that cost their mean."""
    return MACS_A_SECOND / (2 * sum(_extremes(space, classes, channels)))


def _extremes(space: SearchSpace, classes: int, channels: int) -> tuple[int, int]:
    """Multiply-adds of the smallest child and of the biggest."""
    smallest, biggest = space.smallest(), space.biggest()
    return (
        cost.count(space, smallest, classes, channels).macs,
        cost.count(space, biggest, classes, channels).macs,
    )


def _steps(affordable: float, steps_an_epoch: float) -> tuple[int, int]:
    """Steps of the run, a multiple of those of a loop, and the steps of a loop."""
    wanted = max(min(affordable, _MOST_EPOCHS * steps_an_epoch), _LEAST_STEPS)
    loop = min(max(int(wanted) // _POINTS, 1), _LONGEST_LOOP)
    return int(wanted) // loop * loop, loop


def _data(
    described: Description, space: SearchSpace, splits: Splits, batch: int, channels: int
) -> dict[str, Any]:
    side = space.base_resolution
    return {
        "source": "folder",
        "input_path": os.path.abspath(described.root),
        "tfds_split": splits.training,
        "base_size": side,
        "channels": channels,
        "num_classes": len(described.classes),
        "crop": "pad",
        "flip": described.coloured,
        "cache": described.images * side * side * channels <= _MOST_CACHED,
        "global_batch_size": batch,
    }


def _selection(space: SearchSpace, splits: Splits) -> dict[str, Any]:
    """A coarse search: three resolutions, and mutants in two rounds."""
    trained = space.train_resolutions
    return {
        "calibration_split": splits.calibration,
        "calibration_images": splits.calibration_images,
        "ranking_split": splits.ranking,
        "reporting_split": splits.reporting,
        "resolutions": [trained[0], space.base_resolution, trained[-1]],
        "depth_multipliers": [0.0, 0.5, 1.0],
        "kernel_patterns": ["smallest", "largest"],
        "rounds": 2,
        "mutants": 4,
    }


def _trainer(steps: int, loop: int, batch: int) -> dict[str, Any]:
    """A cosine over the whole run, after a warm-up of a twentieth of it."""
    return {
        "train_steps": steps,
        "steps_per_loop": loop,
        "summary_interval": loop,
        "checkpoint_interval": loop * max(steps // loop // _CHECKPOINTS, 1),
        "optimizer_config": {
            "learning_rate": {
                "type": "cosine",
                "cosine": {"initial_learning_rate": _RATE * batch / _BATCH, "decay_steps": 0},
            },
            "warmup": {"type": "linear", "linear": {"warmup_steps": max(steps // 20, 1)}},
            "ema": {"average_decay": 0.99},
        },
    }


def _budgets(space: SearchSpace, classes: int, channels: int) -> tuple[float, ...]:
    """Four, from a little above the smallest child to a little below the biggest."""
    smallest, biggest = (macs / 1e6 for macs in _extremes(space, classes, channels))
    least = 1.25 * smallest
    return tuple(_rounded_down(least * (biggest / least) ** (number / 3)) for number in range(4))


def _rounded_down(value: float) -> float:
    """To two digits."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.floor(value / unit + 1e-9) * unit, 9)


def _reasons(described: Description, space: SearchSpace, splits: Splits) -> tuple[str, ...]:
    kind = "colour" if described.coloured else "grey"
    mirrored = "mirrored" if described.coloured else "not mirrored"
    sizes = ", ".join(f"{name} {size:,}" for name, size in described.sizes.items())
    found = (
        f"{described.root}: {described.images:,} images ({sizes}), {len(described.classes)} "
        f"classes, {kind}, {described.side} px at the shorter side (median)"
    )
    left_out = []
    if unused := sorted(set(described.sizes) - splits.read_from):
        left_out.append(f"splits that nothing reads: {', '.join(unused)}")
    if described.ignored:
        left_out.append(f"not read: {described.ignored}")
    if described.orientation:
        left_out.append(described.orientation)
    return (
        found,
        *left_out,
        f"space: {space.name}, patches of {space.base_resolution} px (task.model.search_space, "
        "train_data.base_size)",
        f"patches: padded and cropped at random, {mirrored} (train_data.crop, train_data.flip)",
        f"training on {splits.training}, {splits.images:,} images (train_data.tfds_split); batch "
        f"norms calibrated on {splits.calibration}, children ranked on {splits.ranking}, reported "
        f"on {splits.reporting} (task.selection)",
    )
