"""The input pipeline: batches of uint8 patches, the same ones even if the run was interrupted.

Training is a function of the step: the order of an epoch and every random draw follow from
`config.seed` and the position in the stream, so a resumed run starts at its step and sees what an
uninterrupted one would have seen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import augment, decode, faults, memory, parallel, shuffling, sources
from bignas_tf.data import config as config_lib
from bignas_tf.data.listed import Listed

_CROP_DOMAIN, _DRAW_DOMAIN, _POLICY_DOMAIN = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Feed:
    """Which part of each global batch this pipeline makes.

    Attributes:
      batch: images of a replica in a step.
      pipelines: input pipelines (hosts) of the run.
      pipeline: this one's number.
      replicas: replicas that take turns in reading this pipeline.
    """

    batch: int
    pipelines: int = 1
    pipeline: int = 0
    replicas: int = 1


def build_dataset(
    config: config_lib.DataConfig,
    input_context: tf.distribute.InputContext | None = None,
    start_step: int = 0,
    patches: int | None = None,
    source: sources.Source | None = None,
) -> tf.data.Dataset:
    """Makes the data set of one input pipeline.

    Args:
      config: what to read; `is_training` chooses endless, shuffled, augmented patches or one pass
        in order over centre patches.
      input_context: given by `strategy.distribute_datasets_from_function`.
      start_step: first training step; those before are skipped without decoding.
      patches: of each training image, every one cut and augmented by itself; None for one.
      source: from `open_images(config)`, for evaluation; None to open them here.

    Returns:
      uint8 [B, base, base, C] and int32 [B] a batch, B = global batch / replicas. Training
      batches are always full. Where `patches` is given, they are [B, patches, base, base, C].

    Raises:
      UsageError: the config is wrong, or the images it names are missing or broken. A broken
        image after the first shows only while the data set is read: read it in `faults.named`.
    """
    if source is None:
        config_lib.validate(config)
    feed = _feed(config, input_context)
    if not config.is_training:
        dataset = _evaluation(config, feed, source)
    elif memory.kept(config):
        dataset = _training_from_memory(config, feed, start_step, patches)
    else:
        dataset = _training_stream(config, feed, start_step, patches)
    options = parallel.options(images=not memory.kept(config))
    options.deterministic = True
    # The images are already divided among pipelines above; TensorFlow must not do it again.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(options).prefetch(config.prefetch_buffer_size or tf.data.AUTOTUNE)


def open_images(config: config_lib.DataConfig) -> sources.Source:
    """Finds the images of a valid config; see `build_dataset` for what it raises."""
    config_lib.validate(config)
    return sources.open_source(config)


def check_images(config: config_lib.DataConfig) -> None:
    """Decodes every image of a valid config once, before work that a broken one would undo.

    A data set of TFDS is left out: TFDS wrote its files, and checked what it made them from.

    Raises:
      UsageError: an image cannot be read or has a wrong label; names it.
    """
    if memory.kept(config):
        memory.load(config)
    elif config.source != "tfds":
        faults.check(sources.open_source(config), config)


def class_shares(config: config_lib.DataConfig) -> np.ndarray | None:
    """The fraction of the split's images that is of each class, float64 [num_classes].

    None where only reading every file would tell; see `build_dataset` for what it raises.
    """
    if memory.kept(config):
        _, labels = memory.load(config)
    else:
        source = open_images(config)
        if not isinstance(source, Listed):
            return None
        labels = source.labels + config.label_offset
    return np.bincount(labels, minlength=config.num_classes) / len(labels)


def open_splits(config: config_lib.DataConfig, names: Iterable[str]) -> dict[str, sources.Source]:
    """Finds the images of several splits of a valid config's data set, which is opened once.

    Raises:
      UsageError: see `sources.opener`.
    """
    config_lib.validate(config)
    opened = sources.opener(config)
    return {name: opened(name) for name in names}


def _feed(config: config_lib.DataConfig, context: tf.distribute.InputContext | None) -> Feed:
    if context is None:
        return Feed(config.global_batch_size)
    replicas = context.num_replicas_in_sync
    if config.global_batch_size % replicas:
        raise errors.UsageError(
            f"data: global_batch_size is {config.global_batch_size}; it must be a multiple of the "
            f"{replicas} replicas"
        )
    pipelines = context.num_input_pipelines
    return Feed(
        config.global_batch_size // replicas,
        pipelines,
        context.input_pipeline_id,
        max(replicas // pipelines, 1),
    )


def _training_from_memory(
    config: config_lib.DataConfig, feed: Feed, start_step: int, patches: int | None
) -> tf.data.Dataset:
    """Every batch computed from its number: shuffling and resuming cost nothing."""
    images, labels = memory.load(config)
    with tf.device("CPU"):
        images, labels = tf.constant(images), tf.constant(labels)
    count, seed, total = len(labels), config.seed or 0, config.global_batch_size

    @tf.autograph.experimental.do_not_convert
    def batch(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        step = number // feed.replicas
        replica = feed.pipeline * feed.replicas + number % feed.replicas
        first = replica * feed.batch
        positions = step * total + first + tf.range(feed.batch, dtype=tf.int64)
        chosen = shuffling.permute(positions % count, count, seed, positions // count)
        augmented = []
        for each in _patch_seeds(seed, patches):
            # Drawn for the global batch, then cut: any number of replicas see the same stream.
            key = tf.stack([tf.constant(each, tf.int64) * 8 + _DRAW_DOMAIN, step])
            draws = tf.random.stateless_uniform([total, augment.DRAWS], key)
            draws = tf.ensure_shape(draws[first : first + feed.batch], [feed.batch, augment.DRAWS])
            policy = _seeds(each, _POLICY_DOMAIN, positions)
            augmented.append(augment.augment(tf.gather(images, chosen), draws, policy, config))
        pixels = augmented[0] if patches is None else tf.stack(augmented, 1)
        return pixels, tf.gather(labels, chosen)

    numbers = tf.data.Dataset.range(start_step * feed.replicas, shuffling.FOREVER)
    return numbers.map(batch, num_parallel_calls=tf.data.AUTOTUNE)


def _training_stream(
    config: config_lib.DataConfig, feed: Feed, start_step: int, patches: int | None
) -> tf.data.Dataset:
    """Shuffled epochs read from files, decoded and augmented image by image."""
    source = _shard(config, feed)
    first = start_step * feed.replicas * feed.batch
    seed, buffer = config.seed or 0, max(config.shuffle_buffer_size, 1)

    @tf.autograph.experimental.do_not_convert
    def example(position: tf.Tensor, element: object) -> tuple[tf.Tensor, tf.Tensor]:
        parts = element if isinstance(element, tuple) else (element,)
        encoded, label = source.decode(*parts)
        everywhere = (position * feed.pipelines + feed.pipeline)[tf.newaxis]
        augmented = _training_patches(encoded, _patch_seeds(seed, patches), everywhere, config)
        return augmented[0] if patches is None else augmented, _label(label, config)

    epochs = tf.data.Dataset.range(first // source.count, shuffling.FOREVER)
    stream = epochs.flat_map(lambda epoch: source.epoch(epoch, seed, buffer))
    stream = stream.skip(first % source.count).enumerate(first)
    examples = stream.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.batch(feed.batch, drop_remainder=True)


def _training_patches(
    encoded: tf.Tensor, seeds: list[int], position: tf.Tensor, config: config_lib.DataConfig
) -> tf.Tensor:
    """uint8 [seeds, base, base, C] of the image at `position` (int64 [1]) of the stream."""
    size, channels = config.base_size, config.channels
    if config.crop == "inception":
        keys = [_seeds(seed, _CROP_DOMAIN, position)[0] for seed in seeds]
        patches = [decode.random_patch(encoded, size, channels, key) for key in keys]
    else:
        patches = [decode.centred_patch(encoded, size, channels, decode.WHOLE)] * len(seeds)
    keys = [_seeds(seed, _DRAW_DOMAIN, position)[0] for seed in seeds]
    draws = [tf.random.stateless_uniform([1, augment.DRAWS], key) for key in keys]
    policy = [_seeds(seed, _POLICY_DOMAIN, position) for seed in seeds]
    return augment.augment(tf.stack(patches), tf.concat(draws, 0), tf.concat(policy, 0), config)


def _patch_seeds(seed: int, patches: int | None) -> list[int]:
    """A seed for each patch of an image, the first that of a single one."""
    # Further apart than the seeds of two runs.
    return [seed + (number << 32) for number in range(patches or 1)]


def _evaluation(
    config: config_lib.DataConfig, feed: Feed, source: sources.Source | None
) -> tf.data.Dataset:
    """One pass in order."""
    if memory.kept(config):
        images, labels = memory.load(config)
        count = len(labels)
        part = slice(
            count * feed.pipeline // feed.pipelines, count * (feed.pipeline + 1) // feed.pipelines
        )
        with tf.device("CPU"):
            dataset = tf.data.Dataset.from_tensor_slices((images[part], labels[part]))
        return dataset.batch(feed.batch)
    centre = decode.evaluation_centre(config.crop)

    @tf.autograph.experimental.do_not_convert
    def example(encoded: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        patch = decode.centred_patch(encoded, config.base_size, config.channels, centre)
        return patch, _label(label, config)

    shard = _shard(config, feed, source)
    dataset = shard.ordered().map(example, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(feed.batch)


def _shard(
    config: config_lib.DataConfig, feed: Feed, source: sources.Source | None = None
) -> sources.Source:
    """This pipeline's images, the first of which has been decoded as a test."""
    source = source or sources.open_source(config)
    if source.count < feed.pipelines:
        raise errors.UsageError(
            f"data: {source.count} images cannot be shared by {feed.pipelines} input pipelines"
        )
    # A wrong format shows before training begins.
    faults.check(source, config, 1)
    start = source.count * feed.pipeline // feed.pipelines
    stop = source.count * (feed.pipeline + 1) // feed.pipelines  # sizes differ by one at most
    return source.part(start, stop)


def _seeds(seed: int, domain: int, positions: tf.Tensor) -> tf.Tensor:
    """int64 [N, 2]: a different seed for each use of each position."""
    use = tf.fill(tf.shape(positions), tf.constant(seed * 8 + domain, tf.int64))
    return tf.stack([use, positions], axis=1)


def _label(label: tf.Tensor, config: config_lib.DataConfig) -> tf.Tensor:
    # In the type that it is stored in: 2^32 + 1 would be 1 in 32 bits.
    label = tf.cast(label, tf.int64) + config.label_offset
    inside = tf.debugging.Assert(
        (label >= 0) & (label < config.num_classes),
        ["label outside 0..num_classes-1; correct num_classes or label_offset:", label],
    )
    with tf.control_dependencies([inside]):
        return tf.cast(label, tf.int32)
