"""A folder of class folders on this machine: its splits, its classes and its files.

Two layouts: `root/split/class/*.jpg`, and `root/class/*.jpg`, whose only split is "all". Nothing
is decoded and TensorFlow is not imported, so that mistakes show at once.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import random
from collections.abc import Iterator, Mapping, Sequence

from bignas_tf import errors, files

_ENDINGS = (".jpg", ".jpeg", ".png")
_ONLY_SPLIT = "all"
_LAYOUTS = "root/split/class/*.jpg (or *.png), or root/class/*.jpg"
_SHOWN = 5

Example = tuple[str, int]  # path, number of the class


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """What a folder holds.

    Attributes:
      root: the folder.
      classes: names of the class folders, sorted; a label is a position among them.
      splits: the images of each split, in an order that mixes the classes and never changes.
      ignored: numbers of the files that are not read, by kind, such as {".webp": 3}.
    """

    root: str
    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Example]]
    ignored: Mapping[str, int]

    @property
    def ignored_files(self) -> str:
        """The ignored files in words; "" if there are none."""
        return _kinds(self.ignored)


def scan(root: str) -> ImageFolder:
    """Lists the images below `root`.

    Raises:
      UsageError: it is not a folder, it or one in it cannot be read, it holds no image, or its
        classes cannot be learned: fewer than two, one without an image, or one that only one of
        several splits has.
    """
    if not os.path.isdir(root):
        raise errors.UsageError(f"{root} is not a folder; needed: {_LAYOUTS}")
    try:
        return _scanned(root)
    except OSError as error:
        name = error.filename or root
        raise errors.UsageError(f"{name} cannot be read ({error.strerror})") from error


def _scanned(root: str) -> ImageFolder:
    ignored: collections.Counter[str] = collections.Counter()
    by_split = {_ONLY_SPLIT: _class_folders(root, ignored)}
    flat = any(by_split[_ONLY_SPLIT].values())
    if not flat or any(_has_images(below) for below in _nested(root)):
        by_split = {
            split: _class_folders(os.path.join(root, split), ignored) for split in _sub(root)
        }
        by_split = {split: classes for split, classes in by_split.items() if classes}
        flat = False
    _check(root, by_split, ignored)
    names = tuple(sorted({name for classes in by_split.values() for name in classes}))
    order = _interleaved if flat else _shuffled
    splits = {
        split: order(split, _labelled(classes, names))
        for split, classes in by_split.items()
        if any(classes.values())
    }
    return ImageFolder(root, names, splits, dict(ignored))


def _labelled(classes: Mapping[str, list[str]], names: Sequence[str]) -> list[Example]:
    labels = {name: label for label, name in enumerate(names)}
    return [(path, labels[name]) for name in classes for path in classes[name]]


def _sub(folder: str) -> list[str]:
    """Names of the folders in a folder, sorted; hidden ones are left out."""
    with os.scandir(folder) as entries:
        return sorted(each.name for each in entries if _is_dir(each) and each.name[0] != ".")


def _nested(root: str) -> Iterator[str]:
    """Every folder two levels below `root`."""
    for name in _sub(root):
        for below in _sub(os.path.join(root, name)):
            yield os.path.join(root, name, below)


def _has_images(folder: str) -> bool:
    return bool(_images(folder, collections.Counter()))


def _class_folders(folder: str, ignored: collections.Counter[str]) -> dict[str, list[str]]:
    """Paths of the images of each class, in sorted order."""
    return {name: _images(os.path.join(folder, name), ignored) for name in _sub(folder)}


def _images(folder: str, ignored: collections.Counter[str]) -> list[str]:
    """The regular files with an image's ending; a FIFO of that name would never be read."""
    paths = []
    with os.scandir(folder) as entries:
        for each in entries:
            ending = os.path.splitext(each.name)[1].lower()
            if _is_dir(each) or each.name[0] == ".":
                continue
            regular = _is_file(each)
            if ending in _ENDINGS and regular:
                paths.append(each.path)
            else:
                ignored[ending if regular else "not a regular file"] += 1
    return sorted(paths)


def _is_dir(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one; not if it leads in circles."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """See `_is_dir`."""
    try:
        return entry.is_file()
    except OSError:
        return False


def _check(
    root: str, by_split: Mapping[str, Mapping[str, list[str]]], ignored: Mapping[str, int]
) -> None:
    """Refuses a folder without images, or with a class that cannot be learned."""
    counts: dict[str, dict[str, int]] = {}
    for split, classes in by_split.items():
        for name, paths in classes.items():
            for text in (split, name, *paths):
                files.check_text(text)
            counts.setdefault(name, {})[split] = len(paths)
    skipped = f"; files that cannot be read: {_kinds(ignored)}" if ignored else ""
    if not any(any(each.values()) for each in counts.values()):
        raise errors.UsageError(f"{root} holds no images; needed: {_LAYOUTS}{skipped}")
    empty = sorted(name for name, each in counts.items() if not any(each.values()))
    if empty:
        raise errors.UsageError(
            f"{root}: {_listed(empty)} without a JPEG or PNG image{skipped}; convert the files or "
            "remove the class folder"
        )
    if len(counts) < 2:
        raise errors.UsageError(
            f"{root} has one class, {next(iter(counts))!r}; at least two are needed: add a folder "
            f"with images of what it is to be told apart from, as in {_LAYOUTS}"
        )
    splits = [split for split, classes in by_split.items() if any(classes.values())]
    alone = sorted(name for name, each in counts.items() if sum(map(bool, each.values())) == 1)
    if len(splits) > 1 and alone:
        (split,) = (split for split, number in counts[alone[0]].items() if number)
        raise errors.UsageError(
            f"{root}: {_listed(alone)} in one split only ({alone[0]!r} in {split!r}), of {splits}; "
            "every class needs images to learn from and images to be judged on"
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"class{'es' if len(names) > 1 else ''} {shown}{more}"


def _kinds(ignored: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind or 'no ending'}" for kind, number in sorted(ignored.items()))


def _shuffled(split: str, examples: list[Example]) -> list[Example]:
    """The order of TFDS' ImageFolder, so that slices keep naming the same images."""
    random.Random(split).shuffle(examples)
    return examples


def _interleaved(split: str, examples: list[Example]) -> list[Example]:
    """Every slice has each class in proportion: this split is only ever used in slices."""
    members: dict[int, list[Example]] = {}
    for example in _shuffled(split, examples):
        members.setdefault(example[1], []).append(example)
    places = [
        ((place + 0.5) / len(each), label, example)
        for label, each in members.items()
        for place, example in enumerate(each)
    ]
    return [example for _, _, example in sorted(places)]
