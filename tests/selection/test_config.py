"""Every field of the selection is checked before anything else happens."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.selection import config, strategies
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.training import parsing
from tests.selection import countable

WRONG_TYPES: list[Any] = [None, True, "many", [1], float("nan")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategy": "greedy"}, r"strategy is 'greedy'; choose from .*coarse"),
        ({"strategy": "evolution"}, r"'evolution' does not end by itself; set task\.selection"),
        ({"strategy": "random"}, r"'random' does not end by itself; set task\.selection\.eva"),
        ({"prefer": "fastest"}, r"prefer is 'fastest'; choose from \['best', 'cheapest'\]"),
        ({"evaluations": -1}, "evaluations is -1; it takes 0 or more"),
        ({"seed": -1}, "seed is -1; it takes 0 or more"),
        ({"mutants": 0}, "mutants is 0; it takes 1 or more"),
        ({"batch_size": 0}, "batch_size is 0; it takes 1 or more"),
        ({"calibration_images": 0}, "calibration_images is 0; it takes 1 or more"),
        ({"mutation_rate": 0.0}, "mutation_rate is 0.0; it is above 0, at most 1"),
        ({"mutation_rate": 1.5}, "mutation_rate is 1.5; it is above 0, at most 1"),
        ({"strategy": "predictor"}, r"'predictor' does not end by itself; set task\.selection"),
        ({"trusted_tau": 1.5}, r"trusted_tau is 1\.5; it runs from 0 .no better than chance. to 1"),
        ({"trusted_tau": -0.1}, r"trusted_tau is -0\.1; it runs from 0"),
        ({"reporting_split": " "}, "reporting_split is ' '; it names images, such as"),
        ({"kernel_patterns": ("largest_erly",)}, "largest_erly.*largest_early"),
        ({"kernel_patterns": ()}, r"kernel_patterns is \(\); it takes a list of 1 or more"),
        ({"depth_multipliers": (0.0, 1.5)}, r"depth_multipliers has 1\.5.*0 to 1"),
        ({"depth_multipliers": 0.5}, r"depth_multipliers is 0\.5; it takes a list"),
        ({"width_multipliers": (-0.5,)}, r"width_multipliers has -0\.5.*0 to 1"),
        ({"resolutions": (8, 0)}, "resolutions has 0; they are input sides in pixels"),
        ({"resolutions": 8}, "resolutions is 8; it takes a list"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        strategies.named(countable.settings(**changes))


@pytest.mark.parametrize("value", WRONG_TYPES, ids=repr)
@pytest.mark.parametrize("field", dataclasses.fields(SelectionConfig), ids=lambda field: field.name)
def test_a_value_of_another_type_is_refused(field: Any, value: object) -> None:
    given = value
    if isinstance(field.default, tuple):
        given = [value] if not isinstance(value, list) else 1
    elif isinstance(field.default, str) and isinstance(value, str):
        given = 7
    with pytest.raises(errors.UsageError, match=rf"task\.selection\.{field.name} (is|has) "):
        config.validate(SelectionConfig(**{field.name: given}))


def test_the_defaults_pass() -> None:
    config.validate(SelectionConfig())
    config.validate(SelectionConfig(resolutions=[20], mutation_rate=1))  # as YAML has them


def test_a_training_run_checks_its_selection_too() -> None:
    override = "task.selection.batch_size=0"
    with pytest.raises(errors.UsageError, match="batch_size is 0; it takes 1 or more"):
        parsing.parse("bignas_small", ["experiments/digits.yaml"], override)


@pytest.mark.parametrize("name", ["evolution", "predictor", "random"])
def test_another_strategy_is_a_setting(name: str) -> None:
    override = f"task.selection.strategy={name},task.selection.evaluations=5"
    selection = parsing.parse("bignas_small", [], override).task.selection
    assert strategies.named(selection) is strategies.STRATEGIES[name]
    assert selection.evaluations == 5


def test_every_strategy_has_the_name_that_the_settings_give_it() -> None:
    assert list(strategies.STRATEGIES) == list(config.STRATEGIES)
    for name, strategy in strategies.STRATEGIES.items():
        assert strategy.__name__ == name
