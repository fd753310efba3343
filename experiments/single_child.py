"""Does the machinery learn? One child alone through our task, against Keras' fit.

  python -m experiments.single_child --data_dir=runs/data

Both start from the same weights and see the same batches, optimiser and
schedule; ours slices the biggest child out of a supernet, the other is the
stock Keras model trained by `fit`. Expected: test accuracies within 1 point.
Result: experiments/results/single_child.json.
"""

from __future__ import annotations

from absl import flags
from official.core import config_definitions as cfg

import bignas_tf as bignas
from bignas_tf import files
from bignas_tf.api import stock_training
from bignas_tf.modeling import slicing
from bignas_tf.selection import splits
from bignas_tf.training import schedules
from bignas_tf.training.task import BigNASTask
from tools.cli import launch

_DATA_DIR = flags.DEFINE_string("data_dir", "runs/data", "Where TFDS keeps Fashion-MNIST.")
_MODEL_DIR = flags.DEFINE_string("model_dir", "runs/single_child", "Folder of our run.")
_OUTPUT = flags.DEFINE_string("output", "experiments/results/single_child.json", "Result file.")
_STEPS = flags.DEFINE_integer("steps", 1000, "Updates of each model.")

_ALONE = (
    "task.sandwich.alone=biggest,"
    "task.regularisation.weight_decay=0.0,task.regularisation.dropout_rate=0.0"
)


def main() -> None:
    settings = f"task.train_data.tfds_data_dir={_DATA_DIR.value},trainer.train_steps={_STEPS.value}"
    config = bignas.configure(
        "bignas_small", ["experiments/fashion_mnist.yaml"], f"{settings},{_ALONE}"
    )
    theirs = _fit(config)
    run = bignas.train(config, _MODEL_DIR.value)
    ours = bignas.evaluate(run, "biggest", "test")
    result = {
        "steps": _STEPS.value,
        "test_images": ours.images,
        "child_alone_top1": ours.top1,
        "keras_fit_top1": theirs,
        "difference": ours.top1 - theirs,
    }
    files.write_json(_OUTPUT.value, result)
    print(result)


def _fit(config: cfg.ExperimentConfig) -> float:
    """Trains the biggest child with Keras' `fit`; returns its top-1 accuracy on the test split."""
    task = BigNASTask(config.task)
    supernet = task.build_model()  # the same seed, and so the same weights, as our run
    biggest = supernet.space.biggest()
    # Keras' own momentum of 0.99 would not have caught up after so few steps.
    model = slicing.trainable_child(supernet, biggest, momentum=0.9)

    optimizer = task.create_optimizer(schedules.for_run(config.trainer))
    data, way_out = config.task.train_data, "try another seed"
    stock_training.fit(model, optimizer, data, _STEPS.value, way_out, verbose=2)
    return stock_training.score(model, splits.open_split(data, "test", 500), way_out).top1


if __name__ == "__main__":
    launch(main)
