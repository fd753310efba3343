"""Which files are taken for images."""

from __future__ import annotations

import os

from bignas_tf import files

_ENDINGS = (".jpg", ".jpeg", ".png")


def is_image(name: str) -> bool:
    """Whether a file's name has an image's ending."""
    return os.path.splitext(name)[1].lower() in _ENDINGS


def below(folder: str) -> list[str]:
    """The images in and below a folder, sorted; what is hidden, or no regular file, is none."""
    names = (name for name, _ in files.below(folder))
    return sorted(os.path.join(folder, name) for name in names if is_image(name))
