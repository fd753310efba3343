"""Where there is no room a command says so in one line, and loses nothing."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys

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
            r"are free\); what was there before is kept\. Raise the limit of .* it continues$",
        ),
    ):
        files.write_text(path, "\u00e9" * 1000)
    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("old", [path.name])


# In its own file system of 64 kB, which only this program sees.
_ON_A_FULL_DISK = """
mount -t tmpfs -o size=64k none "$1" || exit 77
head -c 100000 /dev/zero > "$1/fill" 2> /dev/null
exec "$0" -c "import sys; from bignas_tf import files; files.write_text(sys.argv[1], 'x')" "$1/x"
"""


def test_a_full_disk_is_told_in_a_line(tmp_path: pathlib.Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare to make a small disk with")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", _ON_A_FULL_DISK, sys.executable, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=pathlib.Path(__file__).resolve().parents[1],
    )
    if done.returncode == 77 or done.stderr.startswith("unshare: "):
        pytest.skip(f"no small disk can be made here: {done.stderr}")
    assert done.returncode == 1, done.stderr
    *_, last = done.stderr.splitlines()
    assert last == (
        f"bignas_tf.errors.RunError: {tmp_path}/x cannot be written: No space left on device "
        "(it takes 1 bytes, 0 bytes are free); what was there before is kept. Make room, and give "
        "the same command again: it continues"
    )


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
