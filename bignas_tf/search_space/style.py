"""What family of networks a space belongs to: all about its blocks that no child chooses.

The defaults are the paper's. Other values describe the supernets that others have trained, such
as AttentiveNAS's (https://arxiv.org/abs/2011.09011) and Once-for-all's
(https://arxiv.org/abs/1908.09791), so that their weights run here.
"""

from __future__ import annotations

import dataclasses

from bignas_tf.search_space.counts import Count, rounded

ACTIVATIONS = ("swish", "hard_swish", "relu", "relu6")
GATES = ("sigmoid", "hard_sigmoid")
SKIPS = ("projected", "matched", "equal")
KERNELS = ("centre", "matrix")
HEADS = ("convolved", "mixed")
SE_BASES = ("input", "expanded")
_HEAD_EXPANSION = 6
# Inputs are pixels from 0 to 255, mapped to [-1, 1].
_HALF_RANGE = 127.5


@dataclasses.dataclass(frozen=True)
class SqueezeExcite:
    """How squeeze-and-excite is made (https://arxiv.org/abs/1709.01507).

    Attributes:
      of: whose channels a stage's `se_ratio` is a fraction of: those of a block's "input", or of
        its "expanded" features.
      divisor: units are rounded to a multiple of it, as `counts.rounded` does.
      activation: of the units.
      gate: "sigmoid", or "hard_sigmoid", which is relu6(x + 3) / 6.
    """

    of: str = "input"
    divisor: int = 1
    activation: str = "swish"
    gate: str = "sigmoid"

    def units(self, ratio: float, in_width: Count, mid_width: Count) -> Count:
        """How many units a block has; 0, an int, if its stage has no squeeze-and-excite."""
        if not ratio:
            return 0
        base = in_width if self.of == "input" else mid_width
        return rounded(base // round(1 / ratio), self.divisor)


@dataclasses.dataclass(frozen=True)
class Style:
    """How the blocks, the stem and the head of a space are made.

    Attributes:
      skips: what is added to a block's residual. "projected": in a stage's first block the input,
        average-pooled where the block strides, through a 1x1 convolution with batch norm; in later
        blocks the input, cut or padded with zeros to the width of the output (the paper's).
        "matched": the input, pooled where the block strides (an odd side with zeros around it),
        through a 1x1 convolution without batch norm only if its width differs (AttentiveNAS).
        "equal": the input where the block neither strides nor changes the width, else nothing
        (MobileNet).
      head: "convolved" is a 1x1 convolution, batch norm, activation, average and classifier;
        "mixed" widens the features six times, averages them, and then has a 1x1 convolution
        without batch norm before the activation and the classifier (MobileNetV3).
      kernels: what a smaller depthwise kernel is: the "centre" of the largest, or the centre of the
        next larger one times a learnt "matrix" (Once-for-all).
      stem_activation: of the stem.
      head_activation: of the head.
      epsilon: what batch norms add to a variance.
      squeeze_excite: see `SqueezeExcite`.
      pixel_mean: what the stem takes off each channel of the pixels, from 0 to 255; none leaves
        them in [-1, 1].
      pixel_deviation: what it divides them by.
    """

    skips: str = "projected"
    head: str = "convolved"
    kernels: str = "centre"
    stem_activation: str = "swish"
    head_activation: str = "swish"
    epsilon: float = 1e-3
    squeeze_excite: SqueezeExcite = SqueezeExcite()
    pixel_mean: tuple[float, ...] = ()
    pixel_deviation: tuple[float, ...] = ()

    def head_conv_width(self, in_width: Count, head_width: Count) -> Count:
        """The channels that the head pools."""
        return head_width if self.head == "convolved" else _HEAD_EXPANSION * in_width

    @property
    def rescaling(self) -> tuple[list[float], list[float]] | None:
        """The factor and the offset of each channel of an image in [-1, 1]; None to leave it."""
        if not self.pixel_mean:
            return None
        pairs = list(zip(self.pixel_mean, self.pixel_deviation, strict=True))
        scale = [_HALF_RANGE / deviation for _, deviation in pairs]
        return scale, [(_HALF_RANGE - mean) / deviation for mean, deviation in pairs]


PAPER = Style()
