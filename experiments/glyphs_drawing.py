"""Letters and digits of a font as grey images of 64 x 64 pixels, each distorted in its own way.

A font is drawn at one size: nine tenths of its characters fit into `BOX`, so that `c` stays
smaller than `C`; the few that are larger than `LARGEST` are shrunk to it. A character then is
centred by its bounding box, and distorted by amounts that follow from its name alone: size,
rotation, slant, position, thickness of the strokes, blur, and the two levels of grey.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import string

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
SIDE = 64
BOX = 44  # pixels
LARGEST = 58  # pixels
_FINER = 2  # drawn at twice the side, for smooth edges after rotation
_MEASURED_AT = 100  # pixels an em
_NO_CHARACTER = "\uffff"  # Unicode keeps it free, so a font draws its "missing" sign
# Pairs whose two cases differ in shape in all fonts that have two cases, and by how much.
_TWO_SHAPES = "adegnqrt"
_ONE_CASE = 0.15
_PLACEHOLDER_USES = 4  # 0, O and o may be one drawing, or 1, I and l; four are none


@dataclasses.dataclass(frozen=True)
class Distortion:
    """How one image differs from the plain drawing.

    Attributes:
      scale: factor of the size.
      degrees: rotation, counterclockwise.
      slant: horizontal shift for each pixel upwards.
      shift: right and down, as fractions of the free margin.
      stroke: -1 thins the strokes by a pixel, 1 thickens them, 0 leaves them.
      blur: radius in pixels.
      background: grey level around the character, 0 to 255.
      ink: grey level of the character, 0 to 255.
    """

    scale: float = 1.0
    degrees: float = 0.0
    slant: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    stroke: int = 0
    blur: float = 0.0
    background: int = 0
    ink: int = 255


def distortion(name: str) -> Distortion:
    """The distortion of the image with this name; equal names have equal ones."""
    digest = hashlib.blake2b(name.encode(), digest_size=36).digest()
    part = [int.from_bytes(digest[i : i + 4], "little") / 2**32 for i in range(0, 36, 4)]
    background = round(80 * part[7])
    return Distortion(
        scale=0.85 + 0.25 * part[0],
        degrees=-10 + 20 * part[1],
        slant=-0.15 + 0.3 * part[2],
        shift=(-0.5 + part[3], -0.5 + part[4]),
        stroke=(-1, 0, 0, 1)[int(4 * part[5])],
        blur=part[6],
        background=background,
        ink=background + 90 + round(85 * part[8]),
    )


class Face:
    """One font, and which of its characters can be used.

    Attributes:
      left_out: character -> why it cannot be used.
      characters: the others, in the order of `CHARACTERS`.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        drawings = {each: self._glyph(each, _MEASURED_AT) for each in CHARACTERS + _NO_CHARACTER}
        missing = drawings.pop(_NO_CHARACTER)
        self.left_out = left_out(drawings, missing)
        self.characters = [each for each in CHARACTERS if each not in self.left_out]
        sizes = [max(drawings[each].size) for each in self.characters] or [BOX]
        self._pixels_an_em = _MEASURED_AT * BOX / float(np.percentile(sizes, 90))

    def draw(self, character: str, distortion: Distortion | None = None) -> Image.Image:
        """A grey image [64, 64]; white on black, without distortion, where `distortion` is None."""
        distortion = distortion or Distortion()
        glyph = self._glyph(character, self._pixels_an_em * distortion.scale * _FINER)
        largest = LARGEST * _FINER
        if max(glyph.size) > largest:
            glyph = _fitted(glyph, largest)
        image = _stroked(_boxed(glyph, SIDE * _FINER), distortion.stroke)
        image = _moved(image, distortion, glyph.size).reduce(_FINER)
        if distortion.blur:
            image = image.filter(ImageFilter.GaussianBlur(distortion.blur))
        step = (distortion.ink - distortion.background) / 255
        return image.point([round(distortion.background + step * level) for level in range(256)])

    def _glyph(self, character: str, size: float) -> Image.Image:
        """The drawing of a character, cut to its bounding box; white on black."""
        # Basic layout: the other one depends on a library that not every machine has.
        layout = ImageFont.Layout.BASIC
        font = ImageFont.truetype(io.BytesIO(self._content), size, layout_engine=layout)
        left, top, right, bottom = (round(edge) for edge in font.getbbox(character))
        image = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
        ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=font)
        return image.crop(image.getbbox())


