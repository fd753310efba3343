"""Which images of a folder are for training, calibration, ranking and reporting."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

from bignas_tf import errors
from bignas_tf.data.description import Description

_HELD_OUT = 0.15
_LEAST, _MOST_RANKED, _MOST_REPORTED, _MOST_CALIBRATED = 20, 2000, 5000, 2000
_TRAINING = ("train", "training")
_VALIDATION = ("validation", "valid", "val", "dev")
_TEST = ("test", "testing")


@dataclasses.dataclass(frozen=True)
class Splits:
    """Which images are for what, in TFDS' notation, and how many there are."""

    training: str
    ranking: str
    reporting: str
    calibration: str
    images: int
    calibration_images: int

    @property
    def read_from(self) -> set[str]:
        """The folder's splits that they are of."""
        named = (self.training, self.ranking, self.reporting, self.calibration)
        return {each.partition("[")[0] for each in named}


def divide(described: Description) -> Splits:
    """Uses the splits that exist, and cuts the missing ones from the training split.

    A folder with one split is divided, whatever that split is called: its images cannot be both
    for training and for reporting.

    Raises:
      UsageError: of several splits none is called "train", or one is too small.
    """
    training, validation, test = _named_splits(described)
    _check_sizes(described, [each for each in (training, validation, test) if each])
    stop = total = described.sizes[training]
    reporting = test or validation
    if not reporting:
        stop -= min(_MOST_REPORTED, math.ceil(_HELD_OUT * total))
        reporting = f"{training}[{stop}:]"
    ranking = validation if test else ""
    if not ranking:
        end, stop = stop, stop - min(_MOST_RANKED, math.ceil(_HELD_OUT * total))
        ranking = f"{training}[{stop}:{end}]"
    elif described.sizes[ranking] > _MOST_RANKED:
        ranking = f"{ranking}[:{_MOST_RANKED}]"
    calibrated = min(_MOST_CALIBRATED, stop)
    return Splits(
        training=training if stop == total else f"{training}[:{stop}]",
        ranking=ranking,
        reporting=reporting,
        calibration=f"{training}[:{calibrated}]",
        images=stop,
        calibration_images=calibrated,
    )


def _named_splits(described: Description) -> tuple[str, str, str]:
    """The folder's splits for training, validation and test; "" for one that it lacks."""
    names = list(described.sizes)
    if len(names) == 1:
        training, test, validation = names[0], "", ""
    else:
        training, test, validation = (
            _first(names, known) for known in (_TRAINING, _TEST, _VALIDATION)
        )
    if not re.fullmatch(r"[\w-]+", training) or (len(names) > 1 and not (test or validation)):
        raise errors.UsageError(
            f"{described.root} has the splits {names}; call them 'train', 'validation' (if there "
            "is one) and 'test', or put the class folders directly into it"
        )
    return training, validation, test


def _check_sizes(described: Description, used: Sequence[str]) -> None:
    smallest = min(used, key=lambda name: described.sizes[name])
    images = described.sizes[smallest]
    if images < _LEAST:
        raise errors.UsageError(
            f"{described.root}: images of split {smallest!r}: {images}; at least {_LEAST} are "
            "needed: add some, or put the class folders directly into the folder, which is then "
            "divided"
        )


def _first(names: list[str], wanted: tuple[str, ...]) -> str:
    return next((name for name in names if name.lower() in wanted), "")
