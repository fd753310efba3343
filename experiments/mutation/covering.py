"""Which tests run a line of the code, the quickest first.

Both files are of one run of all tests; see the module's command.
"""

from __future__ import annotations

import collections
import pathlib
import xml.etree.ElementTree
from collections.abc import Iterable, Mapping


class Covering:
    """The tests that run each line.

    Args:
      coverage_file: a data file of coverage.py, with a context for each test and relative paths.
      times_file: pytest's JUnit XML of the same run.
      extra: seconds that a test takes more when it runs alone.
    """

    def __init__(
        self, coverage_file: pathlib.Path, times_file: pathlib.Path, extra: Mapping[str, float]
    ) -> None:
        import coverage

        self._data = coverage.CoverageData(str(coverage_file))
        self._data.read()
        self._seconds = {
            test: seconds + extra.get(test, 0.0) for test, seconds in _seconds(times_file).items()
        }

    def tests(self, path: str, line: int, most_s: float) -> list[str]:
        """Tests of a line, or of its file where the line runs at import alone.

        Args:
          path: of the file, from the root of the repository.
          line: from 1.
          most_s: the seconds that all of them took; the quickest one is named in any case.
        """
        by_line = self._data.contexts_by_lineno(path)
        found = _named(by_line.get(line, ())) or _named(
            context for contexts in by_line.values() for context in contexts
        )
        chosen: list[str] = []
        left = most_s
        for test in sorted(found & self._seconds.keys(), key=lambda test: self._seconds[test]):
            left -= self._seconds[test]
            if left < 0 and chosen:
                break
            chosen.append(test)
        return chosen

    def seconds(self, tests: Iterable[str]) -> float:
        """What these took one after another."""
        return sum(self._seconds[test] for test in tests)


def _named(contexts: Iterable[str]) -> set[str]:
    """The tests of contexts such as "tests/test_files.py::test_one|call"."""
    return {context.rsplit("|", 1)[0] for context in contexts if context}


def _seconds(times_file: pathlib.Path) -> dict[str, float]:
    seconds: dict[str, float] = collections.defaultdict(float)
    for case in xml.etree.ElementTree.parse(times_file).iter("testcase"):
        if case.find("skipped") is None:
            path = case.attrib["classname"].replace(".", "/") + ".py"
            seconds[f"{path}::{case.attrib['name']}"] += float(case.attrib["time"])
    return dict(seconds)
