"""Draws scenes with known boxes and masks, for detectors and segmenters: garments on a background.

  python -m experiments.scenes

Each scene has up to three garments of Fashion-MNIST in random colours, 18 to 36 pixels wide, none
on another, on a background of random blotches and stripes. Scenes for training show garments of
the training images, those for validation garments of the test images. They are written as
train.tfrecord and validation.tfrecord in the format of the Model Garden's decoders, so that its
RetinaNet, Mask R-CNN and semantic segmentation read them: class 0 is the background, 1 to 10 are
the garments. Every scene follows from the seed, its split and its number. 1,600 scenes and 200 take
some seconds. experiments/scenes_retinanet.yaml and experiments/scenes_deeplab.yaml train on them.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Sequence

import numpy as np
from absl import flags
from PIL import Image

import bignas_tf as bignas
from bignas_tf import files, scratch
from tools.cli import launch

_SIDES = 18, 37  # of a garment, from and below, in pixels
BRIGHTNESS = 0.25  # of a background, unless told otherwise

_DATA_DIR = flags.DEFINE_string(
    "data_dir", "", "Where TFDS keeps Fashion-MNIST; its own folder by default."
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", "runs/data/scenes", "Folder of the TFRecords.")
_TRAIN = flags.DEFINE_integer("train", 1600, "Scenes for training.")
_VALIDATION = flags.DEFINE_integer("validation", 200, "Scenes for validation.")
_SIDE = flags.DEFINE_integer(
    "side", 64, "Height and width of a scene in pixels.", lower_bound=_SIDES[1] - 1
)
_BACKGROUND = flags.DEFINE_float(
    "background", BRIGHTNESS, "Brightness of the background; 0 is black.", 0, 1
)
_SEED = flags.DEFINE_integer("seed", 0, "Other seeds give other scenes.")

SPLITS = {"train": "train[:10000]", "validation": "test"}
_MOST_THINGS, _TRIES = 3, 50
_INK = 24  # pixels of a garment are brighter; its surroundings are nearly black
_IMAGES = 500  # read at a time
_SMOOTH = Image.Resampling.BILINEAR


@dataclasses.dataclass(frozen=True)
class Thing:
    """One garment in a scene.

    Attributes:
      label: 1 to 10.
      top: of its box, in pixels; the box encloses the mask.
      left: likewise.
      mask: bool [height, width] of the box.
    """

    label: int
    top: int
    left: int
    mask: np.ndarray

    @property
    def box(self) -> tuple[slice, slice]:
        """The rows and the columns of the scene that it is in."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclasses.dataclass(frozen=True)
class Scene:
    """An image and what is in it.

    Attributes:
      image: uint8 [side, side, 3].
      classes: uint8 [side, side], the label of each pixel, 0 for the background.
      things: whose boxes do not overlap.
    """

    image: np.ndarray
    classes: np.ndarray
    things: list[Thing]


def main() -> None:
    import tensorflow as tf

    folder = files.ensure_writable(_OUTPUT_DIR.value)
    for split, source in SPLITS.items():
        count = {"train": _TRAIN.value, "validation": _VALIDATION.value}[split]
        garments, labels = _garments(source)
        with scratch.folder(folder) as staged:
            path = staged / f"{split}.tfrecord"
            with tf.io.TFRecordWriter(str(path)) as writer:
                for number in range(count):
                    rng = np.random.default_rng([_SEED.value, list(SPLITS).index(split), number])
                    scene = draw(garments, labels, _SIDE.value, rng, _BACKGROUND.value)
                    writer.write(example(scene, number))
            path.replace(folder / path.name)
        print(f"{folder / path.name}: {count} scenes", flush=True)


