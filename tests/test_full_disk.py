"""Where there is no room a command says so in one line, and loses nothing."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from bignas_tf import errors, files, full_disk
from tests import limits


def test_a_file_that_does_not_fit_leaves_the_old_one_alone(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "search.json"
    path.write_text("old")
    with (
        limits.file_size(100),
        pytest.raises(
            errors.RunError,
            match=rf"^{path} cannot be written: {limits.WHY} \(it takes 2,000 bytes, [\d,]+ bytes "
            r"are free\); what was there before is kept\. Make room, .* it continues$",
        ),
    ):
        files.write_text(path, "\u00e9" * 1000)
    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("old", [path.name])


def test_arrays_that_do_not_fit_are_explained() -> None:
    with (
        open("/dev/full", "wb", buffering=0) as full,
        pytest.raises(errors.RunError, match=r"proof\.npz cannot be written: No space left"),
        full_disk.explained("proof.npz"),
    ):
        np.ones(1000).tofile(full)


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file"), KeyError("No"), errors.UsageError("given: no")]
)
def test_other_errors_are_left_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, full_disk.explained("a"):
        raise error
    assert caught.value is error
