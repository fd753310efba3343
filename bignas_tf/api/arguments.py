"""Arguments as a tool's flags give them: numbers checked, and several values as a list."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from bignas_tf import errors, run_folder
from bignas_tf.plain import Value

if TYPE_CHECKING:
    from bignas_tf.training.checkpoints import Run

T = TypeVar("T")


def listed(given: Iterable[T]) -> list[T]:
    """Several values as a list; a single one, such as a path or a budget, as a list of one."""
    # Text can be taken apart, but nobody means its letters.
    if isinstance(given, str | os.PathLike) or not isinstance(given, Iterable):
        return [cast(T, given)]
    return list(given)


def check_run(run: object) -> None:
    """Refuses what is no run, such as the folder of one.

    Raises:
      UsageError: it is none.
    """
    from bignas_tf.training.checkpoints import Run  # TensorFlow, which runs alone need

    if not isinstance(run, Run):
        raise errors.UsageError(
            f"run is {errors.shown(run)}; give what `train` returns, or `load` of its folder"
        )


def check_own_network(run: Run, what: str) -> None:
    """Refuses what is no run, and a run of a network that a user has written.

    Args:
      run: to be checked.
      what: needs the project's own network, such as "fine-tuning".

    Raises:
      UsageError: it is either.
    """
    check_run(run)
    run_folder.check_network(run.model_dir, run.config.task.model.network, what)


def check_config(config: object) -> None:
    """Refuses what is no configuration, such as its file.

    Raises:
      UsageError: it is none.
    """
    from official.core import config_definitions  # TensorFlow again

    if not isinstance(config, config_definitions.ExperimentConfig):
        raise errors.UsageError(f"config is {errors.shown(config)}; give what `configure` returns")


def text(name: str, value: str) -> str:
    """Text that can be printed and stored.

    Raises:
      UsageError: it is something else, or has a lone surrogate.
    """
    return Value(value, name).text()


def array(value: object) -> np.ndarray:
    """What NumPy makes of a value; of rows of different lengths, which fit none, that of None."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.asarray(None)


def is_pil(value: object) -> bool:
    """Whether a value is an image of PIL's, which need not be installed."""
    # Asked of the class: of an image it would be copied.
    array = hasattr(type(value), "__array_interface__")
    return array and hasattr(value, "mode") and hasattr(value, "convert")


def pixels(name: str, image: object) -> np.ndarray:
    """An image, of NumPy's or PIL's kind, as uint8 [H, W, 1 or 3].

    Raises:
      UsageError: it is none.
    """
    mode = getattr(image, "mode", "")
    if is_pil(image) and mode not in ("L", "RGB"):  # such as a palette's numbers
        # PIL would cut what is above 255 off.
        deep = mode == "F" or mode.startswith("I")
        mend = "its file, or uint8 pixels made of its own" if deep else f"{name}.convert('RGB')"
        raise errors.UsageError(f"{name} has PIL's mode {mode!r}; give {mend}")
    given = array(image)
    found = given[..., np.newaxis] if given.ndim == 2 else given
    if found.dtype != np.uint8 or found.ndim != 3 or found.shape[-1] not in (1, 3):
        raise errors.UsageError(
            f"{name} is {given.dtype} {list(given.shape)}; it takes uint8, 0 to 255, of "
            "[height, width], [height, width, 1] or [height, width, 3]"
        )
    if not found.size:
        raise errors.UsageError(f"{name} has no pixels")
    return found
