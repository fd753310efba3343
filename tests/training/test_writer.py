"""A run has one writer, and those who read it meanwhile get whole checkpoints."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf import errors, run_folder
from bignas_tf.training import listing, trainer, writer
from tests.training import runs


def test_a_second_training_in_a_folder_is_refused_and_changes_nothing(
    tmp_path: pathlib.Path,
) -> None:
    config, folder, lines = runs.parse(tmp_path), tmp_path / "run", list[str]()
    folder.mkdir()
    with writer.sole(str(folder), runs.on_one_cpu(), lines.append):
        expected = r"belongs to a training run that is running; .* another model_dir"
        with pytest.raises(errors.UsageError, match=expected):
            trainer.train(config, str(folder), runs.on_one_cpu())
    with writer.sole(str(folder), runs.on_one_cpu(), lines.append):
        assert [path.name for path in folder.iterdir()] == [writer.LOCK_FILE]
    assert lines == []


def test_a_lock_that_cannot_be_written_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / writer.LOCK_FILE).mkdir()
    with (
        pytest.raises(errors.UsageError, match=r"\.training\.lock cannot be written \(Is a dir"),
        writer.sole(str(tmp_path), runs.on_one_cpu(), print),
    ):
        pass


def test_what_a_killed_run_had_half_written_is_removed(tmp_path: pathlib.Path) -> None:
    kept = [
        "ckpt-3.index", "ckpt-3.data-00000-of-00001", "ckpt-notes_temp", ".params.yaml.abcd_123",
        "old_ckpt-6_temp", "params.yaml",
    ]  # fmt: skip
    listed = f"checkpoint.tmp{'0a' * 16}"  # the list of checkpoints, before it has its name
    left = ["ckpt-6.data-00000-of-00001.tempstate4711", listed]
    for name in kept + left:
        (tmp_path / name).touch()
    (tmp_path / "ckpt-6_temp").mkdir()
    (tmp_path / "ckpt-6_temp" / "part-00000-of-00001.index").touch()
    lines = list[str]()
    with writer.sole(str(tmp_path), runs.on_one_cpu(), lines.append):
        assert {path.name for path in tmp_path.iterdir()} == {*kept, writer.LOCK_FILE}
    assert lines == [
        "removed incomplete files of a killed run: "
        f"{listed}, ckpt-6.data-00000-of-00001.tempstate4711, ckpt-6_temp"
    ]
    with writer.sole(str(tmp_path), runs.on_one_cpu(), lines.append):
        assert len(lines) == 1


def test_a_folder_in_a_bucket_says_that_it_has_no_lock() -> None:
    lines = list[str]()
    with writer.sole("ram://runs/b", runs.on_one_cpu(), lines.append):
        pass
    (line,) = lines
    assert line.startswith("ram://runs/b is remote, and such folders cannot be locked: make sure")


def _save(folder: pathlib.Path, step: int) -> None:
    """As a run that keeps one checkpoint does: the new one, the list, then the old one goes."""
    old = list(folder.glob("ckpt-*.index"))
    (folder / f"ckpt-{step}.index").write_text(str(step))
    (folder / run_folder.CHECKPOINTS_FILE).write_text(f'model_checkpoint_path: "ckpt-{step}"')
    for path in old:
        path.unlink()


def test_a_reader_whose_checkpoint_is_replaced_takes_the_newer_one(tmp_path: pathlib.Path) -> None:
    _save(tmp_path, 3)
    tried = []

    def read(checkpoint: str) -> str:
        tried.append(pathlib.Path(checkpoint).name)
        if len(tried) < 3:
            _save(tmp_path, 3 + len(tried))
        try:
            return pathlib.Path(f"{checkpoint}.index").read_text()
        except OSError as error:
            raise errors.UsageError(f"{checkpoint} is gone") from error

    assert listing.read_latest(str(tmp_path), read) == "5"
    assert tried == ["ckpt-3", "ckpt-4", "ckpt-5"]


def test_a_checkpoint_that_cannot_be_read_is_tried_once(tmp_path: pathlib.Path) -> None:
    _save(tmp_path, 3)
    tried = []

    def read(checkpoint: str) -> None:
        tried.append(checkpoint)
        raise errors.UsageError("damaged")

    with pytest.raises(errors.UsageError, match="damaged"):
        listing.read_latest(str(tmp_path), read)
    assert len(tried) == 1
