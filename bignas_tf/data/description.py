"""What the images of a folder are like: how many, how large, grey or in colour.

Reads the headers of a few hundred images and the pixels of thumbnails; no TensorFlow.
"""

from __future__ import annotations

import collections
import dataclasses
import statistics
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bignas_tf import errors, spacing
from bignas_tf.data import folders
from bignas_tf.data.folders import ImageFolder

if TYPE_CHECKING:
    from PIL import Image

_SAMPLE = 300
_THUMBNAIL = (64, 64)
_SHOWN = 3  # damaged images that are named
_GREY_MODES = ("1", "L", "LA", "I", "I;16", "F")
# JPEG's rounding makes the channels of a grey image differ by a few levels.
_GREY_SPREAD = 16
_COLOURED_PART = 0.02


@dataclasses.dataclass(frozen=True)
class Description:
    """A folder of images in numbers.

    Attributes:
      root: the folder.
      sizes: number of images in each split.
      classes: number of images of each class, all splits together.
      side: median of the short sides, in pixels.
      coloured: whether more than a few images have colours.
      ignored: the files that are not read, in words; "" for none.
      looked_at: how many images were opened, evenly spaced.
      turned: how many of those are to be shown turned (EXIF's orientation), which training and
        serving ignore.
    """

    root: str
    sizes: Mapping[str, int]
    classes: Mapping[str, int]
    side: int
    coloured: bool
    ignored: str = ""
    looked_at: int = 0
    turned: int = 0

    @property
    def images(self) -> int:
        """Number of images in all splits."""
        return sum(self.sizes.values())

    @property
    def orientation(self) -> str:
        """That images are to be shown turned, in words; "" if none is."""
        if not self.turned:
            return ""
        return (
            f"{self.turned} of {self.looked_at} images looked at are marked as turned (EXIF), "
            "which is ignored: `mogrify -auto-orient FILES` turns the pixels of the files "
            "themselves"
        )


def read(root: str) -> Description:
    """Scans a folder and looks at a sample of its images.

    Raises:
      UsageError: an image of the sample cannot be read, or see `folders.scan`.
    """
    return of(folders.scan(root))


def of(folder: ImageFolder) -> Description:
    """Looks at a sample of the images of a folder that has been scanned; see `read`."""
    paths = [path for examples in folder.splits.values() for path, _ in examples]
    seen = _looks([paths[index] for index in spacing.evenly(len(paths), _SAMPLE)])
    counts = collections.Counter(
        folder.classes[label] for examples in folder.splits.values() for _, label in examples
    )
    return Description(
        root=folder.root,
        sizes={split: len(examples) for split, examples in folder.splits.items()},
        classes={name: counts[name] for name in folder.classes},
        side=round(statistics.median(each.side for each in seen)),
        coloured=sum(each.coloured for each in seen) > _COLOURED_PART * len(seen),
        ignored=folder.ignored_files,
        looked_at=len(seen),
        turned=sum(each.turned for each in seen),
    )


def _is_turned(image: Image.Image) -> bool:
    from PIL import ExifTags

    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    except Exception:  # damaged EXIF, which nothing else reads, raises whatever comes of it
        return False


class _Look(NamedTuple):
    """The short side of an image, and whether it has colours and is to be shown turned."""

    side: int
    coloured: bool
    turned: bool


def _looks(paths: Sequence[str]) -> list[_Look]:
    """Looks at every image, and names all that cannot be read."""
    seen, damaged = [], []
    for path in paths:
        try:
            seen.append(_look(path))
        except errors.UsageError as error:
            damaged.append(error)
    if len(damaged) > 1:
        more = "" if len(damaged) <= _SHOWN else f"; and {len(damaged) - _SHOWN} more"
        first = "; ".join(str(each) for each in damaged[:_SHOWN])
        raise errors.UsageError(f"{len(damaged)} of {len(paths)} images looked at: {first}{more}")
    if damaged:
        raise damaged[0]
    return seen


def _look(path: str) -> _Look:
    import numpy as np
    from PIL import Image

    try:
        # Pillow warns of very large images; it reads no more of them than is needed here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("JPEG", "PNG")) as image:
                side = min(image.size)
                turned = _is_turned(image)
                # A JPEG is decoded at a reduced size, down to an eighth.
                image.draft("RGB", _THUMBNAIL)
                image.load()
                if image.mode in _GREY_MODES:
                    return _Look(side, False, turned)
                image.thumbnail(_THUMBNAIL)
                pixels = np.asarray(image.convert("RGB"), np.int16)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise errors.UsageError(
            f"{path} cannot be read ({error}); JPEG or PNG images are needed: repair "
            "it or remove it"
        ) from error
    coloured = bool((pixels.max(-1) - pixels.min(-1)).max() > _GREY_SPREAD)
    return _Look(side, coloured, turned)
