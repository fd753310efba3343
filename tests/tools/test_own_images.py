"""The run that a folder of one's own images gets."""

from __future__ import annotations

import pathlib

import pytest

import bignas_tf as bignas
from tests.data import photos
from tests.shared_runs import SharedFolder
from tools import own_images

pytestmark = pytest.mark.slow


def test_a_trial_measures_the_speed_of_the_run_that_was_chosen(
    run_dir: pathlib.Path, shared: SharedFolder, tmp_path: pathlib.Path
) -> None:
    images = photos.write(tmp_path / "photos", {"cat": 60, "dog": 60})
    trained = shared.once("train", lambda: pytest.fail("the run is there"))
    speeds = [word for word in trained.split("  ") if word.endswith(" images/s")]
    asked = []

    def train(tool: str, **flags: str) -> str:
        """Checks what the trial trains, and answers as a real training did."""
        config = bignas.configure(
            flags["experiment"], [flags["config_file"]], flags["params_override"]
        )
        asked.append((tool, config.trainer.train_steps, config.task.train_data.num_classes))
        return trained

    chosen = bignas.recipe(images)
    speed = own_images.measured_speed(chosen, train)
    assert f"{speed:.0f} images/s" == speeds[-1]
    assert asked == [("train", 30, 2)]
    path, _ = own_images.prepare(str(images), str(tmp_path / "my run"), 8.0, train)
    assert pathlib.Path(path).read_text() == chosen.at_speed(speed).to_yaml()
    printed = own_images.next_steps(path, f"{tmp_path}/my run")
    assert f"'--model_dir={tmp_path}/my run_longer'" in printed
    steps = bignas.configure("bignas_small", [path]).trainer.train_steps
    assert f",trainer.train_steps={4 * steps}' " in printed


@pytest.mark.parametrize(
    "path", ["runs/a", "my data", "a,b", "it's", "a[1]", 'b: "c"', "ü é", "2024", "null"]
)
def test_an_override_takes_any_path(path: str) -> None:
    values = {"task.train_data.tfds_data_dir": path, "trainer.train_steps": 7}
    config = bignas.configure("bignas_small", params_override=own_images.override(values))
    assert config.task.train_data.tfds_data_dir == path
    assert config.trainer.train_steps == 7
