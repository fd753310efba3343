"""Once-for-all's released nets, in the spaces of its MobileNetV3 supernets.

From the net.config files of han-cai/files at a7c9bcd. Their released weights are fine-tuned, each
apart; as children of the supernet they are slices of it.
"""

from __future__ import annotations

from bignas_tf.search_space import public_spaces
from bignas_tf.search_space.architecture import Architecture

# The width multiplier; the resolution; kernels and expansions, a digit a layer, of the five stages
# that vary.
_ROWS = {
    "OFA-note10-64ms": ("1.2", 260, "333 5335 5537 5333 3353", "363 4633 6644 6664 6663"),
    "OFA-pixel1-143ms": ("1.2", 240, "533 5535 7533 5353 3353", "363 6663 6664 6664 6663"),
    "OFA-flops-595M": ("1.2", 236, "353 5535 7535 3573 3353", "343 4463 6634 6664 6663"),
    "OFA-pixel1-132ms": ("1.2", 228, "53 5535 7535 5555 3353", "36 4663 6664 6664 6663"),
    "OFA-note10-50ms": ("1.2", 220, "533 5335 7735 7533 333", "366 4663 6644 6666 666"),
    "OFA-flops-482M": ("1.2", 224, "533 5353 5533 5735 7333", "333 4443 4633 6664 6663"),
    "OFA-note10-41ms": ("1.2", 220, "33 733 7333 3533 3333", "34 446 6634 6664 6663"),
    "OFA-flops-389M": ("1.2", 224, "33 553 553 5533 3373", "33 363 443 6444 6663"),
    "OFA-pixel1-79ms": ("1.2", 224, "33 53 753 5333 3333", "33 34 443 6443 6663"),
    "OFA-note10-30ms": ("1.2", 224, "33 533 553 333 3333", "33 434 443 644 6643"),
    "OFA-note10-22ms": ("1.0", 224, "33 533 755 533 3333", "33 344 444 464 6663"),
    "OFA-LG-G8-24ms": ("1.0", 220, "33 753 555 375 5733", "33 433 643 443 6664"),
    "OFA-pixel1-58ms": ("1.0", 220, "33 753 555 375 5733", "33 433 643 443 6664"),
    "OFA-note8-65ms": ("1.0", 204, "73 353 733 533 5553", "33 443 664 664 6443"),
    "OFA-s7edge-88ms": ("1.0", 192, "53 533 755 5535 3733", "34 664 463 6644 6664"),
    "OFA-pixel2-62ms": ("1.0", 208, "33 753 555 375 5733", "33 433 643 443 6664"),
    "OFA-pixel2-50ms": ("1.0", 208, "33 33 35 57 3575", "34 33 36 64 6343"),
    "OFA-note8-49ms": ("1.0", 176, "53 537 773 333 3535", "34 444 434 464 6664"),
    "OFA-note10-16ms": ("1.0", 192, "33 5533 553 553 3753", "33 3443 443 443 6443"),
    "OFA-pixel1-40ms": ("1.0", 172, "53 537 773 333 3535", "34 444 434 464 6664"),
    "OFA-LG-G8-16ms": ("1.0", 176, "33 753 555 375 5733", "33 433 643 443 6664"),
    "OFA-s7edge-58ms": ("1.0", 192, "33 53 7533 333 355", "33 34 4343 443 644"),
    "OFA-pixel2-35ms": ("1.0", 160, "33 333 77 5337 7775", "33 346 44 4333 4633"),
    "OFA-note10-11ms": ("1.0", 176, "33 53 53 333 355", "33 44 44 433 444"),
    "OFA-pixel1-28ms": ("1.0", 160, "33 733 73 35 3333", "34 364 36 64 6436"),
    "OFA-LG-G8-11ms": ("1.0", 156, "33 537 53 535 575", "33 344 43 443 664"),
    "OFA-note8-31ms": ("1.0", 152, "53 55 335 357 3355", "33 43 444 434 6333"),
    "OFA-s7edge-41ms": ("1.0", 160, "33 53 75 333 3533", "33 34 44 443 6433"),
    "OFA-pixel2-25ms": ("1.0", 144, "33 55 73 773 53", "33 64 43 434 64"),
    "OFA-pixel1-20ms": ("1.0", 152, "33 55 73 53 37", "33 33 43 34 66"),
    "OFA-note10-8ms": ("1.0", 160, "33 33 333 33 35", "33 34 433 34 44"),
    "OFA-LG-G8-8ms": ("1.0", 144, "33 55 533 37 37", "33 43 333 64 64"),
    "OFA-note8-22ms": ("1.0", 140, "33 55 73 53 37", "33 33 43 34 66"),
    "OFA-s7edge-29ms": ("1.0", 144, "33 53 53 55 35", "33 34 44 44 63"),
}
_SPACES = {"1.0": public_spaces.ofa_mbv3_w10, "1.2": public_spaces.ofa_mbv3_w12}


def names(multiplier: str) -> tuple[str, ...]:
    """The nets of a width multiplier, "1.0" or "1.2"."""
    return tuple(name for name, row in _ROWS.items() if row[0] == multiplier)


def architecture(name: str) -> Architecture:
    """The architecture of one of `names`."""
    multiplier, resolution, kernels, expands = _ROWS[name]
    space = _SPACES[multiplier]()
    depths = (1, *map(len, kernels.split()))
    stages = zip(space.stages, depths, strict=True)
    return Architecture(
        resolution=resolution,
        stem_width=space.stem_widths[0],
        depths=depths,
        kernels=((3,), *_digits(kernels)),
        widths=tuple(stage.widths * depth for stage, depth in stages),
        expands=((1,), *_digits(expands)),
        head_width=space.head_widths[0],
    )


def _digits(text: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, stage)) for stage in text.split()]
