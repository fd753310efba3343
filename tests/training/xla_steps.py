"""Ten steps of the small space by masks, as a plain graph and under XLA.

Prints JSON: the losses of both and, at the end, the largest difference between their
weights over the largest way that a weight has come.
"""

from __future__ import annotations

import json

import numpy as np
import tensorflow as tf

from bignas_tf.training import experiment, schedules
from bignas_tf.training.task import BigNASTask

STEPS, BATCH = 10, 4


class Run:
    """A supernet with its optimiser; call it for a step's loss."""

    def __init__(self, jit_compile: bool) -> None:
        # With gammas of 1 the gradients of all weights are alive from the first step.
        config = experiment.parse(
            "bignas_small", [], "task.model.execution=mask,task.model.zero_init_gamma=false"
        )
        task = BigNASTask(config.task)
        self.model = task.build_model()
        optimizer = task.create_optimizer(schedules.of_run(config.trainer), config.runtime)
        optimizer._create_all_weights(self.model.trainable_variables)
        self.traces = 0

        @tf.autograph.experimental.do_not_convert
        def replica_step(patches: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
            self.traces += 1
            return task.train_step((patches, labels), self.model, optimizer)[task.loss]

        self._step = tf.function(replica_step, jit_compile=jit_compile)

    def __call__(self, patches: np.ndarray, labels: np.ndarray) -> float:
        return float(self._step(tf.constant(patches), tf.constant(labels)))

    def weights(self) -> np.ndarray:
        return np.concatenate([v.numpy().ravel() for v in self.model.trainable_variables])


def main() -> None:
    rng = np.random.default_rng(0)
    batches = [
        (rng.integers(0, 256, [BATCH, 28, 28, 1], np.uint8), rng.integers(0, 10, BATCH, np.int32))
        for _ in range(STEPS)
    ]
    runs = {"plain": Run(jit_compile=False), "xla": Run(jit_compile=True)}
    start = runs["plain"].weights()
    losses = {name: [run(*batch) for batch in batches] for name, run in runs.items()}
    ends = {name: run.weights() for name, run in runs.items()}
    way = np.abs(ends["plain"] - start).max()
    difference = np.abs(ends["plain"] - ends["xla"]).max() / way
    traces = runs["xla"].traces
    print(json.dumps(losses | {"difference": float(difference), "traces": traces}))


if __name__ == "__main__":
    main()
