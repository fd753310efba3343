"""A plugin of pytest: files, and tests in a file, in random order; garbage is collected often.

A test that passes only after another, or only while nothing is collected, fails here.
"""

from __future__ import annotations

import gc
import random

import pytest

_OBJECTS = 500  # between two collections; by default all of them are rarely looked through


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--disorder", type=int, required=True, help="Seed of the order.")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    draw = random.Random(config.getoption("--disorder"))
    files = sorted({item.path for item in items})
    places = {path: place for place, path in enumerate(draw.sample(files, len(files)))}
    draw.shuffle(items)
    items.sort(key=lambda item: places[item.path])


def pytest_collection_finish() -> None:
    """Modules stay, so that a full collection takes milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, 2, 2)
