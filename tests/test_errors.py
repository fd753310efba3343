"""What messages quote of the errors of other libraries."""

from __future__ import annotations

import pytest

from bignas_tf import errors


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError(" a\n\tb  c\n"), "a b c"),
        ("line 1\r\nline 2", "line 1 line 2"),
        (ValueError(" \n"), "ValueError"),
        (ValueError("x" * 15), "x" * 15),
        (ValueError("x" * 16), "x" * 11 + " ..."),
    ],
)
def test_an_error_is_one_line(error: Exception | str, line: str) -> None:
    assert errors.one_line(error, most=15) == line
