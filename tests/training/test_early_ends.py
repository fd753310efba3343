"""What a training says where it ends early: no memory, no room, an interrupt."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.training import checkpoints, early_ends, listing


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "no memory"),
        tf.errors.InternalError(None, None, "Dst tensor is not initialized."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lack_of_memory_is_told_with_its_mend(
    tmp_path: pathlib.Path, error: tf.errors.OpError
) -> None:
    explained = early_ends.exhaustion_explained(str(tmp_path), chief=True)
    mend = r"ran out: .*\(task.images_at_once\); no checkpoint"
    with (
        pytest.raises(errors.RunError, match=mend),
        explained,
        checkpoints.restoring(str(tmp_path)),
    ):
        raise error


def test_what_is_not_the_fault_of_a_checkpoint_is_not_blamed_on_it(tmp_path: pathlib.Path) -> None:
    for error in (errors.RunError("the export gives NaN"), errors.UsageError("no room")):
        with pytest.raises(type(error), match=f"^{error}$"), checkpoints.restoring(str(tmp_path)):
            raise error


def test_a_first_checkpoint_without_room_is_not_taken_for_one(tmp_path: pathlib.Path) -> None:
    torn = tmp_path / "ckpt-1.index"
    torn.write_bytes(b"half of")
    full = tf.errors.ResourceExhaustedError(None, None, "No space left on device")
    with (
        pytest.raises(errors.RunError, match="the same command starts from the beginning"),
        early_ends.exhaustion_explained(str(tmp_path), chief=True),
    ):
        raise full
    assert listing.latest(str(tmp_path)) is None
    # Beside a list all stay, whatever is in it.
    torn.write_bytes(b"whole")
    (tmp_path / "checkpoint").touch()
    with pytest.raises(errors.RunError), early_ends.exhaustion_explained(str(tmp_path), chief=True):
        raise full
    assert torn.exists()
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-1"\n')
    with (
        pytest.raises(errors.RunError, match="ckpt-1, from which the same command resumes"),
        early_ends.exhaustion_explained(str(tmp_path), chief=True),
    ):
        raise full
    assert torn.exists()


def test_an_interrupt_names_the_last_checkpoint(tmp_path: pathlib.Path) -> None:
    lines: list[str] = []
    with pytest.raises(KeyboardInterrupt), early_ends.interruption_explained("x", lines.append):
        raise KeyboardInterrupt
    saver = tf.train.Checkpoint(weight=tf.Variable(1.0))
    saved = tf.train.CheckpointManager(saver, str(tmp_path), 1).save()
    folder = str(tmp_path)
    with pytest.raises(KeyboardInterrupt), early_ends.interruption_explained(folder, lines.append):
        raise KeyboardInterrupt
    assert lines == [f"last checkpoint: {saved}, from which the same command resumes"]
