"""Children side by side, block by block, as the paper's Figure 9 shows them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from bignas_tf.search_space import blocks
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace

_COLOURS = {1: "#9a9a9a", 3: "#0072b2", 5: "#d55e00", 7: "#009e73"}
_OTHER = "#cc79a7"
_COLUMN, _BOX, _GAP = 190, 22, 6  # at least; a longer name widens the column
_LETTER = 7  # pixels of a name's letter
_MOST_WIDTH = 170  # pixels of the widest block


def to_svg(space: SearchSpace, children: Sequence[tuple[str, Architecture]]) -> str:
    """Returns an SVG with a column for each child, also valid as a separate file.

    A box is a block: as wide as its output channels, coloured by its kernel. Rows are positions
    in the deepest child, so that stages are side by side.

    Args:
      space: of the children.
      children: a name and the choices of each.
    """
    rows = [(block.stage, block.layer) for block in blocks.widest(space).blocks]
    heights = {place: _row(number, place[0]) for number, place in enumerate(rows)}
    bottom = max(heights.values()) + _BOX + _GAP
    wide = max([_COLUMN, *(_LETTER * (len(name) + 1) for name, _ in children)])
    parts: list[str] = []
    for column, (name, child) in enumerate(children):
        left = wide * column
        parts += _child(space, name, child, left, heights, bottom)
    width, height = wide * len(children), bottom + _BOX + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="11" role="img" '
        f'aria-label="The selected children, block by block">{"".join(parts)}</svg>'
    )


def _row(number: int, stage: int) -> int:
    """The top of a row; stages are a little apart."""
    return 62 + number * (_BOX + 3) + stage * _GAP


def _child(
    space: SearchSpace,
    name: str,
    child: Architecture,
    left: int,
    heights: dict[tuple[int, int], int],
    bottom: int,
) -> Iterator[str]:
    table = blocks.resolve_child(space, child)
    widest = max(block.out_width for block in blocks.widest(space).blocks)
    side = blocks.strided(child.resolution, space.stem_stride)
    yield _text(left, 14, name, 'font-weight="600"')
    yield _text(left, 32, f"{child.resolution} px")
    yield _text(left, 52, f"stem 3x3, {table.stem_width}")
    yield _side(left, 52, side)
    for block in table.blocks:
        if block.active:
            top = heights[block.stage, block.layer]
            side = blocks.strided(side, block.stride)
            width = max(_MOST_WIDTH * block.out_width / widest, 8)
            yield _box(left, top, width, block, side)
            if block.layer == 0:
                yield _side(left, top + 15, side)
    mixed = f", mean, {table.head_width}" if space.style.head == "mixed" else ""
    yield _text(left, bottom + 14, f"head 1x1, {table.head_conv_width}{mixed}")


def _box(left: int, top: int, width: float, block: blocks.Block, side: int) -> str:
    colour = _COLOURS.get(block.kernel, _OTHER)
    ratio = block.mid_width // block.in_width
    label = f"{block.kernel}x{block.kernel}, x{ratio}, {block.out_width}"
    description = (
        f"{block.name}: kernel {block.kernel}x{block.kernel}, expansion {ratio}, "
        f"{block.out_width} channels, {side}x{side}"
        + (f", squeeze-and-excite {block.se_width}" if block.se_width else "")
    )
    return (
        f"<g><title>{html.escape(description)}</title>"
        f'<rect x="{left}" y="{top}" width="{width:.0f}" height="{_BOX}" rx="3" '
        f'fill="{colour}" fill-opacity="0.35"/>{_text(left + 5, top + 15, label)}</g>'
    )


def _side(left: int, top: int, side: int) -> str:
    """The side of the features that a stage gives, at the right of its first row."""
    return _text(left + _MOST_WIDTH - 4, top, f"{side} px", 'text-anchor="end" opacity="0.75"')


def _text(left: int, top: int, text: str, style: str = "") -> str:
    return f'<text x="{left}" y="{top}" {style}>{html.escape(text)}</text>'
