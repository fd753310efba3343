"""Another family of supernets from the elastic layers: a small residual network on digits.

  python -m experiments.residual_network

The commands train, judge and search it, too, if task.model.network names it (docs/layers.md).

Its blocks are those of ResNet (https://arxiv.org/abs/1512.03385): two 3x3 convolutions and a
shortcut without weights; children choose widths and depths. All else is the project's own. Expected
on scikit-learn's 360 test digits: each child right in more than 95%, less with other statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from bignas_tf.data import inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.layers import ElasticBatchNorm, ElasticClassifier, ElasticConvolution, Pass, fit
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture, Stage
from bignas_tf.search_space.cost import Cost
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import splits
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.training import sandwich
from bignas_tf.training.configs import BigNASConfig
from tools.cli import launch

CLASSES, BATCH, STEPS, RANDOM_CHILDREN = 10, 64, 400, 3
FIXED: dict[str, Any] = {"kernels": (3,), "expands": (1,), "se_ratio": 0.0}  # no choice here
SPACE = SearchSpace(
    "residual_digits", stem_widths=(8, 16), stem_stride=1, head_widths=(1,),
    stages=(
        Stage(widths=(8, 12, 16), depths=(1, 2), **FIXED),
        Stage(widths=(16, 24, 32), depths=(1, 2), stride=2, **FIXED),
    ),
    train_resolutions=(8,), eval_resolutions=(8,), base_resolution=8,
)  # fmt: skip
DATA = DataConfig(
    source="digits", tfds_split="train", base_size=8, channels=1, num_classes=CLASSES,
    crop="pad", flip=False, global_batch_size=BATCH, is_training=True,
)  # fmt: skip


class ResidualBlock(tf_keras.layers.Layer):
    """Two 3x3 convolutions beside the input, pooled, cut or padded to fit.

    Args:
      widest: the row of the block table of the biggest child.
      offset: where its batch norms start in `Pass.statistics`.
      zero_gamma: whether its last gammas start at 0.
    """

    def __init__(self, widest: blocks_lib.Block, offset: int, zero_gamma: bool) -> None:
        super().__init__(name=widest.name)
        before, out = widest.in_width, widest.out_width
        self.out_width, self.norm_width = out, 2 * out
        self.first_conv = ElasticConvolution(before, out, 3, widest.stride, widest.symmetric)
        self.first_norm = ElasticBatchNorm(out, offset)
        self.second_conv = ElasticConvolution(out, out, 3)
        self.second_norm = ElasticBatchNorm(out, offset + out, zero_gamma=zero_gamma)

    def call(self, x: tf.Tensor, block: blocks_lib.Block, forward: Pass) -> tf.Tensor:
        """Maps [N, H, W, in] to [N, H / stride, W / stride, out]."""
        before, out = block.in_width, block.out_width
        y = tf.nn.relu(self.first_norm(self.first_conv(x, before, out, forward), out, forward))
        y = self.second_norm(self.second_conv(y, out, out, forward), out, forward)
        if block.optional:  # where it is left out, its input is positive and has its width
            y *= tf.cast(block.active, y.dtype)
        pooled = tf.nn.avg_pool2d(x, block.stride, block.stride, "SAME")
        return tf.nn.relu(fit(pooled, out, self.out_width, forward) + y)


class ResidualNetwork(ElasticModel):
    """A stem, residual blocks, an average and a classifier; see `ElasticModel`."""

    def __init__(
        self,
        space: SearchSpace = SPACE,
        num_classes: int = CLASSES,
        input_channels: int = 1,
        **rules: Any,
    ) -> None:
        super().__init__(space, num_classes, input_channels, **rules)
        widest = blocks_lib.widest(space)
        self.stem_conv = ElasticConvolution(self.input_channels, widest.stem_width, 3)
        self.stem_norm = ElasticBatchNorm(widest.stem_width, offset=0)
        self.statistics_width = widest.stem_width
        self.blocks = []
        for block in widest.blocks:
            before = self.statistics_width
            self.blocks.append(ResidualBlock(block, before, self.zero_init_gamma))
            self.statistics_width += self.blocks[-1].norm_width
        self.classifier = ElasticClassifier(widest.head_in_width, num_classes)

    def logits(
        self,
        images: tf.Tensor,
        table: blocks_lib.BlockTable,
        forward: Pass,
        dropout_seed: tf.Tensor | None,
    ) -> tf.Tensor:
        """See `ElasticModel.logits`."""
        x = self.stem_conv(images, self.input_channels, table.stem_width, forward)
        x = tf.nn.relu(self.stem_norm(x, table.stem_width, forward))
        for layer, block in zip(self.blocks, table.blocks, strict=True):
            if block.active is not False:
                x = layer(x, block, forward)
        x = self.drop(tf.reduce_mean(x, [1, 2]), dropout_seed)
        return self.classifier(x, table.head_in_width, forward)

    def cost_of(self, architecture: Architecture) -> Cost:
        """See `ElasticModel.cost_of`; a batch norm has four vectors, a pixel four bytes."""
        table = blocks_lib.resolve_child(self.space, architecture)
        area, width, peak = architecture.resolution**2, table.stem_width, 0
        weights = 9 * self.input_channels * width
        macs, params = area * weights, weights + 4 * width
        for block in table.blocks:
            if block.active:
                area //= block.stride**2
                weights = 9 * block.out_width * (block.in_width + block.out_width)
                macs, params = macs + area * weights, params + weights + 8 * block.out_width
                held = area * block.stride**2 * block.in_width  # the shortcut waits for the rest
                peak = max(peak, 4 * (held + 2 * area * block.out_width))
        weights = table.head_in_width * self.num_classes
        return Cost(macs + weights, params + weights + self.num_classes, peak)


def train(network: ResidualNetwork, steps: int, show: Callable[[str], None] = print) -> None:
    """Trains by the sandwich rule: the biggest child, the smallest and two random ones."""
    config = BigNASConfig(seed=0)
    optimizer = tf_keras.optimizers.SGD(
        tf_keras.optimizers.schedules.CosineDecay(0.5, steps), momentum=0.9, nesterov=True
    )

    @tf.function(autograph=False)
    def step(patches: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        result = sandwich.compute_gradients(
            network, patches=patches, labels=labels, step=optimizer.iterations, config=config
        )
        optimizer.apply_gradients(zip(result.gradients, network.trainable_variables, strict=True))
        return result.losses

    for number, batch in enumerate(inputs.build_dataset(DATA).take(steps)):
        losses = step(*batch)
        if number % 100 == 0 or number == steps - 1:
            told = ", ".join(f"{role} {float(loss):.3f}" for role, loss in losses.items())
            show(f"step {number + 1}: loss of {told}")


def main() -> None:
    tf_keras.utils.set_random_seed(0)
    network = ResidualNetwork()
    train(network, STEPS)
    evaluator = Evaluator(network, splits.open_split(DATA, "train", BATCH, full=True).dataset)
    test = splits.open_split(DATA, "test", BATCH).dataset
    rng = np.random.default_rng(0)
    children = {"smallest": SPACE.smallest(), "biggest": SPACE.biggest()}
    children |= {f"random{i + 1}": SPACE.sample(rng) for i in range(RANDOM_CHILDREN)}
    others = evaluator.statistics(SPACE.biggest())
    print("child     top-1 with the biggest child's statistics, calibrated")
    for name, child in children.items():
        before = evaluator.top1(child, others, test)
        after = evaluator.top1(child, evaluator.statistics(child), test)
        print(f"{name:8}  {before.top1:.1%}  {after.top1:.1%}")


if __name__ == "__main__":
    launch(main)
