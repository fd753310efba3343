"""Steps of a space of two blocks by masks, as a plain graph and under XLA.

Prints JSON: the losses of both and, at the end, the largest difference between their
weights over the largest way that a weight has come.
"""

from __future__ import annotations

import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from bignas_tf.training import schedules
from bignas_tf.training.task import BigNASTask
from tests.training import runs

STEPS, BATCH = 4, runs.BATCH
# A static child that is taught by labels, and one by masks that it teaches: each takes its time to
# compile.
SANDWICH = {"smallest": False, "num_random": 1}


class Run:
    """A supernet with its optimiser; call it for a step's loss."""

    def __init__(self, folder: pathlib.Path, jit_compile: bool) -> None:
        # With gammas of 1 the gradients of all weights are alive from the first step.
        config = runs.parse(folder, "task.model.execution=mask,task.model.zero_init_gamma=false")
        config.task.sandwich.override(SANDWICH)
        task = BigNASTask(config.task)
        self.model = task.build_model()
        optimizer = task.create_optimizer(schedules.for_run(config.trainer), config.runtime)
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
        (rng.integers(0, 256, [BATCH, 14, 14, 1], np.uint8), rng.integers(0, 10, BATCH, np.int32))
        for _ in range(STEPS)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runs.space_file(folder, stages=runs.ONE_STAGE)
        made = {"plain": Run(folder, jit_compile=False), "xla": Run(folder, jit_compile=True)}
    start = made["plain"].weights()
    losses = {name: [run(*batch) for batch in batches] for name, run in made.items()}
    ends = {name: run.weights() for name, run in made.items()}
    way = np.abs(ends["plain"] - start).max()
    difference = np.abs(ends["plain"] - ends["xla"]).max() / way
    traces = made["xla"].traces
    print(json.dumps(losses | {"difference": float(difference), "traces": traces}))


if __name__ == "__main__":
    main()
