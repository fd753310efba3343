"""Decoded patches of a whole split, kept in memory."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import config as config_lib
from bignas_tf.data import decode, faults, parallel, records, sources

_LIMIT_GIB = 8
# What patches and labels depend on.
_FIELDS = [*config_lib.DECODED, "tfds_data_dir", "tfds_split", "input_path"]
_BATCH = 512


def kept(config: config_lib.DataConfig) -> bool:
    """Whether the patches are held in memory; digits always are, unless cut from the whole."""
    return config.crop != "inception" and (config.cache or config.source == "digits")


def load(config: config_lib.DataConfig) -> tuple[np.ndarray, np.ndarray]:
    """Reads and decodes every image of the split, once for equal configs.

    Returns:
      uint8 [N, base, base, C] and int32 [N]; do not write to them.

    Raises:
      UsageError: images are missing or broken, a label is out of range, or there are too many.
    """
    wanted = config.as_dict()
    return _load(json.dumps({field: wanted[field] for field in _FIELDS}), _written(config))


def _written(config: config_lib.DataConfig) -> int:
    """Another number once files were written anew or have come or gone, as beside a notebook."""
    source = sources.open_source(config)
    paths: Iterable[str] = ()
    if isinstance(source, records.Records):
        paths = dict.fromkeys(part.path for part in source.slices)
    elif config.source == "folder":
        paths = source.keys.tolist()
    return hash((*paths, *records.states(paths)))


@functools.lru_cache(maxsize=4)
def _load(fields: str, written: int) -> tuple[np.ndarray, np.ndarray]:
    del written
    config = config_lib.DataConfig(**json.loads(fields))
    source = sources.open_source(config)
    shape = (source.count, config.base_size, config.base_size, config.channels)
    size = np.prod(shape, dtype=np.int64) / 2**30
    if size > _LIMIT_GIB:
        raise errors.UsageError(
            f"data: cache=True would hold {size:.0f} GiB in memory; set cache=False"
        )

    @tf.autograph.experimental.do_not_convert
    def patch(encoded: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size, channels = config.base_size, config.channels
        return decode.centred_patch(encoded, size, channels, decode.WHOLE), label

    images, labels = np.empty(shape, np.uint8), np.empty(source.count, np.int64)
    patches = source.ordered().map(patch, num_parallel_calls=tf.data.AUTOTUNE)
    batches = patches.batch(_BATCH).with_options(parallel.options())
    with faults.named(config):
        for number, (pixels, classes) in enumerate(batches.as_numpy_iterator()):
            part = slice(number * _BATCH, number * _BATCH + len(classes))
            images[part], labels[part] = pixels, classes
    shifted = labels + config.label_offset
    wrong = source.name(int(np.argmax((shifted < 0) | (shifted >= config.num_classes))))
    sources.check_range(labels.min(), labels.max(), config, wrong)
    return images, shifted.astype(np.int32)
