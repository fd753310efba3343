"""A batch norm on replicas in groups, against one device that has the images of a group.

As a module it takes groups of two on four virtual CPUs, more than a test process has, and prints
the largest difference.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from bignas_tf.layers import batch_norm, elastic

IMAGES, WIDTH = 8, 3
# Float32 sums of up to 72 values of size 1 to 10.
TOLERANCE = 5e-5


def _layer() -> batch_norm.ElasticBatchNorm:
    layer = batch_norm.ElasticBatchNorm(WIDTH, 0)
    layer.gamma.assign([0.5, 1.0, 1.5])
    layer.beta.assign([0.1, -0.2, 0.3])
    return layer


def _images() -> tuple[tf.Tensor, tf.Tensor]:
    """Images, each on a level of its own, and the factors of their loss."""
    rng = np.random.default_rng(0)
    levels = np.arange(IMAGES).reshape(-1, 1, 1, 1)
    shape = (IMAGES, 3, 3, WIDTH)
    x, factors = rng.normal(levels, 2.0, shape), rng.normal(size=shape)
    return tf.constant(x, tf.float32), tf.constant(factors, tf.float32)


def _step(
    layer: batch_norm.ElasticBatchNorm, x: tf.Tensor, factors: tf.Tensor, norm_replicas: int
) -> list[tf.Tensor]:
    """The result, and gradients of a loss for the images, gamma and beta."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, WIDTH, elastic.Pass(norm_replicas=norm_replicas))
        loss = tf.reduce_sum(y * factors)
    return [y, *tape.gradient(loss, [x, layer.gamma, layer.beta])]


def on_replicas(strategy: tf.distribute.Strategy, norm_replicas: int) -> list[np.ndarray]:
    """What all replicas find: images in order, and gradients of weights a row for each replica."""
    x, factors = _images()
    with strategy.scope():
        layer = _layer()
    own = IMAGES // strategy.num_replicas_in_sync

    @tf.function(autograph=False)
    def steps() -> list[tf.Tensor]:
        def on_one() -> list[tf.Tensor]:
            first = own * tf.distribute.get_replica_context().replica_id_in_sync_group
            part = slice(first, first + own)
            return _step(layer, x[part], factors[part], norm_replicas)

        return strategy.run(on_one)

    y, by_image, *by_weight = map(strategy.experimental_local_results, steps())
    return [np.concatenate(y), np.concatenate(by_image), *map(np.stack, by_weight)]


def difference(strategy: tf.distribute.Strategy, norm_replicas: int) -> float:
    """The largest from one device that has all images of a group, over values and gradients."""
    x, factors = _images()
    groups = strategy.num_replicas_in_sync // norm_replicas
    layer, parts = _layer(), zip(tf.split(x, groups), tf.split(factors, groups), strict=True)
    y, by_image, *by_weight = zip(*(_step(layer, *part, 0) for part in parts), strict=True)
    expected = [np.concatenate(y), np.concatenate(by_image), *map(np.stack, by_weight)]
    found = on_replicas(strategy, norm_replicas)
    # Replicas of a group have a part of its gradients of weights each.
    found[2:] = [rows.reshape(groups, norm_replicas, WIDTH).sum(1) for rows in found[2:]]
    return max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))


def main() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    four = [tf.config.LogicalDeviceConfiguration() for _ in range(4)]
    tf.config.set_logical_device_configuration(cpu, four)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(4)])
    print(difference(strategy, 2))


if __name__ == "__main__":
    main()
