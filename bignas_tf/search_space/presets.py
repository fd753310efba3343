"""Named search spaces, and spaces that a user writes."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from bignas_tf import errors, files, strict_yaml
from bignas_tf.search_space import public_spaces, published
from bignas_tf.search_space.architecture import Architecture, Stage
from bignas_tf.search_space.plain_space import from_dict
from bignas_tf.search_space.space import SearchSpace

# However a child may be named; see `child`.
AnyArchitecture = Architecture | Mapping[str, Any] | str | os.PathLike[str]


def bignas_imagenet() -> SearchSpace:
    """The paper's space (Table 1). Channel steps of 8, and 64 in the head, are ours."""
    return SearchSpace(
        name="bignas_imagenet",
        stem_widths=(32, 40),
        stem_stride=2,
        stages=(
            Stage((16, 24), (1, 2), (3,), expands=(1,)),
            Stage((24, 32), (2, 3), (3,), stride=2),
            Stage((40, 48), (2, 3), (3, 5), stride=2),
            Stage((80, 88), (2, 3, 4), (3, 5), stride=2),
            Stage((112, 120, 128), (2, 3, 4, 5, 6), (3, 5)),
            Stage((192, 200, 208, 216), (2, 3, 4, 5, 6), (3, 5), stride=2),
            Stage((320, 328, 336, 344, 352), (1, 2), (3, 5)),
        ),
        head_widths=(1280, 1344, 1408),
        train_resolutions=(192, 224, 288, 320),
        eval_resolutions=(192, 208, 224, 240, 256, 272, 288, 304, 320, 336),
        base_resolution=224,
        padding="same",
    )


def bignas_imagenet_symmetric() -> SearchSpace:
    """The paper's space, padded alike at every resolution (ours)."""
    return dataclasses.replace(
        bignas_imagenet(), name="bignas_imagenet_symmetric", padding="symmetric"
    )


def bignas_small() -> SearchSpace:
    """A space for images of 20 to 32 pixels, shaped like the paper's (ours)."""
    return SearchSpace(
        name="bignas_small",
        stem_widths=(12, 16),
        stem_stride=1,
        stages=(
            Stage((12, 16), (1,), (3,), stride=2, expands=(1,)),
            Stage((24, 28, 32), (2, 3), (3, 5), stride=2),
            Stage((48, 56, 64, 72, 80, 88, 96), (1, 2, 3), (3, 5), stride=2),
        ),
        head_widths=(192, 224, 256),
        train_resolutions=(20, 22, 24, 26, 28, 30, 32),
        eval_resolutions=(20, 22, 24, 26, 28, 30, 32),
        base_resolution=28,
    )


def bignas_medium() -> SearchSpace:
    """A space for images of 48 to 72 pixels: `bignas_small` with one stage more (ours)."""
    return SearchSpace(
        name="bignas_medium",
        stem_widths=(12, 16),
        stem_stride=2,
        stages=(
            Stage((12, 16), (1,), (3,), stride=2, expands=(1,)),
            Stage((24, 28, 32), (1, 2, 3), (3, 5), stride=2),
            Stage((40, 48, 56, 64), (1, 2, 3), (3, 5), stride=2),
            Stage((72, 80, 88, 96), (1, 2), (3, 5)),
        ),
        head_widths=(256, 320, 384),
        train_resolutions=(48, 56, 64, 72),
        eval_resolutions=(48, 52, 56, 60, 64, 68, 72),
        base_resolution=64,
    )


def bignas_large() -> SearchSpace:
    """A space for images of 96 to 144 pixels: `bignas_medium` with one more stride of 2 (ours)."""
    return SearchSpace(
        name="bignas_large",
        stem_widths=(12, 16),
        stem_stride=2,
        stages=(
            Stage((12, 16), (1,), (3,), stride=2, expands=(1,)),
            Stage((24, 28, 32), (1, 2, 3), (3, 5), stride=2),
            Stage((40, 48, 56, 64), (1, 2, 3), (3, 5), stride=2),
            Stage((72, 80, 88, 96), (1, 2, 3), (3, 5), stride=2),
            Stage((112, 128, 144), (1, 2), (3, 5)),
        ),
        head_widths=(384, 448, 512),
        train_resolutions=(96, 112, 128, 144),
        eval_resolutions=(96, 104, 112, 120, 128, 136, 144),
        base_resolution=128,
    )