def _garments(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Fashion-MNIST, uint8 [N, 28, 28], and its labels, 0 to 9."""
    from bignas_tf.selection import splits

    override = f"task.train_data.tfds_data_dir={_DATA_DIR.value}" if _DATA_DIR.value else ""
    config = bignas.configure("bignas_small", ["experiments/fashion_mnist.yaml"], override)
    batches = list(splits.open_split(config.task.train_data, split, _IMAGES).dataset)
    patches, labels = (
        np.concatenate([part.numpy() for part in each]) for each in zip(*batches, strict=True)
    )
    return patches[..., 0], labels


def draw(
    garments: np.ndarray,
    labels: np.ndarray,
    side: int,
    rng: np.random.Generator,
    background: float = BRIGHTNESS,
) -> Scene:
    """Draws one scene.

    Args:
      garments: uint8 [N, h, w], bright on black.
      labels: int [N], from 0.
      side: of the scene, in pixels.
      rng: all that is random about it.
      background: its brightness.
    """
    image, classes = _background(side, rng, background), np.zeros([side, side], np.uint8)
    things = []
    for _ in range(rng.integers(1, _MOST_THINGS + 1)):
        chosen = rng.integers(len(garments))
        size = int(rng.integers(*_SIDES))
        garment = np.asarray(Image.fromarray(garments[chosen]).resize((size, size), _SMOOTH))
        if rng.random() < 0.5:
            garment = garment[:, ::-1]
        garment = garment[_extent(garment.max(1)), _extent(garment.max(0))]
        place = _free_place(classes, garment.shape, rng)
        if place is None:
            continue
        thing = Thing(int(labels[chosen]) + 1, *place, garment > _INK)
        colour = rng.uniform(0.4, 1.0, 3)
        image[thing.box][thing.mask] = (garment[..., np.newaxis] * colour)[thing.mask]
        classes[thing.box][thing.mask] = thing.label
        things.append(thing)
    return Scene(image, classes, things)


def _extent(brightest: np.ndarray) -> slice:
    """From the first row or column with ink to the last."""
    inked = np.flatnonzero(brightest > _INK)
    return slice(inked[0], inked[-1] + 1)


def _free_place(
    classes: np.ndarray, shape: Sequence[int], rng: np.random.Generator
) -> tuple[int, int] | None:
    """The top and the left of a box with nothing in it; None if there seems to be none."""
    (height, width), side = shape, len(classes)
    for _ in range(_TRIES):
        top, left = (int(rng.integers(side - extent + 1)) for extent in (height, width))
        if not classes[top : top + height, left : left + width].any():
            return top, left
    return None


def _background(side: int, rng: np.random.Generator, brightness: float) -> np.ndarray:
    """Blotches of many sizes and stripes, uint8 [side, side, 3]."""
    pixels = np.zeros([side, side, 3])
    for cells in (3, 9, 27):
        blotches = rng.integers(0, 256, [cells, cells, 3]).astype(np.uint8)
        pixels += np.asarray(Image.fromarray(blotches).resize((side, side), _SMOOTH)) / 3
    rows, columns = np.mgrid[:side, :side]
    across, down = rng.uniform(-0.6, 0.6, 2)
    pixels += 30 * np.sin(across * columns + down * rows)[..., np.newaxis]
    return np.clip(brightness * rng.uniform(0.3, 1.0) * pixels, 0, 255).astype(np.uint8)


def example(scene: Scene, number: int) -> bytes:
    """A scene as the Model Garden's decoders read it, a serialised tf.train.Example."""
    import tensorflow as tf

    def feature(kind: str, values: Iterator | Sequence) -> tf.train.Feature:
        kinds = {"bytes": tf.train.BytesList, "float": tf.train.FloatList}
        listed = kinds.get(kind, tf.train.Int64List)(value=list(values))
        return tf.train.Feature(**{f"{kind}_list": listed})

    side, boxes = len(scene.image), [thing.box for thing in scene.things]
    features = {
        "image/encoded": feature("bytes", [_png(scene.image)]),
        "image/source_id": feature("bytes", [str(number).encode()]),
        "image/height": feature("int64", [side]),
        "image/width": feature("int64", [side]),
        "image/object/bbox/ymin": feature("float", (rows.start / side for rows, _ in boxes)),
        "image/object/bbox/ymax": feature("float", (rows.stop / side for rows, _ in boxes)),
        "image/object/bbox/xmin": feature("float", (columns.start / side for _, columns in boxes)),
        "image/object/bbox/xmax": feature("float", (columns.stop / side for _, columns in boxes)),
        "image/object/class/label": feature("int64", (thing.label for thing in scene.things)),
        "image/object/is_crowd": feature("int64", (0 for _ in boxes)),
        "image/object/area": feature("float", (thing.mask.sum() for thing in scene.things)),
        "image/object/mask": feature(
            "bytes", (_png(_alone(thing, side)) for thing in scene.things)
        ),
        "image/segmentation/class/encoded": feature("bytes", [_png(scene.classes)]),
    }
    made = tf.train.Example(features=tf.train.Features(feature=features))
    return made.SerializeToString(deterministic=True)  # a map has no order of its own


def _alone(thing: Thing, side: int) -> np.ndarray:
    """A thing's mask in the whole scene, uint8 [side, side]."""
    mask = np.zeros([side, side], np.uint8)
    mask[thing.box] = thing.mask
    return mask


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


if __name__ == "__main__":
    launch(main)
