"""Steps that a TPU core does not hold, by what the compiler said of it."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)
from official.core import config_definitions as cfg

from bignas_tf import errors, files
from bignas_tf.search_space import presets
from bignas_tf.training import core_memory, parsing
from bignas_tf.training.core_memory import Known

RESULTS = pathlib.Path(__file__).parents[2] / "experiments" / "results"
# 32 fit and 128 do not; all that was tried fits.
KNOWN = (
    Known("v3", "bignas_imagenet", "bfloat16", most=32, too_many=128),
    Known("v4", "bignas_imagenet", "bfloat16", most=48),
)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another table, so that a new result changes no test but the last."""
    monkeypatch.setattr(core_memory, "KNOWN", KNOWN)


def _config(overrides: str = "") -> cfg.ExperimentConfig:
    return parsing.parse("bignas_imagenet", ["experiments/imagenet_tpu.yaml"], overrides)


def _at_once(images: int) -> cfg.ExperimentConfig:
    return _config(f"task.images_at_once={images}")


@pytest.mark.parametrize(("images", "cores"), [(0, 8), (128, 8), (256, 16), (0, 32), (999, 32)])
def test_more_images_than_a_core_holds_are_refused(images: int, cores: int) -> None:
    at_once = min(images or 4096, 4096 // cores)
    message = (
        rf"images_at_once is {images}, so a core computes {at_once} images at once; .* 128 are too "
        "many for the memory of a TPU v3 core; set task.images_at_once=32,"
    )
    with pytest.raises(errors.UsageError, match=message):
        core_memory.check(_at_once(images), "v3", cores)


def test_what_is_named_divides_a_core_s_share() -> None:
    config = _config("task.images_at_once=0,task.train_data.global_batch_size=1200")
    with pytest.raises(errors.UsageError, match=r"set task.images_at_once=30, which fits"):
        core_memory.check(config, "v3", 8)


def test_what_was_not_tried_is_warned_of() -> None:
    warning = core_memory.check(_at_once(64), "v3", 8)
    assert "64 images at once; whether that many fit the memory of a TPU v3 core was not" in warning
    assert warning.endswith("task.images_at_once=32 fits")
    assert "task.images_at_once=32 fits" in core_memory.check(_at_once(0), "v4", 8)


@pytest.mark.parametrize(("images", "cores"), [(32, 8), (1, 8), (0, 128), (512, 128)])
def test_what_fits_is_not_mentioned(images: int, cores: int) -> None:
    assert core_memory.check(_at_once(images), "v3", cores) == ""


@pytest.mark.parametrize("generation", ["", "v2", "v5p"])
def test_of_other_tpus_nothing_is_known(generation: str) -> None:
    assert core_memory.check(_at_once(0), generation, 8) == ""


@pytest.mark.parametrize(
    "override",
    [
        "task.model.search_space=bignas_imagenet_symmetric",
        "task.sandwich.num_random=1",
        "runtime.mixed_precision_dtype=float32",
    ],
)
def test_of_other_steps_nothing_is_known(override: str) -> None:
    config = _config(f"task.images_at_once=0,{override}")
    assert core_memory.check(config, "v3", 8) == ""


def test_a_copy_of_the_space_is_known(tmp_path: pathlib.Path) -> None:
    space = tmp_path / "mine.yaml"
    files.write_text(space, presets.to_yaml(presets.get("bignas_imagenet")))
    config = _at_once(0)
    config.task.model.search_space = str(space)
    with pytest.raises(errors.UsageError, match="too many"):
        core_memory.check(config, "v3", 8)


def test_the_table_is_that_of_the_recorded_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    recorded: dict[tuple[str, str, str], tuple[set[int], set[int]]] = {}
    for file in RESULTS.glob("tpu_compile_v*.json"):
        result = files.read_json(file)
        if result.get("graph", "step") != "step" or result.get("parts", 1) != 1:
            continue
        if "masked" in file.name:  # other children
            continue
        names = result["topology"].split(":")[0], result["search_space"], result["compute_type"]
        fitting, too_many = recorded.setdefault(names, (set(), set()))
        if result["largest_batch"]:
            fitting.add(result["largest_batch"])
        if result["out_of_memory"]:
            too_many.add(result["per_core_batch"])
    assert set(core_memory.KNOWN) == {
        Known(*names, max(fitting), min(too_many, default=None))
        for names, (fitting, too_many) in recorded.items()
    }
