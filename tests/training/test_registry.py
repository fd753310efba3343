"""The registered experiment for ImageNet says what the paper says."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.core import config_definitions as cfg
from official.modeling import performance
from official.modeling.optimization import optimizer_factory
from sklearn import datasets

from bignas_tf.data import inputs, resize, split_names
from bignas_tf.search_space import presets, published
from bignas_tf.selection import splits
from bignas_tf.training import accumulation, models, parsing, sandwich
from tests.data import samples
from tests.training import runs

ON_TPU = str(pathlib.Path(__file__).resolve().parents[2] / "experiments" / "imagenet_tpu.yaml")
OURS = ON_TPU.replace("imagenet_tpu", "imagenet_ours")
# Steps of 4,096 images in an epoch of 1,281,167: 312.8.
EPOCH = 1_281_167 / 4096

RULES = {
    "task.model": {"search_space": "bignas_imagenet", "zero_init_gamma": True},
    "task.sandwich": {
        "biggest": True,
        "smallest": True,
        "num_random": 2,
        "resolutions": "paired",
        "same_patch": True,
        "alone": "",
    },
    "task.distillation": {
        "weight": 1.0,
        "ramp_steps": 0,
        "divergence": "kl",
        "teacher": "",
    },
    "task.regularisation": {
        "children": "biggest",
        "weight_decay": 1e-5,
        "biases": True,
        "dropout_rate": 0.2,
        "label_smoothing": 0.1,
    },
    "task.train_data": {
        "source": "tfds",
        "tfds_name": "imagenet2012",
        "tfds_split": "train",
        "num_classes": 1000,
        "channels": 3,
        "base_size": 224,
        "crop": "inception",
        "flip": True,
        "autoaugment": True,
        "global_batch_size": 4096,
    },
    "task.selection": {
        "reporting_split": "validation",
        "resolutions": (192, 224, 256, 288, 320),
        "width_multipliers": (0.0, 1.0),
    },
    "trainer": {"train_steps": 125_000, "train_tf_while_loop": True},
    "trainer.optimizer_config.optimizer.rmsprop": {
        "rho": 0.9,
        "momentum": 0.9,
        "epsilon": 1e-3,
        "initial_mean_square": 1.0,
    },
    "trainer.optimizer_config.learning_rate.constant_ending": {
        "initial_learning_rate": 0.256,
        "decay_rate": 0.97,
        "floor": 0.05,
    },
}


def _imagenet(*files: str, overrides: str = "") -> cfg.ExperimentConfig:
    return parsing.parse("bignas_imagenet", files, overrides)


@pytest.mark.parametrize("files", [[], [ON_TPU]], ids=["registered", "on_tpu"])
@pytest.mark.parametrize("section", RULES)
def test_every_rule_is_the_papers(section: str, files: list[str]) -> None:
    config: Any = _imagenet(*files)
    for name in section.split("."):
        config = getattr(config, name)
    assert {field: getattr(config, field) for field in RULES[section]} == RULES[section]


def test_the_tpu_run_differs_in_its_hardware_alone() -> None:
    registered, on_tpu = _imagenet(), _imagenet(ON_TPU)
    assert registered.task.images_at_once == 0
    assert on_tpu.runtime.distribution_strategy == "tpu"
    assert on_tpu.runtime.mixed_precision_dtype == "bfloat16"
    assert on_tpu.task.images_at_once == 32
    on_tpu.task.images_at_once = registered.task.images_at_once
    for part in ("task", "trainer"):
        assert getattr(on_tpu, part).as_dict() == getattr(registered, part).as_dict()


@pytest.mark.parametrize(("replicas", "parts"), [(8, 16), (32, 4), (128, 1)])
def test_one_configuration_fits_every_slice(replicas: int, parts: int) -> None:
    """32 images a core are what was compiled for all five kinds of TPU."""
    task = _imagenet(ON_TPU).task
    images = task.train_data.global_batch_size // replicas
    assert accumulation.count_parts(images, task.images_at_once) == parts


def test_ours_changes_only_what_it_says() -> None:
    """The published children are children of its space, too."""
    paper, ours = _imagenet(ON_TPU), _imagenet(ON_TPU, OURS)
    paper.override(
        {
            "task": {
                "model": {"search_space": "bignas_imagenet_symmetric"},
                "sandwich": {"resolutions": "any"},
                "distillation": {"divergence": "alpha"},
            },
            "trainer": {"optimizer_config": {"ema": {"average_decay": 0.9999}}},
        }
    )
    assert ours.as_dict() == paper.as_dict()
    space = presets.get(ours.task.model.search_space)
    for name in published.published_names("bignas_imagenet"):
        assert presets.child(space, name) == published.published(name)


def test_selection_calibrates_and_ranks_on_training_images_that_lie_apart() -> None:
    selection = _imagenet().task.selection
    assert selection.calibration_split == f"train[:{selection.calibration_images}]"
    assert selection.ranking_split.startswith(f"train[{selection.calibration_images}:")


def test_six_named_children_are_followed_during_training() -> None:
    config = _imagenet()
    evaluation = config.task.evaluation
    assert evaluation.children == (
        "smallest",
        "biggest",
        *published.published_names("bignas_imagenet"),
    )
    assert len(evaluation.children) == 6
    assert (evaluation.split, evaluation.images) == ("validation", 0)
    assert config.trainer.validation_interval % config.trainer.steps_per_loop == 0


def test_a_loop_and_a_save_fit_into_a_preemption_s_notice() -> None:
    # 125,000 steps in 36 hours are 1.04 s each; of a TPU's 30 s a few are for the checkpoint.
    assert _imagenet().trainer.steps_per_loop * 36 * 3600 / 125_000 < 25


def _rates(config: cfg.ExperimentConfig, steps: list[float]) -> np.ndarray:
    factory = optimizer_factory.OptimizerFactory(config.trainer.optimizer_config)
    schedule = factory.build_learning_rate()
    return np.array([float(schedule(tf.constant(round(step), tf.int64))) for step in steps])


# Epochs become whole steps. Of 1,564 steps of warm-up half a one is 0.03%; 751 steps for 2.4
# epochs (750.7 steps) put the rate 0.13% off after 234 epochs.
ROUNDING = 1.5e-3


def test_warm_up_takes_five_epochs() -> None:
    rates = _rates(_imagenet(), [0, 2.5 * EPOCH, 5 * EPOCH])
    reached = 0.256 * 0.97 ** (5 / 2.4)
    np.testing.assert_allclose(rates, [0, reached / 2, reached], rtol=ROUNDING)


def test_the_rate_falls_by_three_percent_every_2_4_epochs() -> None:
    epochs = np.arange(6.0, 234.0, 12.0)
    before, after = (_rates(_imagenet(), list((epochs + later) * EPOCH)) for later in (0, 2.4))
    np.testing.assert_allclose(before, 0.256 * 0.97 ** (epochs / 2.4), rtol=ROUNDING)
    np.testing.assert_allclose(after / before, 0.97, rtol=ROUNDING)


def test_the_floor_is_reached_at_236_epochs_and_kept() -> None:
    above, *floor = _rates(_imagenet(), [235.5 * EPOCH, 236.5 * EPOCH, 300 * EPOCH, 125_000])
    assert above > 1.005 * 0.0128
    np.testing.assert_allclose(floor, 0.0128, rtol=1e-6)


@pytest.fixture
def tiny(tmp_path: pathlib.Path) -> Iterator[cfg.ExperimentConfig]:
    """The TPU run in a tiny space, in its own precision."""
    space = runs.space_file(tmp_path, stages=runs.ONE_STAGE)
    config = _imagenet(
        ON_TPU, overrides=f"task.model.search_space={space},task.train_data.base_size=14"
    )
    performance.set_mixed_precision_policy(config.runtime.mixed_precision_dtype)
    yield config
    tf_keras.mixed_precision.set_global_policy("float32")


def test_bfloat16_leaves_moments_and_gradients_in_float32(tiny: cfg.ExperimentConfig) -> None:
    task = tiny.task
    supernet = models.build_supernet(task, presets.get(task.model.search_space))
    assert supernet.compute_dtype_of_layers == "bfloat16"
    result = sandwich.compute_gradients(
        supernet,
        patches=runs.patches(channels=3),
        labels=runs.labels(),
        step=tf.constant(1, tf.int64),
        config=task,
    )
    assert {gradient.dtype for gradient in result.gradients} == {tf.float32}
    assert {loss.dtype for loss in result.losses.values()} == {tf.float32}
    images = resize.resize_patches(runs.patches(channels=3), 12)
    moments = supernet.moments(images, supernet.space.biggest())
    assert moments.dtype == tf.float32
    rounded = tf.cast(tf.cast(moments, tf.bfloat16), tf.float32)
    # They were not computed in bfloat16 and cast: most have digits that it lacks.
    assert np.mean(rounded.numpy() != moments.numpy()) > 0.5


def test_evaluation_takes_the_centre_at_224_then_resizes(tmp_path: pathlib.Path) -> None:
    photo = datasets.load_sample_images().images[0]
    folder = tmp_path / "photographs" / "validation" / "class"
    folder.mkdir(parents=True)
    # A second class, because a folder of one has nothing to learn.
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "2.png").write_bytes(tf.io.encode_png(photo).numpy())
    # Without loss, so that a crop of the file is a crop of the photograph.
    (folder / "1.png").write_bytes(tf.io.encode_png(photo).numpy())
    data = _imagenet().task.train_data.replace(
        source="folder", input_path=str(folder.parents[1]), num_classes=2
    )
    ((patch, _),) = splits.open_split(data, "validation", 2)
    # 427 x 640: a square of 7/8 of 427 is 373 wide.
    centre = tf.cast(photo[27:400, 133:506], tf.float32)
    expected = tf.image.resize(centre, [224, 224], "bicubic")
    # One level for rounding.
    np.testing.assert_allclose(patch[0], np.clip(expected, 0, 255), atol=0.51)
    pixels = tf.cast(patch, tf.float32) / 127.5 - 1.0
    at_320 = tf.image.resize(pixels, [320, 320], "bicubic")
    # Sums of 16 products of float32.
    np.testing.assert_allclose(resize.resize_patches(patch, 320), at_320, atol=1e-5)


def test_training_patches_are_bytes_at_224(tmp_path: pathlib.Path) -> None:
    root = samples.write_folder(tmp_path / "photographs")
    data = _imagenet().task.train_data.replace(
        source="folder", input_path=str(root), num_classes=samples.CLASSES, global_batch_size=2
    )
    (spec, _) = inputs.build_dataset(data).element_spec
    assert (spec.dtype, spec.shape.as_list()) == (tf.uint8, [2, 224, 224, 3])


def test_the_header_s_recipe_for_tfrecords_names_only_splits_that_they_have(
    tmp_path: pathlib.Path,
) -> None:
    lines = pathlib.Path(ON_TPU).read_text().splitlines()
    assert max(map(len, lines)) <= 100
    start = lines.index("#   task:")
    recipe = "\n".join(line[1:] for line in lines[start : lines.index("#", start)])
    (tmp_path / "records.yaml").write_text(recipe)
    task = parsing.parse("bignas_imagenet", [ON_TPU, str(tmp_path / "records.yaml")], "").task
    data = task.train_data
    sizes = {split_names.ALL: 1_281_167 + 50_000}
    named = {
        use: each.tfds_split for use, each in splits.of_selection(data, task.selection).items()
    }
    for use, split in (
        named | {"": data.tfds_split, splits.EVALUATION: task.evaluation.split}
    ).items():
        ((_, start, stop),) = split_names.resolve(split, sizes, use)
        held_out = use in (splits.REPORTING, splits.EVALUATION)
        assert (start >= 1_281_167) == held_out
        assert (stop > 1_281_167) == held_out
