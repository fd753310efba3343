"""Preparing a data set, without a network."""

from __future__ import annotations

import gzip
import io
import pathlib
import tempfile
from typing import NoReturn

import pytest
import tensorflow_datasets as tfds

from bignas_tf import errors, locking
from bignas_tf.data import prepare, sources
from experiments.abuse import local_dataset
from tests import limits
from tests.data import samples
from tests.processes import Process

pytestmark = pytest.mark.slow


def _run(*flags: str) -> tuple[int, str]:
    """The exit code of the tool, and the last line of its stderr."""
    # A proxy that refuses at once: no site can be reached, on any machine.
    closed = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    with Process("tools.prepare_data", *flags, environment=closed) as process:
        code, stderr = process.end()
    return code, stderr.splitlines()[-1]


def test_restored_header_is_the_original() -> None:
    packed = io.BytesIO()
    with gzip.GzipFile("t10k-labels-idx1-ubyte", "wb", fileobj=packed, mtime=1504176627) as stream:
        stream.write(b"some labels")
    original = packed.getvalue()
    name_end = original.index(b"\0", 10) + 1
    stripped = b"\x1f\x8b\x08\0" + bytes(4) + original[8:10] + original[name_end:]
    restored = prepare.restore_gzip_header(stripped, "t10k-labels-idx1-ubyte", 1504176627)
    assert restored == original


def test_prepared_data_set_is_left_alone(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = samples.write_tfds(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    prepare.prepare(name, str(tmp_path))
    assert f"already prepared in {tmp_path / name / '1.0.0'}" in capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_data_set_that_is_not_prepared_leaves_no_temporary_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    assert not sources.tfds_builder("local_digits", str(tmp_path / "data")).is_prepared()
    assert tempfile.tempdir == str(tmp_path / "tmp")
    assert not list((tmp_path / "tmp").iterdir())


def test_unknown_data_set_exits_with_2(tmp_path: pathlib.Path) -> None:
    code, error = _run("--dataset=fashion_mnits", f"--data_dir={tmp_path}")
    assert code == 2
    assert "fashion_mnist" in error


def test_an_unreachable_data_set_exits_with_1_and_is_not_replaced_by_digits(
    tmp_path: pathlib.Path,
) -> None:
    code, error = _run("--dataset=mnist", f"--data_dir={tmp_path}")
    assert code == 1
    assert "cannot be reached" in error
    assert "digits" not in error


def test_files_that_a_user_must_bring_are_asked_for(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match=r"could not be prepared from .*empty"):
        prepare.prepare("imagenet2012", str(tmp_path / "data"), str(tmp_path / "empty"))


class OnAFullDisk(local_dataset.LocalDigits):
    """A data set for which there is no room."""

    def _split_generators(self, manager: tfds.download.DownloadManager) -> NoReturn:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"an image")
        raise AssertionError(manager)


class ShortOfMemory(local_dataset.LocalDigits):
    """A data set that takes more memory than there is, of which TFDS' own error says nothing."""

    def _split_generators(self, manager: tfds.download.DownloadManager) -> NoReturn:
        del manager
        raise tfds.core.download.extractor.ExtractError("while extracting:") from MemoryError()


@pytest.mark.parametrize("manual", [True, False])
def test_a_lack_of_memory_is_told(tmp_path: pathlib.Path, manual: bool) -> None:
    manual_dir = str(tmp_path) if manual else None
    with pytest.raises(errors.RunError, match=r"memory ran out \(while extracting:"):
        prepare.prepare("short_of_memory", str(tmp_path / "data"), manual_dir)


@pytest.mark.parametrize("manual", [True, False])
def test_a_full_disk_is_explained(tmp_path: pathlib.Path, manual: bool) -> None:
    manual_dir = str(tmp_path) if manual else None
    with pytest.raises(
        errors.RunError, match=r"1\.0\.0 cannot be written: No space left.*Make room"
    ):
        prepare.prepare("on_a_full_disk", str(tmp_path / "data"), manual_dir)


def test_what_a_kill_left_of_a_preparation_is_removed(tmp_path: pathlib.Path) -> None:
    data = tmp_path / "data"
    version = pathlib.Path(sources.tfds_builder("imagenet2012", str(data)).data_dir)
    half = f"tars.tar.tmp.{'0a' * 16}"
    left = [
        version.with_name(f"incomplete.AB12CD_{version.name}"),
        data / "downloads" / "imagenet2012" / "tars" / half,
        data / "downloads" / "extracted" / "imagenet2012" / f"incomplete.{'0a' * 16}_TAR.tar",
    ]
    kept = [
        version.with_name("incomplete.AB12CD_0.0.1"),
        data / "downloads" / "imagenet2012" / "whole.tar",
        data / "downloads" / "mnist" / half,
        data / "downloads" / "extracted" / "imagenet2012" / "TAR.whole.tar",
        data / "downloads" / "extracted" / "mnist" / f"incomplete.{'0a' * 16}_GZIP.gz",
    ]
    for path in left + kept:
        (path / "part").mkdir(parents=True)
    # A packed file is unpacked to a file, an archive to a folder.
    left.append(left[-1].with_name(f"incomplete.{'0b' * 16}_GZIP.gz"))
    left[-1].write_text("half")
    manual = str(tmp_path / "empty")
    with locking.locked(data / "imagenet2012", "a test", "--flag"):
        with pytest.raises(errors.UsageError, match="belongs to a prepare_data that is running"):
            prepare.prepare("imagenet2012", str(data), manual)
        assert all(path.exists() for path in left + kept)
    with pytest.raises(errors.RunError, match="could not be prepared from"):
        prepare.prepare("imagenet2012", str(data), manual)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_without_locks_a_preparation_says_so_and_removes_nothing(tmp_path: pathlib.Path) -> None:
    data = tmp_path / "data"
    version = pathlib.Path(sources.tfds_builder("imagenet2012", str(data)).data_dir)
    left, lines = version.with_name(f"incomplete.AB12CD_{version.name}"), list[str]()
    left.mkdir(parents=True)
    with (
        limits.no_locks(),
        pytest.raises(errors.RunError, match="could not be prepared from"),
    ):
        prepare.prepare("imagenet2012", data, tmp_path / "empty", show=lines.append)
    assert left.exists()
    (line,) = lines
    assert line == (
        f"{data}/.imagenet2012.lock cannot be locked (No locks available): "
        "make sure that nothing else prepares imagenet2012 there"
    )


def test_folder_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(errors.UsageError, match="not a writable folder"):
        prepare.prepare("fashion_mnist", str(tmp_path / "file" / "data"))