_MOST_NAMED = 5
_EXTREMES = ("smallest", "biggest")  # of the children of every space
PRESETS: dict[str, Callable[[], SearchSpace]] = {
    "bignas_imagenet": bignas_imagenet,
    "bignas_imagenet_symmetric": bignas_imagenet_symmetric,
    "bignas_small": bignas_small,
    "bignas_medium": bignas_medium,
    "bignas_large": bignas_large,
    "attentive_nas": public_spaces.attentive_nas,
    "ofa_mbv3_w1.0": public_spaces.ofa_mbv3_w10,
    "ofa_mbv3_w1.2": public_spaces.ofa_mbv3_w12,
}


def get(name: str) -> SearchSpace:
    """Returns a preset by name, or the space that a YAML file describes.

    Raises:
      UsageError: neither a preset nor a readable, valid file.
    """
    if name is not None:  # as an empty override leaves it
        name = errors.require_path("search space", name)
    if name in PRESETS:
        return PRESETS[name]()
    if name and files.is_file(name):
        return from_dict(read_yaml(name), name)
    raise errors.UsageError(
        f"search space {errors.shown(name, 200)} is neither a preset nor a file; presets: "
        f"{sorted(PRESETS)}"
    )


def read_yaml(path: str) -> object:
    """The content of a file that describes a space.

    Raises:
      UsageError: it cannot be read, or is not YAML.
    """
    try:
        return strict_yaml.load(files.read_text(path))
    except errors.UsageError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise errors.UsageError(f"{path} is not valid YAML: {errors.one_line(error)}") from error


def to_yaml(space: SearchSpace) -> str:
    """Writes a space in the form that `get` reads from a file."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    return strict_yaml.dump(plain(space.content()))


def child(space: SearchSpace, name: AnyArchitecture) -> Architecture:
    """A child of a space, however it is named.

    Args:
      space: what it belongs to.
      name: the architecture itself or its plain form, "smallest", "biggest", a published child's
        name, or a JSON file.

    Raises:
      UsageError: no such child, or one outside the space.
    """
    if isinstance(name, Mapping):
        plain = name.get("architecture", name)  # a file may say more of a child
        name = Architecture.from_json(dict(plain) if isinstance(plain, Mapping) else plain)
    if isinstance(name, Architecture):
        return space.normalised(name)
    if not isinstance(name, str | os.PathLike):
        raise errors.UsageError(
            f"{errors.shown(name)} is no architecture: give one (a result of a search has it as "
            "`.architecture`), its JSON file, 'smallest', 'biggest' or a published name"
        )
    name = os.fspath(name)
    if name in _EXTREMES:
        return space.smallest() if name == "smallest" else space.biggest()
    if not published.is_published(name):
        return _in_file(space, name)
    architecture = published.published(name)
    try:
        space.validate(architecture)
    except errors.UsageError as error:
        raise errors.UsageError(f"{name} is not a child of {space.name!r}: {error}") from None
    return architecture


def _in_file(space: SearchSpace, path: str) -> Architecture:
    if not path.endswith(".json") and "/" not in path and not files.is_file(path):
        known = [*_EXTREMES, *published.published_names(space.name)]
        raise errors.UsageError(
            f"{errors.shown(path)} is neither a file nor the name of a child of {space.name!r}: "
            f"{', '.join(known)}"
        )
    try:
        architecture = Architecture.load(path)
    except errors.UsageError as error:
        if files.is_file(path):
            raise
        raise errors.UsageError(f"{error}{_beside(path)}") from error
    space.validate(architecture)
    return architecture


def _beside(path: str) -> str:
    """Names the children in the folder of a file that is missing; "" where there are none."""
    try:
        found = sorted(pathlib.Path(path).parent.glob("child_*.json"))
    except OSError:  # such as a path that is too long
        return ""
    names = ", ".join(each.name for each in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"; beside it are {names}{more}" if names else ""
