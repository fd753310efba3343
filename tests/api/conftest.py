"""The run, the search and the export that the tests of the tools make, for the same checks here."""

from __future__ import annotations

from tests.tools.conftest import forks, judged, run_dir, search_dir, version_dir

__all__ = ["forks", "judged", "run_dir", "search_dir", "version_dir"]
