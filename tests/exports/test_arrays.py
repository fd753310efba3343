"""Files of arrays that are damaged are refused, wherever NumPy notices it."""

from __future__ import annotations

import io
import pathlib
import zipfile

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.exports import arrays


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (b"(2,)", b"(2,("),  # what NumPy 2.4 tokenises before it reads it
        (b"(2,)", b"2, )"),
        (b"'<f4'", b"'|O8'"),
        (b"NUMPY", b"NUMPI"),
        (b"(2,), ", b"(9**9,"),
    ],
)
def test_a_damaged_array_is_refused(tmp_path: pathlib.Path, sound: bytes, damaged: bytes) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros(2, np.float32))
    content = stream.getvalue()
    assert sound in content
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("kernel.npy", content.replace(sound, damaged))
    with pytest.raises(errors.UsageError, match=r"weights\.npz cannot be read"):
        arrays.read(path)
