"""What tests of the claims share."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from experiments.journal import Journal
from tests.experiments.campaigns import DESCRIPTION


@pytest.fixture
def journal(tmp_path: pathlib.Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.jsonl", DESCRIPTION) as opened:
        yield opened
