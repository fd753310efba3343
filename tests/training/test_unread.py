"""No field of a configuration is taken and then ignored."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator

import pytest
from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams

from bignas_tf import errors
from bignas_tf.training import parsing, registry, unread

SOURCES = [
    path.read_text()
    for path in pathlib.Path(parsing.__file__).parents[1].rglob("*.py")
    if "garden" not in str(path)
]
# By its trainer.
READ_BY_THE_MODEL_GARDEN = {
    "trainer.allow_tpu_summary",
    "trainer.train_tf_while_loop",
    "runtime.tpu_enable_xla_dynamic_padder",
}
OTHER_VALUES = {
    "task.differential_privacy_config": {"clipping_norm": 1.0},
    "task.validation_data": {"input_path": "photos"},
    "task.train_data.tfds_skip_decoding_feature": "image",
    "task.train_data.cycle_length": 3,
    "trainer.best_checkpoint_export_subdir": "best",
    "trainer.validation_steps": 5,
    "runtime.run_eagerly": True,
    "runtime.gpu_thread_mode": "gpu_private",
}


def _fields(group: hyperparams.Config, path: str = "") -> Iterator[str]:
    for field in dataclasses.fields(group):
        name, value = f"{path}{field.name}", getattr(group, field.name)
        if isinstance(value, hyperparams.Config) and not _is_unread(name):
            # What an optimiser takes, it takes by its own function.
            if name != "trainer.optimizer_config":
                yield from _fields(value, f"{name}.")
        else:
            yield name


def _is_unread(name: str) -> bool:
    group, _, field = name.rpartition(".")
    return field in unread.FIELDS.get(group, ())


@pytest.mark.parametrize("name", registry.names())
def test_every_field_is_read_or_refused(name: str) -> None:
    config: cfg.ExperimentConfig = exp_factory.get_exp_config(name)
    ignored = [
        field
        for field in _fields(config)
        if not _is_unread(field)
        and field not in READ_BY_THE_MODEL_GARDEN
        # Read as an attribute, or by its name in a table of fields.
        and not any(re.search(rf"[.\"']{field.rpartition('.')[2]}\b", text) for text in SOURCES)
    ]
    assert ignored == []
    known = set(_fields(config))
    assert {
        f"{group}.{field}" for group in unread.FIELDS for field in unread.FIELDS[group]
    } <= known


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_a_value_without_an_effect_is_refused(field: str) -> None:
    group, _, name = field.rpartition(".")
    values: object = {name: OTHER_VALUES[field]}
    for part in reversed(group.split(".")):
        values = {part: values}
    with pytest.raises(errors.UsageError, match=rf"^{re.escape(field)} is .*, but nothing here re"):
        parsing.parse("bignas_small", [], values)  # type: ignore[arg-type]


def test_the_experiment_s_own_values_may_be_given() -> None:
    """A run's params.yaml has them all, and is a configuration."""
    values = json.loads(json.dumps(parsing.parse("bignas_imagenet", [], "").as_dict()))
    again = parsing.parse("bignas_imagenet", [], values).as_dict()
    assert json.loads(json.dumps(again)) == values
