"""Whenever a command is killed, the next one finds all that was verified, or nothing of it."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from bignas_tf import errors, scratch
from bignas_tf.exports import proof, publishing, serving_configs, trials
from tests import kills
from tests.exports.listing import listed

REPLACE = """
from bignas_tf import scratch
from bignas_tf.exports import publishing
with scratch.folder(folder) as staged:
    (staged / "converted").mkdir()
    (staged / "converted" / "new").write_text("")
    publishing.publish_replacements(staged)
"""


def _tree(folder: pathlib.Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("names", [["child_1", "child_2"], [serving_configs.ONLY_MODEL]])
def test_an_export_that_is_killed_has_published_all_or_nothing(
    tmp_path: pathlib.Path, names: list[str]
) -> None:
    folders = ["."] if names == [serving_configs.ONLY_MODEL] else names
    kill = 0
    while kills.before_rename(kill, kills.PUBLISH.format(names=names), tmp_path / str(kill)):
        base = tmp_path / str(kill)
        publishing.finish(base)
        scratch.sweep(base)
        if kill == 0:  # nothing was verified yet
            assert _tree(base) in ([], names)
        else:
            for folder in folders:
                assert _tree(base / folder / "1") == ["child.json", "saved_model.pb"]
            assert listed(base) == names
        assert not list(base.rglob(".*"))
        kill += 1
    # The name of the whole, each version, and both configurations.
    assert kill == 1 + len(names) + 2


def test_a_conversion_that_is_killed_leaves_the_old_files_or_the_new(
    tmp_path: pathlib.Path,
) -> None:
    found, killed = [], True
    while killed:
        folder = tmp_path / str(len(found))
        (folder / "converted").mkdir(parents=True)
        (folder / "converted" / "old").write_text("")
        killed = kills.before_rename(len(found), REPLACE, folder)
        publishing.finish(folder)
        scratch.sweep(folder)
        found.append(_tree(folder))
    old, new = (["converted", f"converted/{name}"] for name in ("old", "new"))
    # Before the whole has its name; before the new is tried, before the old is moved, before the
    # new is moved; and never.
    assert found == [old, new, new, new, new]


@pytest.mark.parametrize("kind", ["folder", "file", "link", "dangling link"])
def test_whatever_is_in_the_place_of_a_conversion_is_replaced(
    tmp_path: pathlib.Path, kind: str
) -> None:
    linked, place = tmp_path / "linked", tmp_path / "export" / "converted"
    place.parent.mkdir()
    if kind == "file":
        place.write_text("old")
    elif kind == "dangling link":
        place.symlink_to("nowhere")
    else:
        folder = linked if kind == "link" else place
        folder.mkdir()
        (folder / "old").write_text("")
        if kind == "link":
            place.symlink_to(linked)
    with scratch.folder(place.parent) as staged:
        (staged / "converted").mkdir()
        (staged / "converted" / "new").write_text("")
        publishing.publish_replacements(staged)
    assert _tree(place.parent) == ["converted", "converted/new"]
    # Where a link led is not ours to clear.
    assert _tree(tmp_path).count("linked/old") == (kind == "link")


def test_whoever_reads_an_export_finds_its_converted_files(tmp_path: pathlib.Path) -> None:
    patches, logits = np.zeros((1, 8, 8, 1), np.uint8), np.zeros((1, 2), np.float32)
    proof.Proof(patches, logits).write(tmp_path)
    (tmp_path / "converted").mkdir()
    (tmp_path / "converted" / "old").write_text("")
    assert kills.before_rename(3, REPLACE, tmp_path)
    assert not (tmp_path / "converted").exists()
    assert list(trials.check(tmp_path, [])) == []
    assert _tree(tmp_path / "converted") == ["new"]


def test_what_a_living_process_publishes_is_left_to_it(tmp_path: pathlib.Path) -> None:
    with scratch.folder(tmp_path) as staged:
        (staged / "child_1").mkdir()
        verified = scratch.renamed(staged, ".verified-")
        publishing.finish(tmp_path)
        assert _tree(verified) == [".lock", "child_1"]
    publishing.finish_below(tmp_path.parent)
    assert _tree(tmp_path / "child_1") == ["1"]


def test_versions_count_on_and_a_name_in_the_way_is_refused(tmp_path: pathlib.Path) -> None:
    for name in ("9", "10", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "11").symlink_to("nowhere")
    (tmp_path / "taken").write_text("")
    with scratch.folder(tmp_path) as staged:
        (staged / serving_configs.ONLY_MODEL).mkdir()
        assert publishing.publish_versions(staged) == {serving_configs.ONLY_MODEL: tmp_path / "12"}
    with scratch.folder(tmp_path) as staged:
        (staged / "taken").mkdir()
        with pytest.raises(errors.UsageError, match="taken is not a writable folder"):
            publishing.publish_versions(staged)
    assert not list(tmp_path.glob(".*"))
