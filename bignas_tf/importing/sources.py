"""The public supernets that can be imported."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Source:
    """A public supernet.

    Attributes:
      title: for people.
      experiment: packaged YAML file with its search space and images.
      licence: of its code, as far as anything is said of its weights.
      address: of the code and its downloads.
    """

    title: str
    experiment: str
    licence: str
    address: str


_NON_COMMERCIAL = "CC BY-NC 4.0 (non-commercial use only)"
_MIT = "MIT (of the code; nothing is said of the weights)"
_OFA = "https://github.com/mit-han-lab/once-for-all"

SOURCES = {
    "attentive_nas": Source(
        "AttentiveNAS",
        "attentive_nas.yaml",
        _NON_COMMERCIAL,
        "https://github.com/facebookresearch/AttentiveNAS",
    ),
    "alphanet": Source(
        "AlphaNet",
        "attentive_nas.yaml",
        _NON_COMMERCIAL,
        "https://github.com/facebookresearch/AlphaNet",
    ),
    "ofa_mbv3_w1.0": Source("Once-for-all, MobileNetV3", "ofa_mbv3_w1.0.yaml", _MIT, _OFA),
    "ofa_mbv3_w1.2": Source(
        "Once-for-all, MobileNetV3, 1.2 times as wide",
        "ofa_mbv3_w1.2.yaml",
        _MIT,
        _OFA,
    ),
}