def left_out(drawings: dict[str, Image.Image], missing: Image.Image) -> dict[str, str]:
    """The characters of a font that cannot be used, and why.

    - Blank ones, and those that the font draws as its sign for a missing character.
    - Those with one drawing in common, where they are more than can look alike.
    - All letters, where half of those whose two cases differ in shape are drawn alike, so
      which of the cases the font has is unclear.

    Args:
      drawings: each of `CHARACTERS`, cut to its bounding box.
      missing: the sign for a missing character.
    """
    reasons: dict[str, str] = {}
    uses: dict[object, list[str]] = {}
    for each, drawing in drawings.items():
        if not drawing.getbbox():
            reasons[each] = "blank"
        elif drawing == missing:
            reasons[each] = "missing"
        uses.setdefault((drawing.size, drawing.tobytes()), []).append(each)
    for characters in uses.values():
        if len(characters) >= _PLACEHOLDER_USES:
            for each in characters:
                reasons.setdefault(each, f"drawn like {len(characters) - 1} others")
    pairs = [pair for pair in _TWO_SHAPES if not {pair, pair.upper()} & reasons.keys()]
    alike = sum(_difference(drawings[pair], drawings[pair.upper()]) < _ONE_CASE for pair in pairs)
    if alike and 2 * alike >= len(pairs):
        for each in string.ascii_letters:
            reasons.setdefault(each, "capitals and small letters are alike")
    return reasons


def _difference(one: Image.Image, other: Image.Image) -> float:
    """The share of their ink, from 0 to 1, that two drawings fitted to one box do not share."""
    side = 24
    first, second = (
        np.asarray(_boxed(_fitted(each, side), side), np.float32) for each in (one, other)
    )
    return float(((first - second) ** 2).sum() / (first**2 + second**2).sum())


def _fitted(glyph: Image.Image, side: int) -> Image.Image:
    """A drawing scaled so that its longer side is `side`."""
    width, height = (max(1, round(length * side / max(glyph.size))) for length in glyph.size)
    return glyph.resize((width, height), Image.Resampling.BOX)


def _boxed(glyph: Image.Image, side: int) -> Image.Image:
    """A drawing in the middle of a black square."""
    box = Image.new("L", (side, side))
    box.paste(glyph, ((side - glyph.width) // 2, (side - glyph.height) // 2))
    return box


def _stroked(image: Image.Image, stroke: int) -> Image.Image:
    """Thickens or thins strokes by a pixel of the final image; hairlines are not thinned."""
    if not stroke:
        return image
    if stroke > 0:
        return image.filter(ImageFilter.MaxFilter(3))
    thinner = image.filter(ImageFilter.MinFilter(3))
    ink, left = (np.asarray(each).sum(dtype=np.int64) for each in (image, thinner))
    return thinner if 2 * left > ink else image


def _moved(image: Image.Image, distortion: Distortion, drawn: tuple[int, int]) -> Image.Image:
    """Slants, rotates and shifts an image about its centre; `drawn` is the character's size."""
    cosine, sine = (
        math.cos(math.radians(distortion.degrees)),
        math.sin(math.radians(distortion.degrees)),
    )
    # Pillow asks where a pixel of the result comes from: turned back first, then slanted back.
    a, b = cosine + distortion.slant * sine, -sine + distortion.slant * cosine
    d, e = sine, cosine
    middle = image.width / 2
    x, y = (
        middle + share * (image.width - side) / 2
        for share, side in zip(distortion.shift, drawn, strict=True)
    )
    matrix = (a, b, middle - a * x - b * y, d, e, middle - d * x - e * y)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
