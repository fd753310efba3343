"""Takes the weights of a supernet from a state dictionary, whole or not at all."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from bignas_tf import errors
from bignas_tf.importing import naming
from bignas_tf.importing.naming import Weight
from bignas_tf.modeling.supernet import Supernet

# Statistics are calibrated for each child here; convolutions in the skips of blocks whose widths
# never differ are saved there and never run.
_STATISTICS = re.compile(r"running_mean|running_var|num_batches_tracked|bn_tracking\.")
_UNUSED = re.compile(r"blocks\.\d+\.shortcut\.")
_WRAPPER = "module."
_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Taken:
    """What an import took and what it left.

    Attributes:
      tensors: how many were taken.
      parameters: how many numbers they have.
      statistics: tensors of batch norms' statistics, left.
      unused: convolutions that no child runs, left.
    """

    tensors: int
    parameters: int
    statistics: int
    unused: int


def state_of(content: Any, name: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """The state dictionary of a file's content, and the names of what is beside it.

    Args:
      content: from `torch_files.read`.
      name: of the file.

    Raises:
      UsageError: there is none, or it holds a tensor by two names.
    """
    beside: list[str] = []
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        beside = [str(key) for key in content if key != "state_dict"]
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, np.ndarray) for key, value in content.items()
    ):
        raise errors.UsageError(f"{name} holds no state dictionary: no tensors by name")
    state = {}
    for key, value in content.items():
        key = naming.canonical(key.removeprefix(_WRAPPER))
        if key in state:
            raise errors.UsageError(f"{name} holds {errors.shown(key)} twice, by two names")
        state[key] = value
    return state, beside


def classes(state: Mapping[str, np.ndarray], name: str) -> int:
    """The outputs of the classifier.

    Raises:
      UsageError: there is no classifier.
    """
    kernels = [value for key, value in state.items() if re.fullmatch(r"classifier\..*weight", key)]
    if len(kernels) != 1 or kernels[0].ndim != 2:
        raise errors.UsageError(f"{name} holds no supernet of these: it has no classifier")
    return len(kernels[0])


def assign(supernet: Supernet, state: Mapping[str, np.ndarray], name: str) -> Taken:
    """Sets every weight of a supernet, after all of them were checked.

    Args:
      supernet: of the space that was trained.
      state: from `state_of`.
      name: of the file, for messages.

    Raises:
      UsageError: a tensor is missing, has another shape, is not finite, or is one too many.
    """
    pairs = list(naming.weights(supernet))
    missing = [weight.key for weight in pairs if weight.key not in state]
    if missing:
        raise errors.UsageError(
            f"{name} lacks {len(missing)} of the {len(pairs)} tensors of {supernet.space.name!r}: "
            f"{_some(missing)}; it may be of another supernet"
        )
    values = [_converted(weight, state[weight.key], name) for weight in pairs]
    left = set(state) - {weight.key for weight in pairs}
    statistics = {key for key in left if _STATISTICS.search(key)}
    unused = {key for key in left - statistics if _UNUSED.match(key)}
    if extra := sorted(left - statistics - unused):
        raise errors.UsageError(
            f"{name} holds tensors that {supernet.space.name!r} does not have ({len(extra)}): "
            f"{_some(extra)}; it may be of another supernet"
        )
    for weight, value in zip(pairs, values, strict=True):
        weight.variable.assign(value)
    parameters = sum(value.size for value in values)
    return Taken(len(pairs), parameters, len(statistics), len(unused))


def _converted(weight: Weight, value: np.ndarray, name: str) -> np.ndarray:
    """A tensor in our order of axes."""
    ours = tuple(weight.variable.shape)
    given = value.shape
    if weight.axes is not None and value.ndim == len(weight.axes):
        value = value.transpose(weight.axes)
    # A product over one pixel has two axes here.
    if value.ndim == 4 and len(ours) == 2 and value.shape[2:] == (1, 1):
        value = value[..., 0, 0]
    if value.shape != ours:
        raise errors.UsageError(
            f"{name}: {weight.key} is {errors.shown(list(given))}, which does not fit "
            f"{list(ours)} here; it may be of another supernet"
        )
    value = value.astype(np.float32)
    if not np.isfinite(value).all():
        raise errors.UsageError(f"{name}: {weight.key} holds values that are not finite")
    return value


def _some(keys: list[str]) -> str:
    more = ", …" if len(keys) > _SHOWN else ""
    return errors.cut(", ".join(keys[:_SHOWN]) + more, 300)
