"""The trained supernet that comes with the package."""

from __future__ import annotations

import itertools
import os
import pathlib

import numpy as np
import pytest

import bignas_tf as bignas
from bignas_tf import files, packaged
from tests.forks import Forks
from tests.tools import commands

MOST_BYTES = 3_000_000


def test_it_is_small_and_can_be_loaded(tmp_path: pathlib.Path) -> None:
    assert packaged.DEMO.stat().st_size <= MOST_BYTES
    folder = tmp_path / "new" / "demo"
    bignas.unpack_demo(folder)
    run = bignas.load(folder)
    assert run.space.name == "bignas_small"
    assert run.step > 0
    assert all(np.isfinite(weight).all() for weight in run.supernet.get_weights())
    assert [each.name for each in folder.parent.iterdir()] == ["demo"]


def test_it_is_put_in_a_folder_of_its_own(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    bignas.unpack_demo(folder)  # an empty folder will do
    (folder / "search").mkdir()
    bignas.unpack_demo(folder)  # it is there, whatever else is
    assert (folder / "search").is_dir()
    (folder / "checkpoint").unlink()
    with pytest.raises(bignas.UsageError, match="demo is not an empty folder"):
        bignas.unpack_demo(folder)  # a part of it, and more
    (folder / "search").rmdir()
    bignas.unpack_demo(folder)  # what a kill has left
    assert (folder / "checkpoint").exists()


@pytest.mark.parametrize("written", range(5))
def test_the_file_that_makes_it_a_run_comes_last(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """As a kill leaves it, after so many of its five files."""
    folder, calls, write = tmp_path / "demo", itertools.count(), files.write_bytes

    def some(path: pathlib.Path, content: bytes) -> None:
        if next(calls) == written:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(files, "write_bytes", some)
    with pytest.raises(KeyboardInterrupt):
        bignas.unpack_demo(folder)
    assert len(list(folder.glob("*"))) == written
    assert not (folder / "params.yaml").exists()
    monkeypatch.undo()
    bignas.unpack_demo(folder)
    assert len(list(folder.iterdir())) == 5


def test_it_is_put_where_one_stands_and_where_a_link_leads(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    (tmp_path / "link").symlink_to(there)
    monkeypatch.chdir(here)
    for given, folder in ((".", here), (tmp_path / "link", there)):
        bignas.unpack_demo(given)
        assert (folder / "params.yaml").is_file()
    assert os.path.samefile(".", here)


def test_a_bucket_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(bignas.UsageError, match=r"^gs://b/demo is remote; name a local folder"):
        bignas.unpack_demo("gs://b/demo")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_one_is_refused(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "demo.zip"
    content = bytearray(packaged.DEMO.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    monkeypatch.setattr(packaged, "DEMO", damaged)
    with pytest.raises(bignas.UsageError, match=r"demo\.zip is damaged; install bignas-tf again"):
        bignas.unpack_demo(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_the_tool_refuses_before_it_downloads(forks: Forks, tmp_path: pathlib.Path) -> None:
    (tmp_path / "photo.png").touch()
    error = commands.refuse(forks, "demo", model_dir=tmp_path)
    assert f"{tmp_path} is not an empty folder; choose another model_dir" in error
