"""Draws a data set of letters and digits from the fonts that Debian packages.

  python -m experiments.glyphs --output_dir=runs/data/glyphs

62 classes (0-9, A-Z, a-z) of grey images, 64 x 64 pixels, as <split>/<class>/<font>.png: a
folder for `source: folder`, made in the manner of notMNIST. A family of fonts is wholly in one
split, so that nothing is trained on the other weights and styles of a test letter. Packages are
known by their hashes (experiments/glyphs_fonts.json) and each image follows from its name, so
every machine makes the same images. It takes two minutes and a download of 90 MB. The folder
appears whole or not at all; its glyphs.json says what it holds. experiments/glyphs.yaml trains
on it.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import os
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import PIL
from absl import flags
from PIL import features

from bignas_tf import errors, files, scratch
from experiments import glyphs_drawing, glyphs_fonts
from tools.cli import launch

_OUTPUT_DIR = flags.DEFINE_string("output_dir", "runs/data/glyphs", "Folder of the data set.")
_PACKAGES_DIR = flags.DEFINE_string(
    "packages_dir", None, "Keeps the .deb files here; what it has already is not downloaded."
)
_TABLE = flags.DEFINE_string(
    "table", "experiments/glyphs_fonts.json", "The packages, their hashes and their fonts."
)

_SUMMARY = "glyphs.json"
_KINDS = (("digit", str.isdigit), ("upper", str.isupper), ("lower", str.islower))
_SPLITS = (("train", 0.7), ("validation", 0.8), ("test", 1.0))  # up to this share of families
_PROGRESS_FONTS = 100


def main() -> None:
    output = pathlib.Path(_OUTPUT_DIR.value)
    if (output / _SUMMARY).exists():
        print(f"{output} exists already; delete it to make it again")
        return
    if output.exists():
        raise errors.UsageError(
            f"{output} exists, but has no {_SUMMARY}: name a new folder with --output_dir"
        )
    table = glyphs_fonts.read_table(_TABLE.value)
    parent = files.ensure_writable(output.absolute().parent)
    began = time.monotonic()
    with _packages_folder() as packages:
        glyphs_fonts.fetch(table, packages)
        print(f"{len(table.packages)} packages ({time.monotonic() - began:.0f} s)", flush=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=f".{output.name}-") as hidden:
            folder = pathlib.Path(hidden, output.name)
            summary = write(table, packages, folder)
            files.write_json(folder / _SUMMARY, summary)
            os.replace(folder, output)
    counts = ", ".join(f"{split} {count}" for split, count in summary["images"].items())
    print(f"{output}: {counts} images ({time.monotonic() - began:.0f} s)")
    print(_verdict(summary, table))


def split_of(family: str) -> str:
    """The split that holds a family, by the hash of its name: about 70, 10 and 20% of them."""
    place = int.from_bytes(hashlib.sha256(family.encode()).digest()[:4], "big") / 2**32
    return next(split for split, end in _SPLITS if place < end)


def class_of(character: str) -> str:
    """The name of a class: "upper_a", because some file systems treat A and a as one name."""
    kind = next(kind for kind, belongs in _KINDS if belongs(character))
    return f"{kind}_{character.lower()}"


def image_name(package: str, font: str) -> str:
    """The name of a font's images: small letters, digits and underscores."""
    text = f"{package.removeprefix('fonts-')} {font}".lower()
    return "_".join("".join(c if c.isascii() and c.isalnum() else " " for c in text).split())


def write(
    table: glyphs_fonts.Table, packages: pathlib.Path, folder: pathlib.Path
) -> dict[str, Any]:
    """Draws the fonts of all packages into `folder`.

    Returns:
      what glyphs.json tells of them.
    """
    writer = _Writer(folder)
    total = sum(len(package.fonts) for package in table.packages)
    began = time.monotonic()
    for name, family, face in _faces(table, packages):
        writer.add(name, family, face)
        if len(writer.fonts) % _PROGRESS_FONTS == 0:
            seconds = time.monotonic() - began
            print(f"fonts {len(writer.fonts)}/{total} ({seconds:.0f} s)", flush=True)
    return {
        "pixels_sha256": writer.pixels.hexdigest(),
        "images": {split: count.total() for split, count in writer.counts.items()},
        "duplicates_left_out": writer.duplicates,
        "versions": {"pillow": PIL.__version__, "freetype": features.version("freetype2")},
        "release": table.release,
        "packages": {package.name: package.version for package in table.packages},
        "classes": {split: dict(sorted(count.items())) for split, count in writer.counts.items()},
        "fonts": writer.fonts,
    }


class _Writer:
    """Writes images and counts them.

    Attributes:
      counts: split -> class -> number of images.
      fonts: name -> family, split, and what was left out for which reason.
      duplicates: drawings that another font had already.
      pixels: hash over the paths and pixels of all images.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.counts = {split: collections.Counter[str]() for split, _ in _SPLITS}
        self.fonts: dict[str, dict[str, Any]] = {}
        self.duplicates = 0
        self.pixels = hashlib.sha256()
        self._folder = folder
        self._drawn: set[tuple[str, bytes]] = set()
        for split in self.counts:
            for character in glyphs_drawing.CHARACTERS:
                (folder / split / class_of(character)).mkdir(parents=True)

    def add(self, name: str, family: str, face: glyphs_drawing.Face) -> None:
        """Writes one image for each usable character of a font."""
        split = split_of(family)
        for character in face.characters:
            plain = character, face.draw(character).tobytes()
            if plain in self._drawn:
                self.duplicates += 1
                continue
            self._drawn.add(plain)
            path = f"{split}/{class_of(character)}/{name}.png"
            image = face.draw(character, glyphs_drawing.distortion(f"{character} {name}"))
            self.pixels.update(path.encode() + image.tobytes())
            image.save(self._folder / path)
            self.counts[split][class_of(character)] += 1
        reasons: dict[str, str] = collections.defaultdict(str)
        for character, reason in face.left_out.items():
            reasons[reason] += character
        self.fonts[name] = {"family": family, "split": split, "left_out": dict(reasons)}


def _faces(
    table: glyphs_fonts.Table, packages: pathlib.Path
) -> Iterator[tuple[str, str, glyphs_drawing.Face]]:
    """Gives the name, the family and the drawings of each font."""
    for package in table.packages:
        for font, content in glyphs_fonts.unpack(package, packages):
            try:
                face = glyphs_drawing.Face(content)
            except OSError as error:
                raise errors.UsageError(
                    f"{package.name}: {font} is not a font ({error})"
                ) from error
            yield image_name(package.name, font), package.fonts[font], face


def _packages_folder() -> contextlib.AbstractContextManager[pathlib.Path]:
    """The folder of --packages_dir, or one that is deleted at the end."""
    if _PACKAGES_DIR.value:
        return contextlib.nullcontext(files.ensure_writable(_PACKAGES_DIR.value))
    return scratch.temporary()


def _verdict(summary: dict[str, Any], table: glyphs_fonts.Table) -> str:
    """Whether these are the images that others have."""
    found = summary["pixels_sha256"]
    if found == table.pixels_sha256:
        return f"pixels {found}: the images that the table promises"
    versions = " and ".join(f"{name} {version}" for name, version in summary["versions"].items())
    return (
        f"pixels {found}: not the images that the table promises ({table.pixels_sha256 or 'none'})"
        f"; fonts and code are the same, so {versions} draw differently"
    )


if __name__ == "__main__":
    launch(main)
