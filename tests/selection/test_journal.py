"""The journal outlives kills, and serves its own search only, here and in a bucket."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors, files
from bignas_tf.api import selecting
from bignas_tf.selection import result
from bignas_tf.selection.journal import Journal, Record
from tests import limits
from tests.modeling import helpers
from tests.selection import digits, made_up_searches

ORIGIN = {"checkpoint": "run/ckpt-7", "seen": {"batch_size": 64}}


def _records(number: int = 3) -> list[Record]:
    children = helpers.children_of(digits.space(), number)
    return [
        Record("ranking_top1", children[0], 1 / 3),
        Record("litert_ms", children[0], 0.25, spread=0.01),
        Record("litert_ms", children[1], None, failure='it said "no"\nand left'),
        *(Record("ranking_top1", child, 0.5) for child in children[3:]),
    ]


@pytest.fixture
def local(tmp_path: pathlib.Path) -> pathlib.Path:
    """A journal of three records on this machine."""
    return pathlib.Path(_written(str(tmp_path)))


@pytest.fixture
def remote(tmp_path: pathlib.Path) -> str:
    """The same in TensorFlow's file system in memory."""
    return _written(f"ram://{tmp_path.name}")


@pytest.fixture(params=["local", "remote"])
def path(request: pytest.FixtureRequest) -> str:
    """The same in both."""
    return str(request.getfixturevalue(request.param))


def _written(folder: str) -> str:
    files.make_folder(folder)
    with Journal(f"{folder}/journal.jsonl", ORIGIN) as journal:
        for record in _records():
            journal.add(record)
    return f"{folder}/journal.jsonl"


def _known(journal: Journal, records: list[Record]) -> list[Record | None]:
    return [journal.get(record.what, record.architecture) for record in records]


def test_records_survive_reopening(path: str) -> None:
    with Journal(path, ORIGIN) as journal:
        assert _known(journal, _records()) == _records()
        assert _known(journal, _records(4)[3:]) == [None]
        assert journal.get("params_m", _records()[0].architecture) is None


@pytest.mark.parametrize("torn", [1, 20])
def test_a_torn_last_line_is_cut_off_and_written_anew(path: str, torn: int) -> None:
    whole = files.read_text(path)
    files.write_text(path, whole[:-torn])
    *kept, lost = _records()
    with Journal(path, ORIGIN) as journal:
        assert _known(journal, [*kept, lost]) == [*kept, None]
        journal.add(lost)
    assert files.read_text(path) == whole


@pytest.mark.parametrize("length", [0, 10])
def test_a_torn_first_line_begins_anew(path: str, length: int) -> None:
    files.write_text(path, files.read_text(path)[:length])
    with Journal(path, ORIGIN) as journal:
        assert _known(journal, _records()) == [None] * 3
    with Journal(path, ORIGIN):
        pass


def test_a_record_without_room_is_an_error_and_is_written_when_there_is(
    local: pathlib.Path,
) -> None:
    whole, *_, lost = local.read_bytes(), *_records(4)
    with (
        limits.file_size(len(whole) + 10),
        pytest.raises(
            errors.RunError, match=rf"{local} cannot be written: {limits.WHY} \(it takes"
        ),
        Journal(local, ORIGIN) as journal,
    ):
        journal.add(lost)
    with Journal(local, ORIGIN) as journal:
        assert local.read_bytes() == whole
        journal.add(lost)
    assert local.read_bytes().startswith(whole)
    with Journal(local, ORIGIN) as journal:
        assert _known(journal, _records(4)) == _records(4)


def test_another_origin_is_refused_and_the_file_is_kept(path: str) -> None:
    whole = files.read_text(path)
    with pytest.raises(errors.UsageError, match=r"another checkpoint.* choose another output_dir"):
        Journal(path, ORIGIN | {"checkpoint": "run/ckpt-8"})
    assert files.read_text(path) == whole


@pytest.mark.parametrize("more", [0, 1, 3])
def test_at_most_four_differences_are_listed(local: pathlib.Path, more: int) -> None:
    others = {f"setting{number}": number for number in range(3 + more)}
    with pytest.raises(errors.UsageError) as caught:
        Journal(local, ORIGIN | {"checkpoint": "run/ckpt-8"} | others)
    listed = str(caught.value).partition("(")[2].partition(")")[0].split("; ")
    assert listed[0] == "checkpoint was 'run/ckpt-7', is now 'run/ckpt-8'"
    assert listed[4:] == ([f"and {more} more"] if more else [])


