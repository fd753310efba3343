"""The minutes that a quickstart's supernet has trained, over all interruptions."""

from __future__ import annotations

import json
import pathlib
import shutil

import pytest

import bignas_tf as bignas
from tools import training_time


def _save(run_dir: pathlib.Path, step: int) -> None:
    """What a training leaves, as far as the time is concerned."""
    run_dir.mkdir(exist_ok=True)
    (run_dir / "checkpoint").write_text(f'model_checkpoint_path: "ckpt-{step}"')


def _train(run_dir: pathlib.Path, fails: bool) -> None:
    with training_time.noted(str(run_dir)):
        _save(run_dir, 1 if fails else 2)
        if fails:
            raise bignas.RunError("the loss is not finite")


def test_every_training_of_a_run_counts_also_one_that_fails(tmp_path: pathlib.Path) -> None:
    run_dir = tmp_path / "run"
    assert training_time.minutes_of(str(run_dir)) == 0.0
    with pytest.raises(bignas.RunError):
        _train(run_dir, fails=True)
    first = training_time.minutes_of(str(run_dir))
    _train(run_dir, fails=False)
    assert first is not None
    assert 0.0 < first < (training_time.minutes_of(str(run_dir)) or 0.0)


def test_a_run_that_was_complete_trains_no_longer(tmp_path: pathlib.Path) -> None:
    _save(tmp_path, 2)
    (tmp_path / training_time.FILE).write_text(json.dumps({"minutes": 7.5}))
    with training_time.noted(str(tmp_path)):
        pass
    assert training_time.minutes_of(str(tmp_path)) == 7.5


def test_the_minutes_of_a_run_that_another_command_began_are_not_known(
    tmp_path: pathlib.Path,
) -> None:
    _save(tmp_path, 1)
    with training_time.noted(str(tmp_path)):
        _save(tmp_path, 2)
    assert training_time.minutes_of(str(tmp_path)) is None


def test_a_kill_leaves_minutes_that_are_not_known(tmp_path: pathlib.Path) -> None:
    run_dir, killed = tmp_path / "run", tmp_path / "killed"
    _save(run_dir, 1)
    (run_dir / training_time.FILE).write_text(json.dumps({"minutes": 3.0}))
    with training_time.noted(str(run_dir)):
        _save(run_dir, 2)
        shutil.copytree(run_dir, killed)  # as a kill would leave it now
    assert (training_time.minutes_of(str(run_dir)) or 0.0) > 3.0
    with training_time.noted(str(killed)):
        _save(killed, 3)
    assert training_time.minutes_of(str(killed)) is None


@pytest.mark.parametrize("content", [[], {}, {"minutes": "x"}, {"minutes": -1}])
def test_a_damaged_file_is_named(tmp_path: pathlib.Path, content: object) -> None:
    (tmp_path / training_time.FILE).write_text(json.dumps(content))
    damaged = rf"{training_time.FILE} is damaged, or not what tools\.quickstart writes: "
    with pytest.raises(bignas.UsageError, match=damaged), training_time.noted(str(tmp_path)):
        pass


def test_a_training_that_is_refused_leaves_nothing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(bignas.UsageError), training_time.noted(str(tmp_path / "run")):
        raise bignas.UsageError("num_gpus is 1000")
    assert list(tmp_path.iterdir()) == []
