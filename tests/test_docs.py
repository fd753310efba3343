"""The manual: its links lead somewhere, and its commands are commands of this project."""

from __future__ import annotations

import ast
import inspect
import pathlib
import re
from collections.abc import Iterator

import pytest

import bignas_tf as bignas
from bignas_tf import commands
from tests import tool_flags

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *DOCS]
MOST_LINES = 150

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
# Only source files of bignas_tf: on a TPU's host a folder of that name has logs, too.
_PATH = re.compile(r"(?<![\w/.])(?:(?:experiments|docs|tests|tools)/[\w./-]*|bignas_tf/[\w/]+\.py)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_TOOL = re.compile(r"(?<![\w./-])tools((?:\.[a-z_]+)+)")
_SUB_COMMAND = re.compile(r"(?<![\w./-])bignas ([a-z_]+)")
# A flag stands after its tool, on a line that may be continued, and before the next command.
_FLAG = re.compile(r"--(?:no)?([a-z_]+)")
_OF_ABSL = {"help", "version"}


def _page(path: pathlib.Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _anchors(path: pathlib.Path) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def _code(path: pathlib.Path) -> str:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return "\n".join(match.strip("`") for match in _CODE.findall(text))


def _tools(path: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Yields the module of each tool that a page names in code, with what follows on the line."""
    for line in _code(path).splitlines():
        found = [(match.end(), match[1].lstrip(".")) for match in _TOOL.finditer(line)]
        found += [(match.end(), commands.module(match[1])) for match in _SUB_COMMAND.finditer(line)]
        for end, module in found:
            yield module, line[end:]


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_links_between_pages_lead_somewhere(page: pathlib.Path) -> None:
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_paths_of_the_project_exist(page: pathlib.Path) -> None:
    named = {path.rstrip(".") for path in _PATH.findall(page.read_text(encoding="utf-8"))}
    assert not {path for path in named if not (ROOT / path).exists()}


@pytest.mark.parametrize("page", PAGES, ids=_page)
def test_tools_and_their_flags_exist(page: pathlib.Path) -> None:
    modules = set(map(commands.module, commands.NAMES))
    for module, rest in _tools(page):
        assert module in modules
        unknown = set(_FLAG.findall(rest)) - tool_flags.defined(module) - _OF_ABSL
        assert not unknown, f"{module}: {unknown}"


def test_every_tool_is_in_the_manual() -> None:
    named = {module for page in PAGES for module, _ in _tools(page)}
    assert named == set(map(commands.module, commands.NAMES))


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    linked = {target for target, _ in _LINK.findall(text)}
    assert {_page(page) for page in DOCS} <= linked


def test_the_readmes_example_uses_public_names() -> None:
    (block,) = re.findall(
        r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    used = {
        node.attr
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "bignas"
    }
    assert "train" in used
    assert used <= set(bignas.__all__)


def test_calls_on_the_python_page_fit_the_functions() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in page.splitlines() if line.startswith("|"))
    calls = re.findall(r"`([a-z_]+)\(([^)…]*)\)`", rows)
    assert len(calls) > 30
    for name, listed in calls:
        names = [each.partition("=")[0].strip() for each in listed.split(",") if each]
        inspect.signature(getattr(bignas, name)).bind(**dict.fromkeys(names))


def test_the_python_page_has_every_public_name() -> None:
    named = set(re.findall(r"\w+", _code(ROOT / "docs" / "python.md")))
    assert not set(bignas.__all__) - named


def test_the_loops_of_small_slices_fit_their_intervals() -> None:
    """docs/gcp.md, whose reader would pay for a TPU to learn of a mistake in it."""
    from bignas_tf.training import parsing

    rows = re.findall(
        r"^\| (v\w+-\d+)(?:, with `(.+)`)? \| (\d+) \| (\d+)",
        (ROOT / "docs/gcp.md").read_text(),
        re.MULTILINE,
    )
    assert [name for name, *_ in rows] == ["v3-8", "v3-32", "v3-128", "v5litepod-8"]
    for _, more, loop, interval in rows:
        override = f"trainer.steps_per_loop={loop},trainer.checkpoint_interval={interval},{more}"
        parsing.parse("bignas_imagenet", ["imagenet_tpu.yaml"], override)  # or an error
