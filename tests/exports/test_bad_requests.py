"""Each kind of bad request and its result, in one session that has to live through them all."""

from __future__ import annotations

import io
import struct
import zlib
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from bignas_tf.data import decode
from bignas_tf.exports import saved_model, verify
from bignas_tf.exports.verify import Feeds
from tests.exports import servables

pytestmark = pytest.mark.slow

# The same patches by another way: float32 rounding.
TOLERANCE = 1e-5
# 40 x 48 pixels. A JPEG's blocks have 8 x 8: those of one colour every decoder gives alike.
_GRID = np.random.default_rng(1).integers(0, 256, (5, 6, 3)).astype(np.uint8)
PHOTO = np.kron(_GRID, np.ones((8, 8, 1), np.uint8))
PICTURE = Image.fromarray(PHOTO)


class Case(NamedTuple):
    """A request, and words of the error or the pixels that it must be answered as."""

    signature: str
    feeds: Feeds
    expected: str | np.ndarray


def _encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _pixels(encoded: bytes) -> np.ndarray:
    """What Pillow makes of an image: uint8 [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


def _bomb(side: int) -> bytes:
    """A PNG of side x side black pixels, a bit each."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side * (1 + (side + 7) // 8)), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def _jpeg_of_size(encoded: bytes, height: int, width: int) -> bytes:
    """Another size in a JPEG's header."""
    at = encoded.index(b"\xff\xc0") + 5  # marker, length, precision
    return encoded[:at] + struct.pack(">HH", height, width) + encoded[at + 4 :]


def _bytes_case(image: bytes, expected: str | np.ndarray) -> Case:
    """The image between two good ones."""
    images = np.array([PNG, image, PNG], object)
    if isinstance(expected, str):
        return Case("image_bytes", {"image_bytes": images}, f"[image 1 {expected}")
    return Case("image_bytes", {"image_bytes": images}, expected)


def _pixel_case(
    pixels: np.ndarray, expected: str | np.ndarray, key: str = "serving_default"
) -> Case:
    return Case(key, {"images": pixels}, expected)


FULL_COLOUR = {"quality": 100, "subsampling": 0}
PNG, JPEG = _encode(PICTURE), _encode(PICTURE, "JPEG", **FULL_COLOUR)
CMYK = _encode(PICTURE.convert("CMYK"), "JPEG", **FULL_COLOUR)
ALPHA = np.dstack([PHOTO, np.arange(PHOTO[..., 0].size, dtype=np.uint8).reshape(40, 48)])
DEEP = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48) * 34  # 16 bits, grey
FRAMES = [Image.fromarray(np.roll(PHOTO, shift, axis=0)) for shift in (8, 16)]
ANIMATED = {"save_all": True, "append_images": FRAMES}
FLOATS, NEARLY = PHOTO[np.newaxis].astype(np.float32), np.float32(0.4)
DAMAGED = "cannot be decoded: it is damaged, cut short or of a rare kind"
NO_PIXELS = "has values that are not pixels from 0 to 255"
HUGE = f"has more than {decode.MOST_PIXELS} pixels"

