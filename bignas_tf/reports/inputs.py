"""Reads what a report shows, from the folder of a run and those of its searches."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bignas_tf import commands, files, run_folder
from bignas_tf.reports import cascades, curves, exports
from bignas_tf.reports.exports import Listed
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import baseline as baseline_lib
from bignas_tf.selection import judgement as judgement_lib
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.baseline import Baseline
from bignas_tf.selection.judgement import Judgement
from bignas_tf.selection.provenance import Source
from bignas_tf.selection.result import SearchResult
from bignas_tf.training import curve_file

# Files of an earlier report do not belong to the next.
PAGE_FILE, PLOTS_DIR = "report.html", "report"
_MOST_OF_A_KEY = 100
_SEARCH = re.compile(f"[^/]+/{re.escape(result_lib.FILE)}")


@dataclasses.dataclass(frozen=True)
class Command:
    """The command that made a folder, and the versions of what it ran on."""

    command: str
    versions: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class ReportedSearch:
    """A finished search of the run.

    Attributes:
      name: its folder, relative to the run's if it is inside.
      key: the name in files and anchors; unique among the searches.
      result: what `search.json` holds.
      made_by: how the folder was made; None if unknown.
    """

    name: str
    key: str
    result: SearchResult
    made_by: Command | None


@dataclasses.dataclass(frozen=True)
class ReportedRun:
    """All that a report shows.

    Attributes:
      name: the folder.
      space: its search space.
      weights: the latest checkpoint; None without one.
      made_by: how it was trained; None if unknown.
      accuracies: of children evaluated during training.
      losses: of the smallest and the biggest child.
      judgement: what `judgement.json` holds; None without one.
      searches: of the run.
      baseline: one network trained alone; None without one.
      exports: below its folder.
      cascades: below its folder.
      files: of the run and its searches, with their bytes.
    """

    name: str
    space: SearchSpace
    weights: Source | None
    made_by: Command | None
    accuracies: curves.Curves
    losses: curves.Curves
    judgement: Judgement | None
    searches: Sequence[ReportedSearch]
    baseline: Baseline | None
    exports: Sequence[exports.Export]
    cascades: Sequence[cascades.ReportedCascade]
    files: Sequence[tuple[str, int]]


def read(model_dir: str, search_dirs: Sequence[str]) -> ReportedRun:
    """Reads a run.

    Args:
      model_dir: its folder.
      search_dirs: of its searches; all those in the folder if empty.

    Raises:
      UsageError: the folder is not of a run, or a file is damaged.
    """
    run_folder.check(model_dir)
    space = presets.get(os.path.join(model_dir, run_folder.SPACE_FILE))
    exports.finish_below(model_dir)
    listed = files.below(model_dir)  # once: in a bucket, each file's size is a request
    folders = search_dirs or list(_searched(model_dir, listed))
    folders = list({os.path.realpath(each): each for each in folders}.values())  # each once
    return ReportedRun(
        name=model_dir,
        space=space,
        weights=_weights(model_dir, space),
        made_by=_command(model_dir),
        accuracies=curves.accuracies(os.path.join(model_dir, curve_file.FILE)),
        losses=curves.losses(os.path.join(model_dir, "train")),
        judgement=_judgement(os.path.join(model_dir, judgement_lib.FILE), space),
        searches=list(_searches(model_dir, folders, space)),
        baseline=baseline_lib.read(model_dir),
        exports=list(exports.below(model_dir, listed)),
        cascades=list(cascades.below(model_dir, listed)),
        files=list(_files(model_dir, listed, folders)),
    )


def _searched(folder: str, listed: Listed) -> Iterator[str]:
    """The folders of searches in that of a run, links included."""
    if files.is_remote(folder):
        for path, _ in listed:
            if _SEARCH.fullmatch(path):
                yield os.path.join(folder, os.path.dirname(path))
        return
    # `below` does not enter links. The first step of `os.walk` names them among the folders, and
    # gives nothing if the run's folder may not be listed.
    _, names, _ = next(os.walk(folder), ("", [], []))
    for name in sorted(names):
        search = os.path.join(folder, name)
        if not name.startswith(".") and files.is_file(os.path.join(search, result_lib.FILE)):
            yield search


def _weights(folder: str, space: SearchSpace) -> Source | None:
    if not files.is_file(os.path.join(folder, run_folder.CHECKPOINTS_FILE)):
        return None
    from bignas_tf.training import checkpoints  # slow import: only a run with weights needs it

    described = checkpoints.describe_latest(folder)
    return None if described is None else Source(search_space=space.name, **described)


def _command(folder: str) -> Command | None:
    path = os.path.join(folder, commands.FILE)
    if not files.is_file(path):
        return None
    with files.reading(path, "this project") as noted:
        versions = noted["versions"].fields()
        return Command(
            noted["command"].text(), {name: each.text() for name, each in versions.items()}
        )


def _judgement(path: str, space: SearchSpace) -> Judgement | None:
    return judgement_lib.read(path, space) if files.is_file(path) else None


def _searches(folder: str, folders: Iterable[str], space: SearchSpace) -> Iterator[ReportedSearch]:
    keys: set[str] = set()
    for path in folders:
        result = result_lib.read(path, space)
        name = _shown(path, folder)
        # Files are called after it and, behind a "_", what they show. The end of a long path says
        # more than its beginning.
        stem = re.sub(r"[^A-Za-z0-9]+", "-", name)[-_MOST_OF_A_KEY:].strip("-") or "search"
        numbered = (f"{stem}-{number}" for number in itertools.count(2))
        key = next(each for each in itertools.chain([stem], numbered) if each not in keys)
        keys.add(key)
        yield ReportedSearch(name, key, result, _command(path))


def _files(folder: str, listed: Listed, searches: Iterable[str]) -> Iterator[tuple[str, int]]:
    sizes: dict[str, int] = {}
    for base, found in ((folder, listed), *((each, files.below(each)) for each in searches)):
        for path, size in found:
            sizes[_shown(os.path.join(base, path), folder)] = size
    for path in sorted(sizes):
        if path != PAGE_FILE and not path.startswith(f"{PLOTS_DIR}/"):
            yield path, sizes[path]


def _shown(path: str, folder: str) -> str:
    """A path as the report names it: relative to the run's folder if it is inside."""
    # Both of a bucket become paths below the present folder, and of the one within the other.
    real, base = os.path.realpath(path), os.path.realpath(folder)
    inside = os.path.commonpath([real, base]) == base
    return os.path.relpath(real, base) if inside else path
