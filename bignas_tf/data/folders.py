"""A folder of class folders on this machine: its splits, its classes and its files.

Two layouts: `root/split/class/*.jpg`, and `root/class/*.jpg`, whose only split is "all". Nothing
is decoded and TensorFlow is not imported, so that mistakes show at once.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import random
from collections.abc import Callable, Mapping, Sequence

from bignas_tf import errors, files, image_files

ONLY_SPLIT = "all"
_LAYOUTS = "root/split/class/*.jpg (or *.png), or root/class/*.jpg"
_SHOWN = 5
# Kinds of images that are not read, as messages name them.
_LOOSE, _DEEPER = "in no class folder", "in a folder below a class"

Example = tuple[str, int]  # path, number of the class


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """What a folder holds.

    Attributes:
      root: the folder.
      classes: names of the class folders, sorted; a label is a position among them.
      splits: the images of each split, in an order that mixes the classes and never changes.
      ignored: numbers of the files that are not read, by kind, such as {".webp": 3}; images that
        are in no class folder, or in a folder below one, are kinds of their own.
    """

    root: str
    classes: tuple[str, ...]
    splits: Mapping[str, Sequence[Example]]
    ignored: Mapping[str, int]

    @property
    def ignored_files(self) -> str:
        """The ignored files in words; "" if there are none."""
        return image_files.kinds(self.ignored)


@dataclasses.dataclass(frozen=True)
class _Content:
    """What one folder holds itself; what is hidden is left out.

    Attributes:
      path: of the folder.
      images: paths of the regular files with an image's ending, sorted; a FIFO of that name would
        never be read.
      folders: paths of its folders by their names, sorted.
      others: numbers of its other files, by kind.
    """

    path: str
    images: list[str]
    folders: Mapping[str, str]
    others: collections.Counter[str]


_Contents = Mapping[str, _Content]  # of folders, by their names


def scan(root: str, to_learn: bool = True) -> ImageFolder:
    """Lists the images below `root`.

    Args:
      root: the folder.
      to_learn: it must have what is needed to learn its classes.

    Raises:
      UsageError: it is not a folder, it or one in it cannot be read, it holds no image, or it does
        not show at which level the classes are; or they cannot be learned: fewer than two, one
        without an image, or one that only one of several splits has.
    """
    if files.is_remote(root):
        raise errors.UsageError(
            f"{root} is remote; images in a bucket are read from TFDS or TFRecords, a folder of "
            "them from this machine's disk: copy it first"
        )
    if not os.path.isdir(root):
        where = "" if os.path.isabs(root) else f" in {os.getcwd()}"
        named = root or "''"
        raise errors.UsageError(f"{named} is not a folder{where}; needed: {_LAYOUTS}")
    try:
        return _scanned(root, to_learn)
    except OSError as error:
        name = error.filename or root
        raise errors.UsageError(f"{name} cannot be read ({error.strerror})") from error


def _scanned(root: str, to_learn: bool) -> ImageFolder:
    top = _content(root)
    first = _below(top)
    second = {name: _below(each) for name, each in first.items()}
    flat = _is_flat(first, second)
    mixed = _both_levels(root, first, second, flat)
    folders = {ONLY_SPLIT: first} if flat else {name: each for name, each in second.items() if each}
    ignored = _ignored(top, {} if flat else first, folders)
    by_split = {
        split: {name: each.images for name, each in classes.items()}
        for split, classes in folders.items()
    }
    try:
        _check(root, by_split, ignored, to_learn)
    except errors.UsageError as error:
        raise errors.UsageError(f"{error}{mixed}") from error
    names = tuple(sorted({name for classes in by_split.values() for name in classes}))
    order = _interleaved if flat else _shuffled
    splits = {
        split: order(split, _labelled(classes, names))
        for split, classes in by_split.items()
        if any(classes.values())
    }
    return ImageFolder(root, names, splits, ignored)


def _is_flat(first: _Contents, second: Mapping[str, _Contents]) -> bool | None:
    """Whether the class folders are those of the first level, not of splits; None if unclear.

    They are where more of the images are, but where a folder holds several folders of images, and
    more images in them than beside them, it is a split, whatever lies loose in another one.
    """
    for name, own in first.items():
        below = second[name].values()
        several = sum(bool(each.images) for each in below) > 1
        if several and _number(second[name]) > len(own.images):
            return False
    above, deeper = _number(first), _number(*second.values())
    return None if above and above == deeper else above > deeper


def _both_levels(
    root: str, first: _Contents, second: Mapping[str, _Contents], flat: bool | None
) -> str:
    """Says that images are at both levels that class folders may be at; "" if they are not.

    Some are then something else, such as the thumbnails that a NAS keeps below a class, or images
    that nobody has put into one.

    Raises:
      UsageError: it is unclear at which level the classes are.
    """
    above, deeper = _number(first), _number(*second.values())
    if not (above and deeper):
        return ""
    upper = next(each for each in first.values() if each.images)
    lower = next(each for below in second.values() for each in below.values() if each.images)
    both = f"images are at two levels: {above:,} as in {upper.path}, {deeper:,} as in {lower.path}"
    if flat is None:
        raise errors.UsageError(f"{root}: {both}; move or remove those that are not in a class")
    taken = (upper if flat else lower).path
    return f"; {both}; the classes are taken to be folders such as {taken}: move or remove others"


def _number(*levels: _Contents) -> int:
    """Of the images in all these folders."""
    return sum(len(each.images) for level in levels for each in level.values())


def _ignored(top: _Content, loose: _Contents, folders: Mapping[str, _Contents]) -> dict[str, int]:
    """Counts the files that are not read, by kind.

    Args:
      top: the whole folder.
      loose: the folders of splits.
      folders: the class folders of each split.
    """
    classes = [each for level in folders.values() for each in level.values()]
    found: collections.Counter[str] = collections.Counter()
    for each in (*loose.values(), *classes):
        found.update(each.others)
    found[_LOOSE] = len(top.images) + _number(loose)
    found[_DEEPER] = sum(_images_below(path) for each in classes for path in each.folders.values())
    return dict(+found)  # without zeros


def _labelled(classes: Mapping[str, list[str]], names: Sequence[str]) -> list[Example]:
    labels = {name: label for label, name in enumerate(names)}
    return [(path, labels[name]) for name in classes for path in classes[name]]


def _below(content: _Content) -> _Contents:
    """What the folders of a folder hold, by their names."""
    return {name: _content(path) for name, path in content.folders.items()}


def _content(folder: str) -> _Content:
    images, folders = [], {}
    others: collections.Counter[str] = collections.Counter()
    with os.scandir(folder) as entries:
        for each in entries:
            if each.name[0] == ".":
                continue
            if _holds(each.is_dir):
                folders[each.name] = each.path
            elif image_files.is_image(each.name) and _holds(each.is_file):
                images.append(each.path)
            else:
                others[
                    image_files.ending(each.name) if _holds(each.is_file) else "not a regular file"
                ] += 1
    return _Content(folder, sorted(images), dict(sorted(folders.items())), others)


def _images_below(folder: str) -> int:
    """How many images are in a folder that is not read, however deep."""
    number = 0
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        number += sum(image_files.is_image(name) and name[0] != "." for name in names)
    return number


def _holds(asked: Callable[[], bool]) -> bool:
    """What an entry answers to `is_dir` or `is_file`; no if it is a link that leads in circles."""
    try:
        return asked()
    except OSError:
        return False


def _check(
    root: str,
    by_split: Mapping[str, Mapping[str, list[str]]],
    ignored: Mapping[str, int],
    to_learn: bool,
) -> None:
    """Refuses a folder without images or, if it is to be learnt, with a class that cannot be."""
    counts: dict[str, dict[str, int]] = {}
    for split, classes in by_split.items():
        for name, paths in classes.items():
            for text in (split, name, *paths):
                files.check_text(text)
            counts.setdefault(name, {})[split] = len(paths)
    skipped = f"; files that are not read: {image_files.kinds(ignored)}" if ignored else ""
    if not any(any(each.values()) for each in counts.values()):
        raise errors.UsageError(f"{root} holds no images; needed: {_LAYOUTS}{skipped}")
    if not to_learn:
        return
    empty = sorted(name for name, each in counts.items() if not any(each.values()))
    if empty:
        raise errors.UsageError(
            f"{root}: {listed(empty)} without a JPEG or PNG image{skipped}; convert the files or "
            "remove the class folder"
        )
    if len(counts) < 2:
        raise errors.UsageError(
            f"{root} has one class, {next(iter(counts))!r}; at least two are needed: add a folder "
            f"with images of something to distinguish it from, as in {_LAYOUTS}"
        )
    splits = [split for split, classes in by_split.items() if any(classes.values())]
    alone = sorted(name for name, each in counts.items() if sum(map(bool, each.values())) == 1)
    if len(splits) > 1 and alone:
        (split,) = (split for split, number in counts[alone[0]].items() if number)
        raise errors.UsageError(
            f"{root}: {listed(alone)} in one split only ({alone[0]!r} in {split!r}), of {splits}; "
            "every class needs images to learn from and images to be judged on"
        )


def listed(names: Sequence[str]) -> str:
    """Classes in words, the first few by name."""
    shown = ", ".join(map(repr, names[:_SHOWN]))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"class{'es' if len(names) > 1 else ''} {shown}{more}"


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
