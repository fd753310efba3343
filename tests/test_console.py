"""Lines of progress."""

from __future__ import annotations

import pytest

from bignas_tf import console


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.5, "1.0 min"),
        (269, "4.5 min"),
        (5969, "99.5 min"),
        (5970, "1 h 40 min"),
        (11_100, "3 h 05 min"),
        (172_740, "47 h 59 min"),
        (24 * 86_400 + 3 * 3_600, "24 days 3 h"),
    ],
)
def test_the_time_left_is_told_in_units_that_suit_it(seconds: float, words: str) -> None:
    assert console.duration(seconds) == words
