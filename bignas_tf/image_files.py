"""Which files are taken for images, and their content."""

from __future__ import annotations

import collections
import os
import pathlib
import re
from collections.abc import Mapping

from bignas_tf import errors, files

_ENDINGS = (".jpg", ".jpeg", ".png")


def ending(name: str) -> str:
    """The ending of a file's name, such as ".jpg"; "" if it has none."""
    return os.path.splitext(name)[1].lower()


def is_image(name: str) -> bool:
    """Whether a file's name has an image's ending."""
    return ending(name) in _ENDINGS


def is_folder_of(name: str, label: str) -> bool:
    """Whether a class folder's name is that of a class; for its "/" there may be any character."""
    return name == label or re.fullmatch(re.escape(label).replace("/", "."), name) is not None


def below(folder: str) -> tuple[list[str], str]:
    """The images in and below a folder, sorted, and in words the files that are none.

    What is hidden, or no regular file, is neither. Links are followed, each folder once.

    Raises:
      UsageError: a folder cannot be read.
    """
    entered, images = set(), list[str]()
    others: collections.Counter[str] = collections.Counter()
    for parent, folders, names in os.walk(folder, onerror=_unread, followlinks=True):
        place = os.path.realpath(parent)
        if place in entered:
            folders.clear()
            continue
        entered.add(place)
        folders[:] = sorted(name for name in folders if name[0] != ".")
        for name in names:
            path = os.path.join(parent, name)
            if name[0] == "." or not os.path.isfile(path):
                continue
            if is_image(name):
                images.append(path)
            else:
                others[ending(name)] += 1
    return sorted(images), kinds(others)


def _unread(error: OSError) -> None:
    raise errors.UsageError(f"{error.filename} cannot be read ({error.strerror})") from error


def kinds(counted: Mapping[str, int]) -> str:
    """Numbers of files by their endings, in words, such as "3 .webp, 1 no ending"."""
    return ", ".join(f"{number} {kind or 'no ending'}" for kind, number in sorted(counted.items()))


def read(path: str | os.PathLike[str]) -> bytes:
    """The content of an image's file, which is not decoded.

    Raises:
      UsageError: it is not on this machine, or cannot be read.
    """
    name = os.fspath(path) or "''"
    if files.is_remote(name):
        raise errors.UsageError(f"{name} is remote; copy it to this machine first")
    try:
        return pathlib.Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = getattr(error, "strerror", None) or error
        raise errors.UsageError(f"{name} cannot be read ({reason})") from error