CASES = {
    "PNG": _bytes_case(PNG, PHOTO),
    "grey PNG": _bytes_case(_encode(PICTURE.convert("L")), _pixels(_encode(PICTURE.convert("L")))),
    "palette PNG": _bytes_case(
        _encode(PICTURE.quantize(16)), _pixels(_encode(PICTURE.quantize(16)))
    ),
    "CMYK JPEG": _bytes_case(CMYK, _pixels(CMYK)),
    "alpha is left out": _bytes_case(_encode(Image.fromarray(ALPHA)), PHOTO),
    "16 bits: the upper 8": _bytes_case(
        _encode(Image.fromarray(DEEP)), np.repeat(DEEP[..., np.newaxis] >> 8, 3, 2).astype(np.uint8)
    ),
    "animated PNG: its first frame": _bytes_case(_encode(PICTURE, **ANIMATED), PHOTO),
    "one pixel": _bytes_case(_encode(PICTURE.crop((0, 0, 1, 1))), PHOTO[:1, :1]),
    "one row": _bytes_case(_encode(PICTURE.crop((0, 0, 48, 1))), PHOTO[:1]),
    "bytes after the end of a JPEG": _bytes_case(JPEG + b"\0" * 99, _pixels(JPEG)),
    "empty": _bytes_case(b"", "is empty"),
    "text": _bytes_case(b"<svg>not an image</svg>", "is neither JPEG nor PNG"),
    "zeros": _bytes_case(bytes(1000), "is neither JPEG nor PNG"),
    "animated GIF": _bytes_case(_encode(PICTURE, "GIF", **ANIMATED), "is neither JPEG nor PNG"),
    "BMP": _bytes_case(_encode(PICTURE, "BMP"), "is neither JPEG nor PNG"),
    "JPEG cut in its header": _bytes_case(JPEG[:100], DAMAGED),
    "JPEG cut in its pixels": _bytes_case(JPEG[: len(JPEG) // 2], DAMAGED),
    "JPEG of a signature": _bytes_case(b"\xff\xd8\xff", DAMAGED),
    "PNG cut in its header": _bytes_case(PNG[:20], DAMAGED),
    "PNG cut in its pixels": _bytes_case(PNG[: len(PNG) // 2], DAMAGED),
    "PNG of a signature": _bytes_case(PNG[:8], DAMAGED),
    "PNG with a wrong checksum": _bytes_case(PNG.replace(b"IDAT", b"IDAX"), DAMAGED),
    "JPEG of size 0": _bytes_case(_jpeg_of_size(JPEG, 0, 0), DAMAGED),
    "JPEG bomb": _bytes_case(_jpeg_of_size(JPEG, 65500, 65500), HUGE),
    "PNG bomb": _bytes_case(_bomb(8000), HUGE),
    "no image": Case("image_bytes", {"image_bytes": np.array([], object)}, "holds no image"),
    "several are named": Case(
        "image_bytes",
        {"image_bytes": np.array([b"", PNG, b"x", PNG[:9]], object)},
        f"[image 0 is empty; image 2 is neither JPEG nor PNG; image 3 {DAMAGED}]",
    ),
    "strings of rank 2": Case("image_bytes", {"image_bytes": np.array([[PNG]], object)}, "shape"),
    "pixels as bytes": Case("image_bytes", {"image_bytes": PHOTO}, "uint8 is provided"),
    "pixels": _pixel_case(PHOTO[np.newaxis], PHOTO),
    "an empty batch": _pixel_case(PHOTO[np.newaxis][:0], "the batch is empty"),
    "images of no pixels": _pixel_case(PHOTO[np.newaxis, :0], "an image needs 1 to"),
    "no batch": _pixel_case(PHOTO, "not compatible with expected shape [?,?,?,3]"),
    "one channel": _pixel_case(PHOTO[np.newaxis, ..., :1], "not compatible with expected shape"),
    "six channels": _pixel_case(
        np.concatenate([PHOTO, PHOTO], axis=2)[np.newaxis], "not compatible with expected shape"
    ),
    "channels first": _pixel_case(
        np.moveaxis(PHOTO, 2, 0)[np.newaxis], "not compatible with expected shape"
    ),
    "floats as pixels": _pixel_case(FLOATS, "float is provided"),
    "too many pixels": _pixel_case(
        np.zeros((1, 1, 50_000_001, 3), np.uint8), "an image needs 1 to"
    ),
    "floats": _pixel_case(FLOATS, PHOTO, "float_images"),
    "floats are rounded": _pixel_case(
        FLOATS + np.float32(0.4) * (FLOATS < 255), PHOTO, "float_images"
    ),
    "black floats": _pixel_case(FLOATS * 0, PHOTO * 0, "float_images"),
    "pixels as floats": _pixel_case(PHOTO[np.newaxis], "uint8 is provided", "float_images"),
    "from 0 to 1": _pixel_case(FLOATS / 255, f"image 0 {NO_PIXELS}", "float_images"),
    "from -1 to 1": _pixel_case(FLOATS / 127.5 - 1, f"image 0 {NO_PIXELS}", "float_images"),
    "over 255": _pixel_case(FLOATS * 2, f"image 0 {NO_PIXELS}", "float_images"),
    "not a number": _pixel_case(
        np.concatenate([FLOATS, np.where(FLOATS > 99, np.nan, FLOATS)]),
        f"[image 1 {NO_PIXELS}]",
        "float_images",
    ),
    "infinite": _pixel_case(FLOATS + np.float32(np.inf), f"image 0 {NO_PIXELS}", "float_images"),
    "floats of an empty batch": _pixel_case(FLOATS[:0], "the batch is empty", "float_images"),
    "patches of another size": Case(
        "patches", {"patches": PHOTO[np.newaxis]}, "not compatible with expected shape [?,16,16,3]"
    ),
    "no patches": Case("patches", {"patches": PHOTO[np.newaxis, :16, :16][:0]}, "batch is empty"),
    # The session has lived through all of them.
    "a good one at last": _bytes_case(JPEG, _pixels(JPEG)),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray] | str]:
    """What one session says to every case, and to the pixels that are expected."""
    servable = servables.servable(servables.SPACE.smallest())
    version = saved_model.export(servable, str(tmp_path_factory.mktemp("export")))
    requests = {name: (case.signature, case.feeds) for name, case in CASES.items()}
    for name, case in CASES.items():
        if not isinstance(case.expected, str):
            side = servables.SPACE.base_resolution
            patches = decode.centred_patches(case.expected[np.newaxis], side, decode.WHOLE)
            requests[f"expected: {name}"] = ("patches", {"patches": patches.numpy()})
    found = verify.session_answers(version, requests.values())
    return dict(zip(requests, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_clear_error_or_the_right_answer(
    answers: dict[str, dict[str, np.ndarray] | str], name: str
) -> None:
    expected, answer = CASES[name].expected, answers[name]
    if isinstance(expected, str):
        assert isinstance(answer, str), "an error was expected"
        assert expected in answer
        return
    assert not isinstance(answer, str), answer
    wanted = answers[f"expected: {name}"]
    assert not isinstance(wanted, str), wanted
    logits = answer["logits"][len(answer["logits"]) // 2]
    np.testing.assert_allclose(logits, wanted["logits"][0], atol=TOLERANCE)


def test_the_answers_tell_images_apart(answers: dict[str, dict[str, np.ndarray] | str]) -> None:
    """Equal logits for every image would pass all of the above."""
    logits = [
        answer["logits"][0] for name, answer in answers.items() if name.startswith("expected: ")
    ]
    assert np.ptp(np.stack(logits), axis=0).max() > 100 * TOLERANCE
