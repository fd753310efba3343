"""Where the values of a configuration come from, and how they are read."""

from __future__ import annotations

import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.training import configs, field_types, parsing
from tests.training import runs

OPTIMISER = "trainer.optimizer_config."


@pytest.mark.parametrize(
    "source",
    [
        *("gibberish", "a: [", "[1, 2]", "task: {seed: 1, seed: 2}", "[" * 3000),
        *("task: {seed: !!bool x}", "task.seed=!!timestamp x", 'task.seed="\\UFFFFFFFF"'),
    ],
)
def test_what_cannot_be_read_is_named(source: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        parsing.parse("bignas_small", [], source)
    assert f"cannot read overrides {errors.shown(source, 300)}" in str(caught.value)


def test_a_folder_is_no_configuration(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match=f"^{tmp_path} is a folder; give a YAML file$"):
        parsing.parse("bignas_small", [str(tmp_path)], "")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(
        errors.UsageError,
        match=r"^nowhere\.yaml does not exist; bignas-tf comes with [a-z_]+\.yaml, ",
    ):
        parsing.parse("bignas_small", ["nowhere.yaml"], "")


def test_a_file_may_lie_in_a_bucket() -> None:
    # TensorFlow's file system in memory stands for gs://.
    with tf.io.gfile.GFile("ram://experiments/mine.yaml", "w") as stream:
        stream.write("trainer: {max_to_keep: 7}")
    config = parsing.parse("bignas_small", ["ram://experiments/mine.yaml"], "")
    assert config.trainer.max_to_keep == 7
    with pytest.raises(errors.UsageError, match=r"ram://experiments/none\.yaml cannot be read"):
        parsing.parse("bignas_small", ["ram://experiments/none.yaml"], "")


def test_later_sources_win(tmp_path: pathlib.Path) -> None:
    names = ["train_steps", "steps_per_loop", "checkpoint_interval"]
    files = [
        runs.write_yaml(tmp_path / f"{value}.yaml", {"trainer": dict.fromkeys(keys, value)})
        for value, keys in ((10, names), (20, names[1:]))
    ]
    trainer = parsing.parse("bignas_small", files, "trainer.checkpoint_interval=40").trainer
    assert [getattr(trainer, name) for name in names] == [10, 20, 40]


@pytest.mark.parametrize(
    "source",
    [
        "task.regularisation.weight_decay=3e-4",
        "task.regularisation.weight_decay=0.0003",
        "task: {regularisation: {weight_decay: 3e-4}}",
    ],
)
def test_numbers_are_read_as_people_write_them(source: str) -> None:
    config = parsing.parse("bignas_small", [], source)
    assert config.task.regularisation.weight_decay == 3e-4


@pytest.mark.parametrize(
    "field",
    [
        f"{OPTIMISER}learning_rate.constant_ending.initial_learning_rate",
        f"{OPTIMISER}optimizer.rmsprop.clipnorm",  # none by default
        f"{OPTIMISER}ema.average_decay",  # of a group that is absent by default
        "task.regularisation.weight_decay",
    ],
)
def test_a_whole_number_is_a_real_one_where_such_are_meant(field: str) -> None:
    config = configs.blank_experiment()
    parsing.override(config, f"{field}=1")
    value = functools.reduce(getattr, field.split("."), config)
    assert (value, type(value)) == (1.0, float)
    assert type(config.trainer.train_steps) is int
    assert type(config.trainer.optimizer_config.warmup.linear.warmup_learning_rate) is float


def test_rates_of_steps_are_real_numbers() -> None:
    config = configs.blank_experiment()
    parsing.override(
        config,
        {
            "trainer": {
                "optimizer_config": {
                    "learning_rate": {
                        "type": "stepwise",
                        "stepwise": {"boundaries": [5], "values": [1, 0.5]},
                    }
                }
            }
        },
    )
    steps = config.trainer.optimizer_config.learning_rate.stepwise
    assert list(map(type, (*steps.boundaries, *steps.values))) == [int, float, float]


def test_a_rate_whose_default_is_written_as_an_integer_takes_a_fraction() -> None:
    known = configs.blank_experiment()
    field = f"{OPTIMISER}warmup.linear.warmup_learning_rate"
    assert type(known.trainer.optimizer_config.warmup.linear.warmup_learning_rate) is int
    values = {"warmup": {"linear": {"warmup_learning_rate": 0.5}}}
    field_types.check(known, {"trainer": {"optimizer_config": values}}, "file")
    values["warmup"]["linear"]["warmup_learning_rate"] = True
    with pytest.raises(errors.UsageError, match=f"file: {field} is True; expected float"):
        field_types.check(known, {"trainer": {"optimizer_config": values}}, "file")


def test_a_split_is_given_as_yaml() -> None:
    config = parsing.parse("bignas_small", [], "task: {train_data: {tfds_split: 'train[:9%]'}}")
    assert config.task.train_data.tfds_split == "train[:9%]"


def test_the_largest_seed_is_taken() -> None:
    assert parsing.parse("bignas_small", [], "task.seed=4294967295").task.seed == 2**32 - 1


def test_an_experiment_is_not_changed_by_another_s_overrides() -> None:
    parsing.parse("bignas_small", [], "task.seed=7")
    assert parsing.parse("bignas_small", [], "").task.seed == 0


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [("learning_rate", "exponential", "decay_rate"), ("optimizer", "adam", "beta_1")],
)
def test_a_value_of_what_is_not_chosen_is_refused(group: str, name: str, value: str) -> None:
    path = f"trainer.optimizer_config.{group}"
    given = f"{path}.{name}.{value}=0.5"
    words = rf"{path}\.{name} has no effect, .* set {path}\.\w+ instead, or {path}\.type={name} as"
    with pytest.raises(errors.UsageError, match=words):
        parsing.parse("bignas_small", [], given)
    config = parsing.parse("bignas_small", [], "")
    parsing.override(config, f"{given},{path}.type={name}")
    assert getattr(getattr(config.trainer.optimizer_config, group).get(), value) == 0.5


def test_overrides_may_be_a_mapping() -> None:
    values = {"trainer": {"train_steps": 7}, "task": {"sandwich": {"num_random": 3}}}
    config = parsing.parse("bignas_small", [], values)
    assert (config.trainer.train_steps, config.task.sandwich.num_random) == (7, 3)
    data = {"input_path": pathlib.Path("photos")}
    config = parsing.parse("bignas_small", [], {"task": {"train_data": data}})
    assert config.task.train_data.input_path == "photos"
    sides = {"resolutions": np.array([20, 28]), "evaluations": np.int64(7)}
    selection = parsing.parse("bignas_small", [], {"task": {"selection": sides}}).task.selection
    assert (list(selection.resolutions), selection.evaluations) == ([20, 28], 7)
    named = {"task": {"train_data": {"input_path": {"a": "b"}, "source": "folder"}}}
    with pytest.raises(errors.UsageError, match=r"input_path is .*; it takes text or a list"):
        parsing.parse("bignas_small", [], named)
    with pytest.raises(errors.UsageError, match=r"trainer\.train_step"):
        parsing.parse("bignas_small", [], {"trainer": {"train_step": 7}})
    with pytest.raises(errors.UsageError, match="expected text or a mapping"):
        parsing.parse("bignas_small", [], 7)  # type: ignore[arg-type]
