"""A proof comes back as it was written, or is refused."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.exports import proof, versions
from tests import limits

PATCHES, LOGITS = np.zeros([2, 4, 4, 3], np.uint8), np.ones([2, 5], np.float32)


def _write(folder: pathlib.Path, patches: np.ndarray, logits: np.ndarray) -> pathlib.Path:
    proof.Proof(patches, logits).write(folder)
    return folder / proof.PROOF_FILE


def test_a_proof_comes_back(tmp_path: pathlib.Path) -> None:
    _write(tmp_path, PATCHES, LOGITS)
    found = proof.read(tmp_path)
    np.testing.assert_array_equal(found.patches, PATCHES)
    np.testing.assert_array_equal(found.logits, LOGITS)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_cut_file_is_refused(tmp_path: pathlib.Path, kept: int) -> None:
    path = _write(tmp_path, PATCHES, LOGITS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(errors.UsageError, match="cannot be read; give the folder of one exported"):
        proof.read(tmp_path)


@pytest.mark.parametrize("at", range(0, 200, 7))
def test_a_changed_byte_is_no_traceback(tmp_path: pathlib.Path, at: int) -> None:
    path = _write(tmp_path, PATCHES, LOGITS)
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    try:
        found = proof.read(tmp_path)
    except errors.UsageError:
        return
    # Bytes such as a time stamp say nothing of the arrays.
    np.testing.assert_array_equal(found.logits, LOGITS)


def test_one_array_is_refused(tmp_path: pathlib.Path) -> None:
    with (tmp_path / proof.PROOF_FILE).open("wb") as stream:
        np.save(stream, LOGITS)
    with pytest.raises(errors.UsageError, match="cannot be read"):
        proof.read(tmp_path)


@pytest.mark.parametrize(
    ("patches", "logits"),
    [(PATCHES[:0], LOGITS[:0]), (PATCHES[:1], LOGITS), (PATCHES, LOGITS[0]), (PATCHES[0], LOGITS)],
    ids=["none", "fewer", "one's logits", "one patch"],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: pathlib.Path, patches: np.ndarray, logits: np.ndarray
) -> None:
    _write(tmp_path, patches, logits)
    with pytest.raises(errors.UsageError, match=r"are needed: export again"):
        proof.read(tmp_path)


def test_a_model_s_folder_names_its_versions(tmp_path: pathlib.Path) -> None:
    none = f"^{tmp_path}/1 is not the folder of an exported version: give the folder of one export"
    with pytest.raises(errors.UsageError, match=none):
        proof.read(tmp_path / "1")
    for name in ("1", "9", "10", "assets"):
        (tmp_path / name).mkdir()
    held = f"exported version: it holds versions 1, 9, 10; give {tmp_path}/10$"
    with pytest.raises(errors.UsageError, match=held):
        proof.read(tmp_path)


def test_a_folder_that_may_not_be_read_is_named() -> None:
    with limits.public_folder() as folder:
        (folder / "1").mkdir()
        with limits.forbidden(folder / "1"):
            with pytest.raises(errors.UsageError, match=r"/1/proof\.npz cannot be read \(Permiss"):
                proof.read(folder / "1")
            with pytest.raises(errors.UsageError, match=r"/1 cannot be read \(Permission"):
                versions.numbers(folder / "1")
