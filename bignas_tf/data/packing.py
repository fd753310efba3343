"""A folder of images as a TFDS data set: a few large files, as buckets and TPUs want them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

import tensorflow_datasets as tfds

from bignas_tf import console, errors
from bignas_tf.console import Show
from bignas_tf.data import faults, folders, prepare, sources
from bignas_tf.data.config import DataConfig
from bignas_tf.data.folders import Example, ImageFolder

_NAME = re.compile(r"[a-z][a-z0-9_]*")  # TFDS'; in a name with "-" or "." it would find nothing
_SPLIT = re.compile(r"\w[\w-]*")
_ONLY_SPLIT = "train"  # TFDS reads "all" as every split, and refuses slices of it
_VERSION = "1.0.0"


def pack(
    images_dir: str | os.PathLike[str],
    dataset: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    show: Show | None = console.print_line,
) -> None:
    """Writes a folder of class folders as a TFDS data set, unless it is there already.

    The files go into it as they are. Splits keep their names, and slices the images that they
    have in the folder; a folder without splits becomes the split "train".

    Args:
      images_dir: `split/class/*.jpg` or `class/*.jpg` (or `*.png`).
      dataset: its new name: small letters, digits and "_".
      data_dir: where TFDS keeps its data sets; None is TFDS' own default.
      show: takes lines of progress; None for silence.

    Raises:
      UsageError: there are no such images, one cannot be read, or their classes cannot be learned;
        the name cannot be taken, or is that of other classes or numbers of images; or the data
        set cannot be written.
      RunError: there is no room.
    """
    show = console.or_silent(show)
    folder = folders.scan(errors.require_path("images_dir", images_dir))
    _check_name(dataset)
    _check_names(folder)
    builder = _builder(folder, dataset, None if data_dir is None else os.fspath(data_dir))

    if builder.is_prepared():
        _check_same(folder, builder)

    def make() -> None:
        if folder.ignored:
            show(f"ignored files: {folder.ignored_files}")
        _check_images(folder, show)
        prepare.make_from(builder, str(images_dir), manual=False)
        for split, examples in folder.splits.items():
            show(f"{_split(split)}: {len(examples):,} images of {len(folder.classes)} classes")

    prepare.once(dataset, builder, make, show)


def _check_name(name: str) -> None:
    fits = isinstance(name, str) and _NAME.fullmatch(name) is not None
    errors.require(fits, "dataset", name, "a name of small letters, digits and '_'")
    if name in tfds.list_builders(with_community_datasets=False):
        raise errors.UsageError(f"dataset is {name!r}, which is one of TFDS' own; choose another")


def _check_names(folder: ImageFolder) -> None:
    """Refuses names that TFDS could not give back: it keeps those of classes in lines."""
    for name in folder.classes:
        if name != name.strip() or len(name.splitlines()) != 1:
            raise errors.UsageError(
                f"class {name!r}: its name begins or ends with a space, or has several lines; "
                "rename the folder"
            )
    for name in folder.splits:
        alone = name != folders.ONLY_SPLIT or len(folder.splits) == 1
        if not (_SPLIT.fullmatch(name) and alone):
            raise errors.UsageError(
                f"split {name!r} cannot be one of a TFDS data set; call its folder by letters, "
                "digits, '_' and '-', and not 'all'"
            )


def _check_images(folder: ImageFolder, show: Show) -> None:
    """Reads every image: TFDS takes the files as they are, and nobody looks into a data set."""
    for split, examples in folder.splits.items():
        show(f"{_split(split)}: reading {len(examples):,} images")
        data = DataConfig(
            source="folder",
            input_path=folder.root,
            tfds_split=split,
            num_classes=len(folder.classes),
        )
        faults.check(sources.open_source(data), data)


def _check_same(folder: ImageFolder, builder: tfds.core.DatasetBuilder) -> None:
    """Refuses a folder with other images than those that have the name; numbers and classes tell.

    Raises:
      UsageError: it has.
    """
    # The builder's own features are those of the folder, whatever is on disk.
    try:
        info = tfds.builder_from_directory(builder.data_dir).info
    except sources.UNOPENED as error:
        reason = errors.one_line(error)
        raise errors.UsageError(f"TFDS cannot open {builder.data_dir} ({reason})") from error
    there = {split: each.num_examples for split, each in info.splits.items()}
    here = {_split(split): len(examples) for split, examples in folder.splits.items()}
    names = getattr(dict(info.features.items()).get("label"), "names", [])
    if (here, list(folder.classes)) != (there, names):
        raise errors.UsageError(
            f"dataset is {builder.name!r}, and {builder.data_dir} has other images: {there} of "
            f"{folders.listed(names)}; {folder.root} has {here} of {folders.listed(folder.classes)}"
            ": choose another name, or remove that folder if no run needs it"
        )


def _builder(folder: ImageFolder, name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=folder.classes),
    }
    try:
        return tfds.dataset_builders.AdhocBuilder(
            name=name,
            version=_VERSION,
            features=tfds.features.FeaturesDict(features),
            split_datasets={
                _split(split): _Examples(examples) for split, examples in folder.splits.items()
            },
            data_dir=data_dir,
            description=f"The images in {os.path.abspath(folder.root)}.",
            disable_shuffling=True,  # they are in the folder's own mixed order
        )
    except sources.UNOPENED as error:
        reason = errors.one_line(error)
        raise errors.UsageError(f"TFDS cannot open {name!r} in {data_dir} ({reason})") from error


def _split(name: str) -> str:
    return _ONLY_SPLIT if name == folders.ONLY_SPLIT else name


class _Examples:
    """The examples of a split as TFDS takes them; it reads each file when it is asked for."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = examples

    def __iter__(self) -> Iterator[tuple[int, dict[str, object]]]:
        for number, (path, label) in enumerate(self._examples):
            yield number, {"image": path, "label": label}
