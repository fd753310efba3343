"""The journal outlives kills, and serves its own search only."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.selection.journal import Candidate, Journal
from tests.modeling import helpers
from tests.selection import digits

SETTINGS = {"search_space": "digits", "budgets_macs": [1, 2], "selection": {"rounds": 2}}


def _candidates(number: int = 3) -> list[Candidate]:
    children = helpers.children_of(digits.space(), number)
    return [Candidate(a, 10 + i, 5, 0.1 * i, "coarse") for i, a in enumerate(children)]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """A journal of three candidates."""
    journal = Journal(tmp_path / "journal.jsonl", SETTINGS)
    for candidate in _candidates():
        journal.add(candidate)
    return tmp_path / "journal.jsonl"


def test_a_candidate_survives_json() -> None:
    (candidate,) = _candidates(1)
    assert Candidate.from_json(candidate.to_json()) == candidate


def test_candidates_survive_reopening(path: pathlib.Path) -> None:
    journal = Journal(path, SETTINGS)
    assert [journal.get(c.architecture) for c in _candidates()] == _candidates()
    assert journal.get(_candidates(4)[3].architecture) is None


@pytest.mark.parametrize("torn", [1, 20])
def test_a_torn_last_line_is_dropped_and_written_anew(path: pathlib.Path, torn: int) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-torn])
    journal = Journal(path, SETTINGS)
    *kept, lost = _candidates()
    assert [journal.get(c.architecture) for c in kept] == kept
    assert journal.get(lost.architecture) is None
    journal.add(lost)
    assert path.read_bytes() == whole


def test_other_settings_are_refused_and_the_file_is_kept(path: pathlib.Path) -> None:
    whole = path.read_bytes()
    with pytest.raises(errors.UsageError, match=r"other settings .* choose another --output_dir"):
        Journal(path, SETTINGS | {"budgets_macs": [1]})
    assert path.read_bytes() == whole


def test_a_damaged_journal_is_named(path: pathlib.Path) -> None:
    lines = path.read_text().splitlines()
    lines[2] = lines[2][:30]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(errors.UsageError, match=r"journal\.jsonl, line 3"):
        Journal(path, SETTINGS)