@pytest.mark.parametrize(
    "line",
    [
        "{", "{}", "[]", '{"what": "ms"}', '"value": "high"', "[" * 100_000, '"value": -0.25',
        '"value": null', '"value": 0.25, "failure": "why"', '"value": 0.25, "spread": -1',
        '"value": 7.5, "what": "ranking_top1"', '"value": -1, "what": "reporting_top1"',
    ],
)  # fmt: skip
def test_a_damaged_journal_is_named(path: str, line: str) -> None:
    lines = files.read_text(path).splitlines()
    # Of a field that is given twice JSON takes the last.
    lines[2] = f"{lines[2][:-1]}, {line}}}" if line.startswith('"') else line
    files.write_text(path, "\n".join(lines) + "\nand no end")
    whole = files.read_text(path)
    with pytest.raises(errors.UsageError, match=r"journal\.jsonl is damaged \(line 3\)"):
        Journal(path, ORIGIN)
    assert files.read_text(path) == whole


def test_a_journal_in_which_nothing_is_found_yet_begins_anew(local: pathlib.Path) -> None:
    other = ORIGIN | {"checkpoint": "run/ckpt-8"}
    files.write_text(local, files.read_text(local).partition("\n")[0] + "\n")
    with Journal(local, other) as journal:
        journal.add(_records(4)[3])
    assert json.loads(files.read_text(local).splitlines()[0]) == other


def test_in_a_bucket_it_may_be_of_a_search_that_has_begun(remote: str) -> None:
    files.write_text(remote, files.read_text(remote).partition("\n")[0] + "\n")
    with pytest.raises(errors.UsageError, match="another checkpoint"):
        Journal(remote, ORIGIN | {"checkpoint": "run/ckpt-8"})


def test_a_file_of_something_else_is_kept(path: str) -> None:
    files.write_text(path, "my notes")
    with pytest.raises(errors.UsageError, match="another checkpoint"):
        Journal(path, ORIGIN)
    assert files.read_text(path) == "my notes"


@pytest.mark.parametrize("name", [".", "journal.jsonl"])
def test_a_journal_that_may_not_be_read_is_named(name: str) -> None:
    with limits.public_folder() as folder:
        with Journal(folder / "journal.jsonl", ORIGIN):
            pass
        with (
            limits.forbidden(folder / name),
            pytest.raises(errors.UsageError, match=r"journal\.jsonl cannot be .*Permission denied"),
        ):
            Journal(folder / "journal.jsonl", ORIGIN)


def test_two_searches_never_share_a_journal(local: pathlib.Path) -> None:
    whole = local.read_bytes()
    with Journal(local, ORIGIN):
        other = "from bignas_tf.selection.journal import Journal; import sys"
        command = f"{other}; Journal(sys.argv[1], {ORIGIN!r})"
        done = subprocess.run(
            [sys.executable, "-c", command, str(local)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=pathlib.Path(__file__).resolve().parents[2],
        )
        assert "UsageError" in done.stderr
        assert "belongs to a search that is running" in done.stderr
    assert local.read_bytes() == whole
    with Journal(local, ORIGIN):
        pass


def test_a_selection_never_replaces_a_search(path: str) -> None:
    """It would lose its result; in a bucket, too, where no lock keeps the selection out."""
    whole, folder = files.read_text(path), os.path.dirname(path)
    with tempfile.TemporaryDirectory() as search:
        result.write(search, made_up_searches.result())
        with pytest.raises(errors.UsageError, match="holds a search, whose result a selection"):
            selecting.select(search, made_up_searches.BUDGETS, folder, show=None)
    assert files.read_text(path) == whole
    assert not files.is_file(os.path.join(folder, result.FILE))


def test_in_a_bucket_the_search_that_was_started_last_continues(remote: str) -> None:
    first_record, last_record = _records(5)[3:]
    with Journal(remote, ORIGIN) as first:
        # One of another origin is refused, and takes nothing over.
        with pytest.raises(errors.UsageError, match="another checkpoint"):
            Journal(remote, {})
        first.add(first_record)
        with Journal(remote, ORIGIN) as second:
            before = files.read_text(remote)
            with pytest.raises(
                errors.RunError, match=f"another search .*{remote} .* this one stops"
            ):
                first.add(last_record)
            assert first.get(last_record.what, last_record.architecture) is None
            assert files.read_text(remote) == before
            second.add(last_record)
    # Neither a search that ended nor one that was killed keeps others out.
    killed = Journal(remote, ORIGIN)
    assert _known(killed, _records(5)) == _records(5)
    with Journal(remote, ORIGIN) as journal:
        assert _known(journal, _records(5)) == _records(5)


def test_a_selection_into_a_bucket(remote: str) -> None:
    folder = remote.rpartition("/")[0]
    result.write(f"{folder}/other", made_up_searches.result())
    selecting.select(f"{folder}/other", made_up_searches.BUDGETS, f"{folder}/again", show=None)
    assert result.read(f"{folder}/again") == result.read(f"{folder}/other")
    with pytest.raises(errors.UsageError, match="is the folder of the search itself"):
        selecting.select(folder, made_up_searches.BUDGETS, f"{folder}/", show=None)
