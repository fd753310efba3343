"""The names of the package: what they are, and that they cost nothing before they are used."""

from __future__ import annotations

import ast
import pathlib
import pkgutil

import pytest

import bignas_tf as bignas
from bignas_tf import errors
from tests.interpreter import python

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIGHT = (
    *("cost", "published", "budget", "check_budgets", "select", "search_space_of"),
    *("finish_exports", "read_baseline", "read_search", "recipe"),
    *("Accuracy", "Architecture", "Baseline", "Budget", "Recipe", "SearchResult", "SearchSpace"),
)


def _typed_names() -> set[str]:
    """What type checkers and editors are told that the package has."""
    tree = ast.parse(pathlib.Path(bignas.__file__).read_text(encoding="utf-8"))
    (block,) = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}


def test_importing_the_package_imports_no_tensorflow_and_listing_it_neither() -> None:
    code = "import sys, bignas_tf as b; dir(b); print({'tensorflow', 'numpy'} & set(sys.modules))"
    done = python("-c", code)
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr


def test_what_needs_no_weights_needs_no_tensorflow() -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None; import bignas_tf as bignas\n"
        f"for name in {LIGHT}: getattr(bignas, name)\n"
        "print(bignas.cost('bignas_imagenet', 'BigNASModel-S').macs)"
    )
    done = python("-c", code)
    assert (done.returncode, done.stdout) == (0, "241949056\n"), done.stderr


@pytest.mark.slow
def test_what_a_notebook_imports_leaves_its_plots_alone() -> None:
    code = (
        "import sys, matplotlib; matplotlib.use('svg'); import bignas_tf as bignas\n"
        "for name in bignas.__all__: getattr(bignas, name)\n"
        "print(matplotlib.get_backend(), 'official.vision' in sys.modules)\n"
        "bignas.configure_garden('retinanet_bignas')\n"
        "print(matplotlib.get_backend(), 'official.vision' in sys.modules)"
    )
    done = python("-c", code, timeout_s=300)
    assert (done.returncode, done.stdout) == (0, "svg False\nsvg True\n"), done.stderr


@pytest.mark.parametrize("name", bignas.__all__)
def test_every_name_is_there_and_described(name: str) -> None:
    assert getattr(bignas, name).__doc__
    assert name in dir(bignas)


def test_types_and_imports_tell_of_the_same_names() -> None:
    assert _typed_names() | {"RunError", "UsageError"} == set(bignas.__all__)
    assert set(bignas._HOMES) == _typed_names()


def test_no_name_is_that_of_a_room() -> None:
    # Importing a room would put it in the place of the function.
    rooms = {module.name for module in pkgutil.iter_modules(bignas.__path__)}
    assert not rooms & set(bignas.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'bignas_tf' has no attribute 'serch'"):
        bignas.__getattr__("serch")


def test_errors_are_those_that_the_tools_know() -> None:
    assert bignas.UsageError is errors.UsageError
    assert bignas.RunError is errors.RunError
