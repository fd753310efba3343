"""The images in and below a folder: all of them, each once."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf import errors, image_files


def test_links_are_followed_and_each_folder_is_entered_once(tmp_path: pathlib.Path) -> None:
    photos, other = tmp_path / "photos", tmp_path / "other"
    for name in ("photos/a.png", "photos/.b.png", "photos/.c/d.png", "other/deep/e.JPG"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (other / "f.webp").touch()
    (photos / "link").symlink_to(other)
    (photos / "twice").symlink_to(other)
    (other / "circle").symlink_to(photos)
    (photos / "gone.png").symlink_to(tmp_path / "nowhere")
    found, ignored = image_files.below(str(photos))
    assert found == [str(photos / "a.png"), str(photos / "link" / "deep" / "e.JPG")]
    assert ignored == "1 .webp"


def test_a_folder_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    """The user of a test may read every folder; one that is gone is an error of the same kind."""
    with pytest.raises(errors.UsageError, match=rf"^{tmp_path}/gone cannot be read \(No such file"):
        image_files.below(str(tmp_path / "gone"))
