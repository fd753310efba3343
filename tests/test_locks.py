"""The locks hold what the requirements say, for every machine."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def _pins(text: str) -> set[str]:
    """Returns 'name==version' of each line that has one, names normalised."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {f"{re.sub(r'[-_.]+', '-', name).lower()}=={version}" for name, version in found}


def test_each_file_of_requirements_has_a_lock() -> None:
    assert {path.stem for path in LOCKS} == {path.stem for path in ROOT.glob("requirements*.txt")}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_has_what_is_required(path: pathlib.Path) -> None:
    required = _pins(path.with_suffix(".txt").read_text())
    if path.stem != "requirements-tpu":  # has its own environment
        required |= _pins((ROOT / "requirements.txt").read_text())
    assert required <= _pins(path.read_text()), "run `make lock`"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_packages_and_hashes_alone(path: pathlib.Path) -> None:
    lines = path.read_text().replace("\\\n", "").splitlines()
    entries = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert entries
    for entry in entries:
        # No option, such as --index-url, and no address of a file or an index.
        assert re.fullmatch(
            r"[\w.\[\]-]+==[\w.+!]+( ; [^/@#]+?)?( +--hash=sha256:[0-9a-f]{64})+", entry
        ), entry
