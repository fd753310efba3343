"""Children that papers name, in the presets that they belong to."""

from __future__ import annotations

import difflib

from bignas_tf import errors
from bignas_tf.search_space import published_ofa
from bignas_tf.search_space.architecture import Architecture

_BIGNAS_EXPANDS = (1, 6, 6, 6, 6, 6, 6)
# Resolution; widths of stem, stages and head; depths, kernels and expansions of the stages.
_Row = tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
# Paper, Figure 9 and Section 4.4.
_BIGNAS: dict[str, _Row] = {
    "BigNASModel-S": (
        192, (32, 16, 24, 40, 80, 112, 192, 320, 1280), (1, 2, 2, 2, 2, 3, 1),
        (3, 3, 5, 3, 5, 5, 3), _BIGNAS_EXPANDS,
    ),
    "BigNASModel-M": (
        224, (32, 16, 24, 40, 80, 112, 192, 320, 1280), (1, 2, 2, 2, 4, 4, 1),
        (3, 3, 5, 3, 5, 5, 3), _BIGNAS_EXPANDS,
    ),
    "BigNASModel@660M": (
        256, (32, 16, 24, 48, 88, 128, 216, 352, 1408), (1, 2, 2, 2, 4, 4, 1),
        (3, 3, 5, 3, 5, 5, 3), _BIGNAS_EXPANDS,
    ),
    "BigNASModel-L": (
        288, (32, 16, 24, 40, 80, 112, 216, 352, 1408), (2, 2, 3, 3, 5, 5, 2),
        (3, 3, 5, 3, 5, 5, 5), _BIGNAS_EXPANDS,
    ),
}  # fmt: skip
# facebookresearch/AttentiveNAS at c4c16f1, configs/eval_attentive_nas_models.yml, and
# facebookresearch/AlphaNet at 1df57bf, configs/eval_alphanet_models.yml, which has its own A5.
_ATTENTIVE_NAS: dict[str, _Row] = {
    "AttentiveNAS-A0": (
        192, (16, 16, 24, 32, 64, 112, 192, 216, 1792), (1, 3, 3, 3, 3, 3, 1),
        (3, 3, 3, 3, 3, 3, 3), (1, 4, 4, 4, 4, 6, 6),
    ),
    "AttentiveNAS-A1": (
        224, (16, 16, 24, 32, 64, 112, 192, 216, 1984), (1, 3, 3, 3, 3, 3, 1),
        (3, 3, 3, 5, 3, 5, 3), (1, 4, 4, 4, 4, 6, 6),
    ),
    "AttentiveNAS-A2": (
        224, (16, 16, 24, 32, 64, 112, 200, 224, 1984), (1, 3, 3, 3, 3, 4, 1),
        (3, 3, 3, 3, 3, 5, 3), (1, 4, 5, 4, 4, 6, 6),
    ),
    "AttentiveNAS-A3": (
        224, (16, 16, 24, 32, 64, 112, 208, 224, 1984), (2, 3, 3, 4, 3, 5, 1),
        (3, 3, 3, 5, 3, 3, 3), (1, 4, 4, 4, 4, 6, 6),
    ),
    "AttentiveNAS-A4": (
        256, (16, 16, 24, 32, 64, 112, 192, 216, 1984), (1, 3, 3, 4, 3, 5, 1),
        (3, 3, 3, 5, 3, 5, 3), (1, 4, 4, 5, 4, 6, 6),
    ),
    "AttentiveNAS-A5": (
        256, (16, 16, 24, 32, 72, 112, 192, 216, 1792), (1, 3, 3, 3, 4, 6, 1),
        (3, 3, 3, 5, 3, 3, 3), (1, 4, 5, 4, 4, 6, 6),
    ),
    "AttentiveNAS-A6": (
        288, (16, 16, 24, 32, 64, 112, 216, 224, 1984), (1, 3, 3, 4, 4, 6, 1),
        (3, 3, 3, 3, 3, 5, 3), (1, 4, 6, 5, 4, 6, 6),
    ),
    "AlphaNet-A5-small": (
        256, (16, 16, 24, 32, 64, 112, 208, 216, 1984), (1, 3, 3, 4, 4, 5, 1),
        (3, 3, 3, 3, 3, 5, 3), (1, 4, 4, 5, 4, 6, 6),
    ),
    "AlphaNet-A5-base": (
        288, (16, 16, 24, 32, 64, 112, 200, 216, 1984), (2, 3, 4, 3, 3, 5, 1),
        (3, 3, 5, 5, 3, 3, 3), (1, 4, 4, 4, 5, 6, 6),
    ),
}  # fmt: skip
_ROWS = _BIGNAS | _ATTENTIVE_NAS
_OFA = {f"ofa_mbv3_w{width}": published_ofa.names(width) for width in ("1.0", "1.2")}
_NAMES = {"bignas_imagenet": tuple(_BIGNAS), "attentive_nas": tuple(_ATTENTIVE_NAS), **_OFA}


def published(name: str) -> Architecture:
    """A child that a paper names, such as "BigNASModel-S"; see `published_names`.

    Raises:
      UsageError: no such child.
    """
    errors.require(isinstance(name, str), "the name of a published child", name, "text")
    if not is_published(name):
        known = [known for names in _NAMES.values() for known in names]
        near = difflib.get_close_matches(name, known, 3, 0.0)
        raise errors.UsageError(
            f"no published child {errors.shown(name)}; near it are {', '.join(near)}"
        )
    if name not in _ROWS:
        return published_ofa.architecture(name)
    resolution, widths, depths, kernels, expands = _ROWS[name]

    def spread(values: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        return tuple((value,) * depth for value, depth in zip(values, depths, strict=True))

    return Architecture(
        resolution=resolution,
        stem_width=widths[0],
        depths=depths,
        kernels=spread(kernels),
        widths=spread(widths[1:-1]),
        expands=spread(expands),
        head_width=widths[-1],
    )


def published_names(space: str) -> tuple[str, ...]:
    """Names that `published` takes, of the children of a preset; most have none."""
    return _NAMES.get(space, ())


def is_published(name: str) -> bool:
    """Whether `published` takes a name."""
    return any(name in names for names in _NAMES.values())
