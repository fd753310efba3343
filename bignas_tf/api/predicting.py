"""What an export answers to images, in this process. TensorFlow is imported when one is loaded."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bignas_tf import console, errors, files, image_files, saved_models
from bignas_tf.api import arguments
from bignas_tf.console import Show
from bignas_tf.data import folders
from bignas_tf.exports import versions
from bignas_tf.exports.versions import ANSWERED_BY, BEST
from bignas_tf.selection import progress
from bignas_tf.selection.confusion import Confusion

Image = str | os.PathLike[str] | bytes | np.ndarray
SIGNATURE = "image_bytes"
_AT_ONCE = 64


class Prediction(NamedTuple):
    """The best classes of one image, best first.

    Attributes:
      classes: their numbers.
      labels: their names.
      probabilities: of each.
      answered_by: of a cascade, the number of the child that answered, from 0; None of others.
    """

    classes: list[int]
    labels: list[str]
    probabilities: list[float]
    answered_by: int | None = None

    @classmethod
    def of(cls, outputs: Mapping[str, np.ndarray]) -> list[Prediction]:
        """From the outputs of a signature by their names, arrays [N, k] or [N]."""
        classes, labels, best = (outputs[name].tolist() for name in BEST)
        by = outputs[ANSWERED_BY].tolist() if ANSWERED_BY in outputs else [None] * len(classes)
        names = [[label.decode() for label in row] for row in labels]
        return [cls(*row) for row in zip(classes, names, best, by, strict=True)]


class Classifier:
    """An export, loaded to classify images; it needs none of this project's layers.

    Args:
      version: folder of the version, of a child or of a cascade.

    Raises:
      UsageError: the folder is not that of an export, or it is damaged.
    """

    def __init__(self, version: str | os.PathLike[str]) -> None:
        self._folder = errors.require_path("version", version)
        if not files.is_file(os.path.join(self._folder, versions.GRAPH_FILE)):
            raise versions.no_version(self._folder)
        # Kept because a signature does not keep its model alive.
        mend = "; copy it or export it again"
        self._model = saved_models.load(self._folder, self._folder, mend)
        try:
            self._signature = self._model.signatures[SIGNATURE]
        except (LookupError, AttributeError) as error:
            raise versions.no_version(self._folder) from error

    def predict(self, images: Image | Iterable[Image]) -> list[Prediction]:
        """Classifies images, as a server with this export would.

        Args:
          images: JPEG or PNG files as paths or bytes, or pixels, uint8 [H, W], [H, W, 1] or
            [H, W, 3], or PIL's; several as an iterable, pixels of one size also as one array,
            [N, H, W] or [N, H, W, channels].

        Returns:
          A prediction for each, in order.

        Raises:
          UsageError: an image cannot be read or decoded, or has too many pixels; it is named.
        """
        return list(self._predictions(_listed(images)))

    def score(
        self,
        images_dir: str | os.PathLike[str],
        *,
        show: Show | None = console.print_line,
    ) -> Confusion:
        """Classifies a folder of images, and counts which classes it takes for which.

        Whether the export has learnt from them is not known here.

        Args:
          images_dir: `class/*.jpg` or `*.png`, each class under its name in the export; for a
            "/" in the name, which no folder can have, it has any other character.
          show: takes the number of files that are not read, the classes without an image, and
            every few seconds how many images are done; None for silence.

        Raises:
          UsageError: there are no such images, one cannot be read, or a class is another's.
        """
        show = console.or_silent(show)
        folder = folders.scan(errors.require_path("images_dir", images_dir), to_learn=False)
        if len(folder.splits) > 1:
            raise errors.UsageError(
                f"{folder.root} has the splits {list(folder.splits)}; name the folder of one"
            )
        (examples,) = folder.splits.values()
        if folder.ignored:
            show(f"ignored files: {folder.ignored_files}")
        names = self._labels()
        numbers = [_number(name, names, folder.root) for name in folder.classes]
        scored = {numbers[label] for _, label in examples}
        if unseen := [name for number, name in enumerate(names) if number not in scored]:
            show(f"no images of {folders.listed(unseen)}")
        counts = np.zeros([len(names)] * 2, np.int64)
        answers = self._predictions(path for path, _ in examples)
        pairs = zip(examples, answers, strict=True)
        for (_, label), answer in progress.countdown(pairs, len(examples), show):
            counts[numbers[label], answer.classes[0]] += 1
        return Confusion(names, counts)

    def _labels(self) -> list[str]:
        """The names of the classes that it answers with.

        Raises:
          UsageError: there are others.
        """
        names = versions.labels(self._folder)
        logits = self._model.signatures["patches"].structured_outputs["logits"]
        if len(names) != logits.shape[-1]:
            path = os.path.join(self._folder, versions.LABELS_FILE)
            raise errors.UsageError(
                f"{path} has {len(names)} names, but the export has {logits.shape[-1]} classes; "
                "export again"
            )
        return names

    def _predictions(self, images: Iterable[Image]) -> Iterator[Prediction]:
        """Of each image, in order; few images are held in memory."""
        asked, first = iter(images), 0
        while part := list(itertools.islice(asked, _AT_ONCE)):
            yield from self._answers(first, part)
            first += len(part)

    def _answers(self, first: int, images: Sequence[Image]) -> list[Prediction]:
        """Predictions of images of which the first is counted as number `first`."""
        import tensorflow as tf

        encoded = [_encoded(number, image) for number, image in enumerate(images, first)]
        try:
            outputs = self._signature(tf.constant(encoded))
        except tf.errors.InvalidArgumentError as error:
            said = errors.own_words(str(error)) or errors.one_line(error)
            raise errors.UsageError(_named(said, first, images)) from error
        return Prediction.of({name: output.numpy() for name, output in outputs.items()})


def _listed(images: Image | Iterable[Image]) -> Iterable[Image]:
    """Several images; of arrays, those of [N, H, W], W above 4, and [N, H, W, channels] are."""
    if isinstance(images, str | os.PathLike | bytes):
        return [images]
    if arguments.is_pil(images):
        return [arguments.pixels("image 0", images)]
    if hasattr(images, "__array__"):
        given = np.asarray(images)
        if given.dtype.kind in "OSU" and given.ndim < 2:  # paths or bytes, as a table's column
            return given.reshape(-1).tolist()
        # An image of 2 or 4 channels, which is refused, is no stack of its rows.
        stacked = given.ndim == 4 or (given.ndim == 3 and given.shape[-1] > 4)
        return list(given) if stacked else [given]
    errors.require(isinstance(images, Iterable), "images", images, "paths, bytes or arrays")
    return images


def _number(name: str, names: Sequence[str], root: str) -> int:
    """The number of a class of an export by the name of its folder."""
    found = [number for number, known in enumerate(names) if known == name] or [
        number for number, known in enumerate(names) if image_files.is_folder_of(name, known)
    ]
    if len(found) != 1:
        known = errors.shown(list(names), 300)
        hint = errors.did_you_mean(name, names)
        raise errors.UsageError(
            f"{root} has the class {name!r}; the export must have exactly one of that name, and "
            f"has {known}{hint}"
        )
    return found[0]


def _encoded(number: int, image: Image) -> bytes:
    """An image as the content of a file."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | os.PathLike):
        if os.path.isdir(image):
            raise errors.UsageError(
                f"{os.fspath(image)} is a folder; give its files, or `score` a folder of classes"
            )
        return image_files.read(image)
    import tensorflow as tf

    return tf.io.encode_png(arguments.pixels(f"image {number}", image)).numpy()


def _named(refusal: str, first: int, images: Sequence[Image]) -> str:
    """What the graph says of images that it counts from 0, with the name of each."""

    def name(counted: re.Match[str]) -> str:
        number = int(counted[2])
        image = images[number]
        path = os.fspath(image) if isinstance(image, str | os.PathLike) else ""
        return f"{counted[1]}{path or f'image {first + number}'} "

    return re.sub(r"(^|; )image (\d+) ", name, refusal)
