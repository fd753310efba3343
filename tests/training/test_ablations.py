"""Each ablation changes what it says and nothing else, and trains."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from official.core import config_definitions as cfg
from official.modeling.optimization import optimizer_factory

from bignas_tf.training import parsing, trainer
from tests.processes import Process
from tests.training import runs

EXPERIMENTS = pathlib.Path(__file__).resolve().parents[2] / "experiments"
# What an ablation is laid upon: an experiment and its files.
BASES: dict[str, tuple[str, list[str]]] = {
    "imagenet": ("bignas_imagenet", []),
    "small": ("bignas_small", [str(EXPERIMENTS / "fashion_mnist_paper.yaml")]),
}
FILES = sorted((EXPERIMENTS / "ablations").glob("*/*.yaml"))
RATE = "trainer.optimizer_config.learning_rate"
ENDING = f"{RATE}.constant_ending"

every_ablation = pytest.mark.parametrize("file", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")


def _parse(file: pathlib.Path, *more: str) -> tuple[cfg.ExperimentConfig, cfg.ExperimentConfig]:
    """The base's configuration, and the ablation's."""
    name, files = BASES[file.parent.name]
    return (
        parsing.parse(name, [*files, *more], ""),
        parsing.parse(name, [*files, str(file), *more], ""),
    )


def _flat(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{path}{key}.") if isinstance(value, dict) else {path + key: value}
    return found


def _changes(base: cfg.ExperimentConfig, other: cfg.ExperimentConfig) -> dict[str, Any]:
    """Every field of `other` that `base` does not have with that value."""
    before = _flat(base.as_dict())
    after = _flat(other.as_dict())
    return {name: value for name, value in after.items() if before.get(name, ...) != value}


def _intended(start: float, steps: int) -> dict[str, dict[str, Any]]:
    """What each ablation changes, given the base's learning rate and length."""
    naive = {"task.model.zero_init_gamma": False}
    low = {f"{ENDING}.initial_learning_rate": pytest.approx(0.3 * start)}
    shared = {"initial_learning_rate": start, "decay_steps": steps, "offset": 0}
    cosine = {"name": "CosineDecay", "alpha": 0.0, **shared}
    line = {"name": "PolynomialDecay", "power": 1.0, "end_learning_rate": 0.0, "cycle": False}
    return {
        "naive_init": naive,
        "naive_init_30_percent": naive | low,
        "modified_init_30_percent": low,
        "no_constant_ending": {f"{ENDING}.floor": 0.0},
        "cosine": _flat({"type": "cosine", "cosine": cosine}, f"{RATE}."),
        "linear": _flat({"type": "polynomial", "polynomial": line | shared}, f"{RATE}."),
        "regularise_all": {"task.regularisation.children": "all"},
        "different_patches": {"task.sandwich.same_patch": False},
        "no_distillation": {"task.distillation.weight": 0.0},
        "no_sandwich": {
            "task.sandwich.biggest": False,
            "task.sandwich.smallest": False,
            "task.sandwich.num_random": 4,
            "task.distillation.weight": 0.0,
            "task.regularisation.children": "all",
        },
    }


@pytest.mark.parametrize("space", BASES)
def test_every_ablation_has_a_file(space: str) -> None:
    assert {file.stem for file in FILES if file.parent.name == space} == set(_intended(1.0, 1))


@every_ablation
def test_an_ablation_changes_what_it_says(file: pathlib.Path) -> None:
    base, ablation = _parse(file)
    start = base.trainer.optimizer_config.learning_rate.constant_ending.initial_learning_rate
    assert _changes(base, ablation) == _intended(start, base.trainer.train_steps)[file.stem]


@every_ablation
def test_its_header_gives_a_command_that_names_it(file: pathlib.Path) -> None:
    header = file.read_text(encoding="utf-8")
    assert f"--config_file={file.relative_to(EXPERIMENTS.parent)}" in header
    assert f"--experiment={BASES[file.parent.name][0]} " in header


def _rates(config: cfg.ExperimentConfig, steps: list[int]) -> list[float]:
    factory = optimizer_factory.OptimizerFactory(config.trainer.optimizer_config)
    schedule = factory.build_learning_rate()
    return [float(schedule(tf.constant(step, tf.int64))) for step in steps]


@pytest.mark.parametrize("space", BASES)
def test_the_other_schedules_follow_their_curves(space: str) -> None:
    for name in ("cosine", "linear", "no_constant_ending"):
        base, ablation = _parse(EXPERIMENTS / "ablations" / space / f"{name}.yaml")
        steps = base.trainer.train_steps
        decay = base.trainer.optimizer_config.learning_rate.constant_ending
        half, end = 0.5 * decay.initial_learning_rate, 0.0
        if name == "no_constant_ending":
            # Twice the run: in the small space the floor would come after its end.
            half, end = (
                decay.initial_learning_rate * 0.97 ** (step / decay.decay_steps)
                for step in (steps // 2, 2 * steps)
            )
        # Float32 powers of up to 333, and a cosine near 0.
        np.testing.assert_allclose(
            _rates(ablation, [steps // 2, 2 * steps]), [half, end], rtol=1e-4, atol=1e-8
        )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A YAML file that leaves the rules, on digits and a space of one block, for one step.

    Without a graph: tracing would take many times as long as the step.
    """
    folder = tmp_path_factory.mktemp("tiny")
    data = {
        "source": "digits", "tfds_name": "", "tfds_split": "train", "base_size": 14,
        "num_classes": 10, "global_batch_size": 4,
    }  # fmt: skip
    names = ("train_steps", "steps_per_loop", "summary_interval", "checkpoint_interval")
    space = runs.space_file(folder, stages=runs.ONE_BLOCK)
    values = {
        "task": {
            "model": {"search_space": space},
            "train_data": data,
            "selection": {"ranking_split": "test[:100]", "reporting_split": "test[100:]"},
            "evaluation": {"children": []},
        },
        "trainer": {
            **dict.fromkeys(names, 1),
            "for_batch": 0,
            "train_tf_while_loop": False,
            "train_tf_function": False,
        },
    }
    return runs.write_yaml(folder / "tiny.yaml", values)


# Of the ten rules one of each kind, and every base: the other files change the values of fields
# that these, or the tests of the field, have shown to train.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["imagenet/different_patches", "imagenet/linear", "small/no_sandwich", "small/regularise_all"],
)
def test_an_ablation_takes_a_step(
    name: str, tiny: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, config = _parse(EXPERIMENTS / "ablations" / f"{name}.yaml", tiny)
    trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())
    *_, line, _ = capsys.readouterr().out.splitlines()
    alone = name == "small/no_sandwich"
    roles = ["random"] if alone else ["biggest", "smallest", "random"]
    assert line.startswith("step 1/1 ")
    assert [word for word in line.split() if word in ("biggest", "smallest", "random")] == roles
    saved = runs.tensors(str(tmp_path / "run" / "ckpt-1"))
    assert saved["global_step/.ATTRIBUTES/VARIABLE_VALUE"] == 1


@pytest.mark.slow
def test_an_ablation_starts_from_the_command_line(tiny: str, tmp_path: pathlib.Path) -> None:
    name, files = BASES["small"]
    ablation = EXPERIMENTS / "ablations" / "small" / "no_distillation.yaml"
    flags = [f"--config_file={each}" for each in (*files, ablation, tiny)]
    folder = tmp_path / "run"
    with Process("tools.train", f"--experiment={name}", *flags, f"--model_dir={folder}") as run:
        code, stderr = run.end()
    assert code == 0, stderr
    assert run.lines[-2].startswith("step 1/1 ")
