"""Files of this machine and of TensorFlow's file systems, with the same errors."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf

from bignas_tf import errors, files


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """An empty folder, here or in TensorFlow's file system in memory."""
    if request.param == "local":
        return str(tmp_path)
    remote = f"ram://{tmp_path.name}"
    tf.io.gfile.makedirs(remote)
    return remote


def test_what_is_written_can_be_read(folder: str) -> None:
    assert not files.is_file(f"{folder}/a/text")
    files.make_folder(f"{folder}/a")
    for text in ("longer than what replaces it", "größer\n"):
        files.write_text(f"{folder}/a/text", text)
        assert files.read_text(f"{folder}/a/text") == text
    files.write_json(f"{folder}/a/value.json", {"x": [1, None]})
    assert files.read_json(f"{folder}/a/value.json") == {"x": [1, None]}
    assert files.is_file(f"{folder}/a/text")
    assert not files.is_file(f"{folder}/a")
    assert sorted(tf.io.gfile.listdir(f"{folder}/a")) == ["text", "value.json"]


def test_a_file_that_is_missing_or_not_json_is_named(folder: str) -> None:
    for read in (files.read_text, files.read_json):
        with pytest.raises(errors.UsageError, match=f"{folder}/none cannot be read"):
            read(f"{folder}/none")
    files.write_text(f"{folder}/cut.json", "[1,")
    with pytest.raises(errors.UsageError, match=f"{folder}/cut.json is not valid JSON"):
        files.read_json(f"{folder}/cut.json")


def test_files_below_a_folder_are_listed_in_order_without_hidden_ones(folder: str) -> None:
    assert files.below(f"{folder}/none") == []
    for path in ("b/y", "b/x/c", "a", ".hidden", "b/.d/e"):
        files.make_folder(f"{folder}/{path}".rpartition("/")[0])
        files.write_text(f"{folder}/{path}", "1234")
    expected = [("a", 4), ("b/x/c", 4), ("b/y", 4)]
    assert files.below(folder) == files.below(f"{folder}/") == expected


def test_a_walk_leaves_out_what_vanishes(tmp_path: pathlib.Path) -> None:
    for name in ("a", "b", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("four")
    (tmp_path / "nowhere").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to("folder")
    found = [(str(path.relative_to(tmp_path)), status) for path, status in files.walk(tmp_path)]
    expected = ["a", "a/file", "b", "b/file", "folder", "folder/file", "link"]
    assert sorted(name for name, _ in found) == expected
    assert dict(found)["a/file"].st_size == 4
    walk = files.walk(tmp_path)
    next(walk)
    for path in tmp_path.iterdir():
        path.rename(tmp_path.with_name(f"{tmp_path.name}_{path.name}"))
    assert list(walk) == []


def test_what_cannot_be_reached_is_named() -> None:
    for write in (files.make_folder, lambda path: files.write_text(path, "")):
        with pytest.raises(errors.UsageError, match=r"nowhere://a/b cannot be .*'nowhere' not"):
            write("nowhere://a/b")


@pytest.mark.parametrize("name", ["folder", "n" * 250])
def test_a_file_that_cannot_be_written_is_named(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(errors.UsageError, match=rf"^{tmp_path / name} cannot be written \("):
        files.write_text(tmp_path / name, "")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_where_only_this_machine_will_do_a_remote_folder_is_refused() -> None:
    with pytest.raises(errors.UsageError, match=r"ram://a is remote; a local folder is needed"):
        files.ensure_writable("ram://a")


def test_a_folder_whose_name_is_not_text_is_refused(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "\udcff"
    with pytest.raises(errors.UsageError, match=r"\\udcff' is not a UTF-8 name; rename it"):
        files.ensure_writable(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "reason"), [(KeyError("name"), "no 'name'"), (TypeError("a list"), "a list")]
)
def test_what_fails_in_reading_a_file_names_it(error: Exception, reason: str) -> None:
    with (
        pytest.raises(errors.UsageError, match=f"^x.json is damaged, or not .* tools.y .*{reason}"),
        files.written_by("tools.y", "x.json"),
    ):
        raise error


def test_long_reasons_are_cut() -> None:
    with (
        pytest.raises(errors.UsageError, match=r"^x.json is .*: a{200,} \.\.\.$") as caught,
        files.written_by("tools.y", "x.json"),
    ):
        raise ValueError("a" * 1000)
    assert len(str(caught.value)) == 299
