"""Spaces of supernets that others have trained on ImageNet, and whose weights are public."""

from __future__ import annotations

import dataclasses

from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.search_space.style import SqueezeExcite, Style

# What both families took from MobileNetV3, and the usual pixels of PyTorch's models.
_MOBILENET_V3 = Style(
    skips="equal",
    head="mixed",
    epsilon=1e-5,
    squeeze_excite=SqueezeExcite("expanded", 8, "relu", "hard_sigmoid"),
    pixel_mean=(123.675, 116.28, 103.53),
    pixel_deviation=(58.395, 57.12, 57.375),
)


def attentive_nas() -> SearchSpace:
    """The space of AttentiveNAS (https://arxiv.org/abs/2011.09011) and AlphaNet.

    As in facebookresearch/AttentiveNAS at c4c16f1, configs/train_attentive_nas_models.yml.
    """

    def stage(
        widths: tuple[int, ...],
        depths: range,
        expands: tuple[int, ...],
        se_ratio: float,
        stride: int = 2,
    ) -> Stage:
        return Stage(widths, tuple(depths), (3, 5), expands, stride, se_ratio, tied=True)

    return SearchSpace(
        name="attentive_nas",
        stem_widths=(16, 24),
        stem_stride=2,
        stages=(
            stage((16, 24), range(1, 3), (1,), 0.0, stride=1),
            stage((24, 32), range(3, 6), (4, 5, 6), 0.0),
            stage((32, 40), range(3, 7), (4, 5, 6), 0.25),
            stage((64, 72), range(3, 7), (4, 5, 6), 0.0),
            stage((112, 120, 128), range(3, 9), (4, 5, 6), 0.25, stride=1),
            stage((192, 200, 208, 216), range(3, 9), (6,), 0.25),
            stage((216, 224), range(1, 3), (6,), 0.25, stride=1),
        ),
        head_widths=(1792, 1984),
        train_resolutions=(192, 224, 256, 288),
        eval_resolutions=(192, 224, 256, 288),
        base_resolution=224,
        style=dataclasses.replace(_MOBILENET_V3, skips="matched"),
    )


def ofa_mbv3_w10() -> SearchSpace:
    """Once-for-all's MobileNetV3 (https://arxiv.org/abs/1908.09791), ofa_mbv3_d234_e346_k357_w1.0.

    As in mit-han-lab/once-for-all at f03b267.
    """
    return _ofa_mbv3("ofa_mbv3_w1.0", (16, 16, 24, 40, 80, 112, 160, 1280), range(128, 225, 4))


def ofa_mbv3_w12() -> SearchSpace:
    """As `ofa_mbv3_w10`, 1.2 times as wide: ofa_mbv3_d234_e346_k357_w1.2."""
    return _ofa_mbv3("ofa_mbv3_w1.2", (24, 24, 32, 48, 96, 136, 192, 1536), range(160, 261, 4))


def _ofa_mbv3(name: str, widths: tuple[int, ...], sides: range) -> SearchSpace:
    """Widths of the stem, the six stages and the head; only kernels, expansions, depths vary."""
    stem, first, *rest, head = widths

    def stage(width: int, activation: str, se_ratio: float, stride: int = 2) -> Stage:
        choices = (2, 3, 4), (3, 5, 7), (3, 4, 6)
        return Stage((width,), *choices, stride, se_ratio, activation)

    return SearchSpace(
        name=name,
        stem_widths=(stem,),
        stem_stride=2,
        stages=(
            Stage((first,), (1,), (3,), (1,), 1, 0.0, "relu"),
            stage(rest[0], "relu", 0.0),
            stage(rest[1], "relu", 0.25),
            stage(rest[2], "hard_swish", 0.0),
            stage(rest[3], "hard_swish", 0.25, stride=1),
            stage(rest[4], "hard_swish", 0.25),
        ),
        head_widths=(head,),
        train_resolutions=(sides[0], 192, 224),
        eval_resolutions=tuple(sides),
        base_resolution=224,
        style=dataclasses.replace(
            _MOBILENET_V3,
            kernels="matrix",
            stem_activation="hard_swish",
            head_activation="hard_swish",
        ),
    )
