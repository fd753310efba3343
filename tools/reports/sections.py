"""The parts of a report's page, each as pieces of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import commands
from bignas_tf.selection import result as result_lib

from . import drawing, markup, render, words
from .exports import Export
from .figures import Figure
from .inputs import Run, Search


def summary(run: Run) -> Iterator[str]:
    space = run.space
    yield markup.paragraph(
        f"Search space {space.name}: {space.count_architectures():.2g} children at "
        f"{min(space.eval_resolutions)} to {max(space.eval_resolutions)} px, all in one set of "
        "shared weights."
    )
    if run.weights is None:
        yield markup.paragraph("The folder holds no checkpoint.")
    else:
        yield _weights("The latest weights", run.weights)


def training(run: Run, shown: Sequence[Figure]) -> Iterator[str]:
    yield markup.heading(2, "Training")
    yield from map(figure, shown)
    if not run.accuracies:
        yield markup.paragraph(
            "No child was evaluated during training; task.evaluation.children names those to be."
        )
    yield from how(run.how)


def judged(run: Run, shown: Sequence[Figure]) -> Iterator[str]:
    yield markup.heading(2, "How good is this supernet?")
    if run.judgement is None:
        yield markup.paragraph(
            "It has not been judged yet. This command scores a few children at every resolution; "
            "then make this report again."
        )
        yield markup.code(f"{commands.spelling('judge')} --model_dir={run.name}")
        return
    settings = run.judgement["settings"]
    yield from map(figure, shown)
    yield markup.table(["summary", ""], words.judged(run.judgement))
    for warning in run.judgement["warnings"]:
        yield markup.paragraph(f"Note: {warning}.", strong=True)
    yield _weights("Judged weights", settings["source"])
    yield from _outdated(run, settings["source"], "judge")


def not_searched(run: Run) -> Iterator[str]:
    yield markup.heading(2, "Search")
    yield markup.paragraph(
        "This run has not been searched yet. A search finds the best child for each budget, here "
        "in millions of multiply-adds; then make this report again."
    )
    command = f"{commands.spelling('search')} --model_dir={run.name} --output_dir={run.name}/search"
    yield markup.code(f"{command} --budgets_mflops=…")


def search(run: Run, found: Search, drawn: str, shown: Sequence[Figure]) -> Iterator[str]:
    result, settings = found.result, found.result["settings"]
    scored = sum(each["ranking_top1"] is not None for each in result["candidates"])
    yield markup.heading(2, f"Search: {found.name}")
    yield markup.paragraph(
        f"{scored} children scored on {result['ranking']['images']:,} images of "
        f"{result['ranking']['split']} ({settings['selection']['strategy']}). Trust the "
        f"accuracy on {result['reporting']['split']}, whose images took no part in the choice. "
        "After ± stands the standard error, or how far repeats of a measurement lie apart."
    )
    yield _selected(result)
    for warning in result["warnings"]:
        yield markup.paragraph(f"Note: {warning}.", strong=True)
    yield markup.heading(3, "The selected children side by side")
    yield f'<div class="wide">{drawn}</div>'
    yield markup.paragraph(
        "A box is a block: its depthwise kernel (also its colour), its expansion, and its output "
        "channels (also its width). At the right, the side of what a stage gives."
    )
    yield from map(figure, shown)
    yield from _failures(result["candidates"])
    yield from how(found.how)
    yield _weights("Searched weights", settings["source"])
    yield from _outdated(run, settings["source"], "search")


def drawing_of(run: Run, found: Search) -> str:
    """The selected children of a search as SVG."""
    objectives = found.result["objectives"]
    children = [
        (words.limits(entry["budget"], objectives), entry["architecture"])
        for entry in found.result["selected"]
    ]
    return drawing.to_svg(run.space, children)


def _selected(result: Mapping[str, Any]) -> str:
    objectives = result["objectives"]
    heads = ["budget", *(f"{o['title']} ({o['unit']})" for o in objectives.values())]
    heads += [f"top-1 on {result[split]['split']}" for split in ("ranking", "reporting")]
    rows = [
        [
            words.limits(entry["budget"], objectives),
            *(words.cost(entry, name) for name in objectives),
            *(
                words.accuracy(entry[f"{split}_top1"], entry[f"{split}_error"])
                for split in ("ranking", "reporting")
            ),
            result_lib.child_file("", entry["name"]).name,
        ]
        for entry in result["selected"]
    ]
    return markup.table([*heads, "file"], rows)


def _failures(candidates: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    failed = [each for each in candidates if each["failure"]]
    rows = [
        ["; ".join(words.architecture(each["architecture"])), each["failure"]] for each in failed
    ]
    if failed:
        title = f"{len(failed)} candidate{'s' if len(failed) > 1 else ''} failed"
        yield markup.folded(title, markup.table(["child", "why"], rows))


def exports(found: Sequence[Export]) -> Iterator[str]:
    if not found:
        return
    yield markup.heading(2, "Exports")
    rows = [row for export in found for row in _formats(export)]
    heads = ["export", "format", "top-1", "agrees", "KB", "ms of one image, by threads"]
    yield markup.table(heads, rows)
    yield markup.paragraph(
        "Agrees: how often a format's answer is the SavedModel's. Times were taken on the machine "
        f"that converted the export; `{commands.spelling('convert')}` measures the formats."
    )
    for export in found:
        if export.labels:
            title = f"{len(export.labels)} classes of {export.name}"
            yield markup.folded(title, markup.paragraph(", ".join(export.labels)))


def _formats(export: Export) -> Iterator[list[str]]:
    if not export.formats:
        error = result_lib.standard_error(export.top1, export.images)
        yield [export.name, "saved_model", words.accuracy(export.top1, error), "", "", ""]
    for name, row in export.formats.items():
        times = ", ".join(f"{key}: {value:.3f}" for key, value in row["milliseconds"].items())
        size = f"{row['bytes'] / 1000:.0f}" if "bytes" in row else ""
        top1 = words.accuracy(row["top1"], row["top1_standard_error"])
        yield [export.name, name, top1, f"{100 * row['agreement']:.2f}%", size, times]


def files(found: Sequence[tuple[str, int]]) -> Iterator[str]:
    yield markup.heading(2, "Files")
    rows = [[name, f"{size:,}"] for name, size in found]
    yield markup.folded(f"{len(found)} files", markup.table(["file", "bytes"], rows))


def figure(shown: Figure) -> str:
    return (
        f"{markup.heading(3, shown.title)}{render.to_html(shown)}{markup.paragraph(shown.reading)}"
    )


def how(command: Mapping[str, Any] | None) -> Iterator[str]:
    if command is None:
        yield markup.paragraph("The command was not recorded.")
        return
    versions = ", ".join(f"{name} {version}" for name, version in command["versions"].items())
    yield markup.code(command["command"])
    yield markup.paragraph(f"With {versions}.")


def _weights(what: str, source: Mapping[str, Any]) -> str:
    return markup.paragraph(
        f"{what}: {source['checkpoint']}, step {source['step']}; SHA-256 of its index "
        f"{source['index_sha256']}."
    )


def _outdated(run: Run, source: Mapping[str, Any], tool: str) -> Iterator[str]:
    if run.weights and run.weights["index_sha256"] != source["index_sha256"]:
        yield markup.paragraph(
            f"Note: these are not the folder's latest weights; run tools.{tool} again for those.",
            strong=True,
        )
