"""The registered experiments: the rules and numbers that YAML files override."""

from __future__ import annotations

from official.core import config_definitions as cfg
from official.core import exp_factory

from bignas_tf.search_space import published
from bignas_tf.training import configs

_IMAGENET_IMAGES, _IMAGENET_BATCH = 1_281_167, 4096


def names() -> list[str]:
    """The experiments of this project, among all that the Model Garden has registered."""
    return sorted(name for name in exp_factory._REGISTERED_CONFIGS if name.startswith("bignas"))


@exp_factory.register_config_factory("bignas_small")
def bignas_small() -> cfg.ExperimentConfig:
    """Small images (20 to 32 px) on one CPU or GPU; Fashion-MNIST unless told otherwise."""
    experiment = configs.blank_experiment()
    task, trainer = experiment.task, experiment.trainer
    task.model.search_space = "bignas_small"
    task.train_data.override(
        {
            "source": "tfds",
            "tfds_name": "fashion_mnist",
            "tfds_split": "train[:90%]",
            "base_size": 28,
            "channels": 1,
            "num_classes": 10,
            "crop": "pad",
            "cache": True,
            "global_batch_size": 128,
            "is_training": True,
            "seed": 0,
        }
    )
    _set_steps(trainer, train_steps=1200, checkpoint_interval=200)
    set_optimisation(experiment, learning_rate=0.006, decay_steps=0, warmup_steps=50)
    return experiment


@exp_factory.register_config_factory("bignas_imagenet")
def bignas_imagenet() -> cfg.ExperimentConfig:
    """The paper's run on ImageNet (Sections 3.1 and 4.2, Appendix B), for any hardware.

    The paper trains with EfficientNet's settings, so what it leaves open follows EfficientNet: 5
    epochs of warm-up, RMSProp's epsilon and first mean square, label smoothing of 0.1, weight decay
    of biases; docs/paper.md has what does not. Ours are the splits of
    selection (that they hold training images is the paper's rule), the length of a loop (21
    seconds at the paper's speed, because a preemption leaves 30), and a rate that falls smoothly
    where EfficientNet's falls stepwise: it reaches the floor after 2.4 * log(0.05) / log(0.97) =
    236 epochs, where the steps would after 237.6.
    """
    experiment = configs.blank_experiment()
    task, trainer = experiment.task, experiment.trainer
    task.model.search_space = "bignas_imagenet"
    task.regularisation.label_smoothing = 0.1
    task.regularisation.biases = True
    _set_imagenet(task)
    _set_steps(trainer, train_steps=125_000, checkpoint_interval=1000)
    trainer.validation_interval = 5000
    trainer.for_batch = _IMAGENET_BATCH
    epoch = _IMAGENET_IMAGES / _IMAGENET_BATCH
    set_optimisation(
        experiment,
        learning_rate=0.256,
        decay_steps=round(2.4 * epoch),
        warmup_steps=round(5 * epoch),
    )
    trainer.optimizer_config.optimizer.rmsprop.initial_mean_square = 1.0
    return experiment


def _set_imagenet(task: configs.BigNASConfig) -> None:
    """Sets the images for training, selection and reporting, and the children to evaluate."""
    task.train_data.override(
        {
            "source": "tfds",
            "tfds_name": "imagenet2012",
            "tfds_split": "train",
            "base_size": 224,
            "channels": 3,
            "num_classes": 1000,
            "crop": "inception",
            "flip": True,
            "autoaugment": True,
            "global_batch_size": _IMAGENET_BATCH,
            "is_training": True,
            "seed": 0,
        }
    )
    task.selection.override(
        {
            "calibration_split": "train[:8192]",
            "calibration_images": 8192,
            "ranking_split": "train[8192:58192]",
            "reporting_split": "validation",
            "batch_size": 256,
            "resolutions": (192, 224, 256, 288, 320),
        }
    )
    task.evaluation.override(
        {
            "children": ("smallest", "biggest", *published.published_names("bignas_imagenet")),
            "split": task.selection.reporting_split,  # as the paper's learning curves
        }
    )


def _set_steps(trainer: configs.TrainerConfig, train_steps: int, checkpoint_interval: int) -> None:
    """Loops of 20 steps, each a point of the summaries; the last three checkpoints are kept."""
    trainer.train_steps = train_steps
    trainer.steps_per_loop = 20
    trainer.summary_interval = 20
    trainer.checkpoint_interval = checkpoint_interval
    trainer.max_to_keep = 3


def set_optimisation(
    experiment: cfg.ExperimentConfig, learning_rate: float, decay_steps: int, warmup_steps: int
) -> None:
    """RMSProp as EfficientNet's, x0.97 every `decay_steps`, 5% constant ending.

    With `decay_steps` of 0 the rate reaches the 5% in the last step of the run.
    """
    experiment.trainer.optimizer_config.override(
        {
            "optimizer": {
                "type": "rmsprop",
                "rmsprop": {"rho": 0.9, "momentum": 0.9, "epsilon": 1e-3},
            },
            "learning_rate": {
                "type": "constant_ending",
                "constant_ending": {
                    "initial_learning_rate": learning_rate,
                    "decay_rate": 0.97,
                    "decay_steps": decay_steps,
                    "staircase": False,
                    "floor": 0.05,
                },
            },
            "warmup": {
                "type": "linear",
                "linear": {"warmup_steps": warmup_steps, "warmup_learning_rate": 0.0},
            },
        }
    )
