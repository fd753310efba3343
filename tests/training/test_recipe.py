"""A run is chosen for a folder of images by rules that a test can read."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest

from bignas_tf import errors
from bignas_tf.api import counting
from bignas_tf.data.description import Description
from bignas_tf.training import parsing, recipe


def _described(**changes: Any) -> Description:
    fields: dict[str, Any] = {
        "root": "photos",
        "sizes": {"train": 4000, "test": 1000},
        "classes": {"cat": 3000, "dog": 2000},
        "side": 32,
        "coloured": True,
    }
    return Description(**fields | changes)


@pytest.mark.parametrize(
    ("side", "space", "base"),
    [
        (8, "bignas_small", 28),
        (40, "bignas_small", 28),
        (44, "bignas_medium", 64),
        (90, "bignas_medium", 64),
        (92, "bignas_large", 128),
        (3000, "bignas_large", 128),
    ],
)
def test_the_space_is_the_one_of_the_nearest_side(side: int, space: str, base: int) -> None:
    task = recipe.choose(_described(side=side), 8.0).values["task"]
    assert task["model"]["search_space"] == space
    assert task["train_data"]["base_size"] == base


@pytest.mark.parametrize("split", ["train", "all", "test", "val", "photos"])
def test_a_folder_with_one_split_is_divided_whatever_it_is_called(split: str) -> None:
    task = recipe.choose(_described(sizes={split: 1000}), 8.0).values["task"]
    selection = task["selection"]
    assert task["train_data"]["tfds_split"] == f"{split}[:700]"
    assert selection["calibration_split"] == f"{split}[:700]"
    assert selection["ranking_split"] == f"{split}[700:850]"
    assert selection["reporting_split"] == f"{split}[850:]"


def test_a_search_tries_the_first_the_last_and_the_usual_resolution() -> None:
    selection = recipe.choose(_described(side=28), 8.0).values["task"]["selection"]
    assert selection["resolutions"] == [20, 28, 32]


@pytest.mark.parametrize(("coloured", "channels"), [(True, 3), (False, 1)])
def test_colour_gives_three_channels_and_mirrored_patches(coloured: bool, channels: int) -> None:
    data = recipe.choose(_described(coloured=coloured), 8.0).values["task"]["train_data"]
    assert (data["channels"], data["flip"], data["num_classes"]) == (channels, coloured, 2)


def test_steps_follow_the_minutes_and_the_speed() -> None:
    # 2 minutes at 640 images a second are 1,200 steps of 64 images.
    trainer = recipe.choose(_described(), 2.0, 640.0).values["trainer"]
    assert (trainer["train_steps"], trainer["steps_per_loop"]) == (1200, 30)
    assert trainer["checkpoint_interval"] == 300
    optimizer = trainer["optimizer_config"]
    assert optimizer["learning_rate"]["cosine"]["decay_steps"] == 0
    assert optimizer["warmup"]["linear"]["warmup_steps"] == 60


def test_dropout_is_for_runs_that_see_each_image_often() -> None:
    # 3,400 images are left for training: 600 steps of 64 are 11 epochs, 1,200 are 23.
    for minutes, rate in ((1.0, 0.0), (2.0, 0.2)):
        chosen = recipe.choose(_described(), minutes, 640.0).values
        assert chosen["task"]["regularisation"]["dropout_rate"] == rate


def test_a_measured_speed_takes_the_place_of_the_estimate() -> None:
    estimated = recipe.choose(_described(), 2.0)
    assert estimated.at_speed(640.0) == recipe.choose(_described(), 2.0, 640.0)
    assert estimated.at_speed(640.0).values["trainer"]["train_steps"] == 1200


def test_small_data_gets_small_batches_and_no_more_epochs_than_help() -> None:
    few = _described(sizes={"all": 200}, classes={"cat": 100, "dog": 100})
    chosen = recipe.choose(few, 600.0).values
    assert chosen["task"]["train_data"]["global_batch_size"] == 32
    # 140 images are left for training: 200 epochs are 875 steps, in loops of 21.
    assert chosen["trainer"]["train_steps"] == 861
    assert chosen["task"]["regularisation"]["dropout_rate"] == 0.2


def test_a_split_that_nothing_reads_may_be_small_and_is_named() -> None:
    sizes = {"train": 1000, "val": 300, "test": 300, "valid": 300, "misc": 6}
    chosen = recipe.choose(_described(sizes=sizes, classes={"cat": 953, "dog": 953}), 2.0)
    assert chosen.reasons[1] == "splits that nothing reads: misc, valid"
    reasons = recipe.choose(_described(), 2.0).reasons
    assert not any("nothing reads" in reason for reason in reasons)


def test_large_data_is_not_kept_in_memory() -> None:
    # 128 * 128 * 3 bytes a patch: 2 GiB are 43,690 of them.
    large = {"side": 200, "classes": {"cat": 25_000, "dog": 25_000}}
    data = [
        recipe.choose(_described(sizes={"all": size}, **large), 8.0).values["task"]["train_data"]
        for size in (43_690, 43_691)
    ]
    assert [each["cache"] for each in data] == [True, False]


def test_budgets_reach_from_above_the_smallest_child_to_below_the_biggest() -> None:
    # With 2 classes and 3 channels the children cost 0.785 to 8.847 million multiply-adds.
    budgets = recipe.choose(_described(), 8.0).budgets
    assert budgets == pytest.approx((0.98, 2.0, 4.2, 8.8))


@pytest.mark.parametrize("coloured", [True, False])
@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize("side", [28, 64, 128])
def test_a_search_takes_the_budgets(side: int, classes: int, coloured: bool) -> None:
    counted = {f"class {number}": 100 for number in range(classes)}
    sizes = {"train": 80 * classes + 2000, "test": 20 * classes}
    images = _described(side=side, classes=counted, sizes=sizes, coloured=coloured)
    chosen = recipe.choose(images, 8.0)
    task = chosen.values["task"]
    counting.check_budgets(
        task["model"]["search_space"],
        [f"mflops={budget:g}" for budget in chosen.budgets],
        classes,
        task["train_data"]["channels"],
    )


@pytest.mark.parametrize("minutes", [0.001, 8.0])
@pytest.mark.parametrize("side", [28, 64, 128])
def test_what_is_chosen_is_a_valid_configuration(
    tmp_path: pathlib.Path, minutes: float, side: int
) -> None:
    chosen = recipe.choose(_described(side=side, ignored="3 .webp"), minutes)
    path = tmp_path / "run.yaml"
    path.write_text(chosen.to_yaml())
    config = parsing.parse(recipe.EXPERIMENT, [str(path)], "")
    assert config.task.train_data.input_path == str(pathlib.Path("photos").resolve())
    assert config.trainer.train_steps == chosen.values["trainer"]["train_steps"]
    assert "# not read: 3 .webp\n" in path.read_text()


def test_the_experiment_in_the_manual_has_the_rules_of_a_recipe(tmp_path: pathlib.Path) -> None:
    page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "your-images.md"
    first, *_ = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "photos.yaml").write_text(first)
    config = parsing.parse(recipe.EXPERIMENT, [str(tmp_path / "photos.yaml")], "")
    chosen = recipe.choose(_described(), 8.0).values["task"]
    assert config.task.distillation.weight == chosen["distillation"]["weight"]
    assert config.task.sandwich.resolutions == chosen["sandwich"]["resolutions"]
    assert config.trainer.optimizer_config.learning_rate.get().decay_steps == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"side": 7}, "the images are 7 pixels .* at least 8 are needed: use larger originals"),
        (
            {"sizes": {"all": 99}},
            "has 99 images of 2 classes; at least 100 are needed .* add images, leave out small "
            "classes, or fine-tune a child",
        ),
        (
            {"sizes": {"all": 199}, "classes": {str(number): 10 for number in range(20)}},
            "has 199 images of 20 classes; at least 200 are needed",
        ),
        ({"classes": {"cat": 4996, "dog": 4}}, "images of class 'dog': 4; at least 5"),
        ({"sizes": {"a": 500, "b": 500}}, "call them 'train'"),
    ],
)
def test_too_little_to_learn_from_is_refused_with_advice(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.UsageError, match=words):
        recipe.choose(_described(**changes), 8.0)


def test_as_many_images_as_are_needed_suffice() -> None:
    for images, classes in ((100, 2), (200, 20)):
        found = {str(number): images // classes for number in range(classes)}
        chosen = recipe.choose(_described(sizes={"all": images}, classes=found), 8.0)
        assert chosen.values["task"]["train_data"]["num_classes"] == classes


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_minutes_that_are_none_are_refused(minutes: float) -> None:
    with pytest.raises(errors.UsageError, match="it takes a number above 0"):
        recipe.choose(_described(), minutes)


@pytest.mark.parametrize("speed", [0, -1.0, float("nan"), float("inf"), "3", True, None])
def test_speeds_that_are_none_are_refused(speed: Any) -> None:
    with pytest.raises(errors.UsageError, match=r"images_a_second"):
        recipe.choose(_described(), 1.0).at_speed(speed)
