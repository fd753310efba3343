"""The parts of a report's page, each as pieces of HTML."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from bignas_tf import commands
from bignas_tf.accuracy import percent
from bignas_tf.reports import drawing, markup, render, words
from bignas_tf.reports.cascades import ReportedCascade
from bignas_tf.reports.exports import Export
from bignas_tf.reports.figures import Figure
from bignas_tf.reports.inputs import Command, ReportedRun, ReportedSearch
from bignas_tf.selection.baseline import Baseline
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.provenance import Source
from bignas_tf.selection.result import SearchResult


def summary(run: ReportedRun) -> Iterator[str]:
    space = run.space
    yield markup.paragraph(
        f"Search space {space.name}: {words.large(space.count_architectures())} children at "
        f"{min(space.eval_resolutions)} to {max(space.eval_resolutions)} px, all in one set of "
        "shared weights."
    )
    if run.weights is None:
        yield markup.paragraph("The folder holds no checkpoint.")
    else:
        yield _weights("The latest weights", run.weights)


def training(run: ReportedRun, shown: Sequence[Figure]) -> Iterator[str]:
    yield markup.heading(2, "Training")
    yield from map(_figure, shown)
    if not run.accuracies:
        yield markup.paragraph(
            "No child was evaluated during training; list children in task.evaluation.children to "
            "plot their accuracy."
        )
    yield from _made_by(run.made_by)


def judged(run: ReportedRun, shown: Sequence[Figure]) -> Iterator[str]:
    yield markup.heading(2, "How good is this supernet?")
    if run.judgement is None:
        yield markup.paragraph(
            "It has not been judged yet. This command scores a few children at every resolution; "
            "then make this report again."
        )
        yield markup.code(f"{commands.spelling('judge')} {shlex.join([f'--model_dir={run.name}'])}")
        return
    source = run.judgement.source
    yield from map(_figure, shown)
    yield markup.table(["summary", ""], words.judged(run.judgement))
    for warning in run.judgement.warnings:
        yield markup.paragraph(f"Note: {warning}.", strong=True)
    yield _weights("Judged weights", source)
    yield from _outdated(run, source, "judge")


def not_searched(run: ReportedRun) -> Iterator[str]:
    yield markup.heading(2, "Search")
    yield markup.paragraph(
        "This run has not been searched yet. A search finds the best child for each budget, here "
        "in millions of multiply-adds; then make this report again."
    )
    flags = shlex.join([f"--model_dir={run.name}", f"--output_dir={run.name}/search"])
    yield markup.code(f"{commands.spelling('search')} {flags} --budgets_mflops=…")


def search(
    run: ReportedRun, reported: ReportedSearch, drawn: str, shown: Sequence[Figure]
) -> Iterator[str]:
    result = reported.result
    scored = sum(each.ranking is not None for each in result.candidates)
    yield markup.heading(2, f"Search: {reported.name}")
    yield markup.paragraph(
        f"{scored} children scored on {result.ranking.images:,} images of "
        f"{result.ranking.split} ({result.strategy}). Trust the "
        f"accuracy on {result.reporting.split}, whose images took no part in the choice. "
        "After ± is the standard error, or the spread of repeated measurements."
    )
    yield _selected(result)
    if result.rerank:
        yield markup.paragraph(
            f"The {result.rerank.best} most accurate children of each budget were converted to "
            f"{result.rerank.form}; the one whose file is best was selected. After 'lost' are the "
            "points below the child itself, with the standard error of the paired answers."
        )
    for warning in result.warnings:
        yield markup.paragraph(f"Note: {warning}.", strong=True)
    yield markup.heading(3, "The selected children side by side")
    yield f'<div class="wide">{drawn}</div>'
    yield markup.paragraph(
        "A box is a block: its depthwise kernel (also its colour), its expansion, and its output "
        "channels (also its width). At the right, the side of what a stage gives."
    )
    yield from map(_figure, shown)
    yield from _failures(result.candidates)
    yield from _made_by(reported.made_by)
    yield _weights("Searched weights", result.source)
    yield from _outdated(run, result.source, "search")


def drawing_of(run: ReportedRun, reported: ReportedSearch) -> str:
    """The selected children of a search as SVG."""
    result = reported.result
    children = [
        (words.limits(child.budget, result.objectives), child.architecture)
        for child in result.selected
    ]
    return drawing.to_svg(run.space, children)


def _selected(result: SearchResult) -> str:
    heads = ["budget", *(f"{each.title} ({each.unit})" for each in result.objectives.values())]
    heads += [f"top-1 on {images.split}" for images in (result.ranking, result.reporting)]
    if result.rerank:
        heads.append(f"{result.rerank.form} on {result.ranking.split}")
    rows = [
        [
            words.limits(child.budget, result.objectives),
            *(words.cost(child, each) for each in result.objectives),
            words.accuracy(child.ranking),
            words.accuracy(child.reporting),
            *([words.converted(child.converted)] if result.rerank else []),
            f"{name}.json",
        ]
        for name, child in result.children.items()
    ]
    return markup.table([*heads, "file"], rows)


def _failures(candidates: Iterable[Candidate]) -> Iterator[str]:
    rows = [
        ["; ".join(words.architecture(each.architecture)), each.failure]
        for each in candidates
        if each.failure
    ]
    if rows:
        title = f"{len(rows)} candidate{'s' if len(rows) > 1 else ''} failed"
        yield markup.folded(title, markup.table(["child", "why"], rows))


def baseline(alone: Baseline | None) -> Iterator[str]:
    if alone is None:
        return
    yield markup.heading(2, "One network, trained alone")
    yield markup.paragraph(
        f"An architecture of the space as an ordinary Keras model, trained on the same images for "
        f"{alone.minutes:,.1f} minutes ({alone.steps:,} steps of fit): top-1 {alone.accuracy} on "
        f"{alone.split}, for {alone.macs / 1e6:,.3f} M multiply-adds and "
        f"{alone.params / 1e6:,.3f} M parameters. All children above share one training."
    )


def exports(reported: Sequence[Export]) -> Iterator[str]:
    if not reported:
        return
    yield markup.heading(2, "Exports")
    rows = [row for export in reported for row in _formats(export)]
    heads = ["export", "format", "top-1", "agrees", "KB", "ms of one image, by threads"]
    yield markup.table(heads, rows)
    yield markup.paragraph(
        "Agrees: how often a format's answer is the SavedModel's. Times were taken on the machine "
        f"that converted the export; `{commands.spelling('convert')}` measures the formats."
    )
    for export in reported:
        if export.labels:
            title = f"{len(export.labels)} classes of {export.name}"
            yield markup.folded(title, markup.paragraph(", ".join(export.labels)))


def _formats(export: Export) -> Iterator[list[str]]:
    if export.foreign:
        yield [export.name, "converted from another export: convert again", "", "", "", ""]
    if not export.formats:
        yield [export.name, "saved_model", words.accuracy(export.accuracy), "", "", ""]
    for name, row in export.formats.items():
        times = ", ".join(f"{key}: {value:.3f}" for key, value in row["milliseconds"].items())
        size = f"{row['bytes'] / 1000:.0f}" if "bytes" in row else ""
        top1 = percent(row["top1"], row["top1_standard_error"])
        yield [export.name, name, top1, percent(row["agreement"]), size, times]


def cascade(reported: ReportedCascade, shown: Figure) -> Iterator[str]:
    yield markup.heading(2, f"Cascade {reported.name}")
    yield _figure(shown)
    objective = reported.objective
    heads = ["", "answers", "top-1", f"{objective.unit} {objective.title}"]
    shares = {name: percent(share) for name, share in reported.shares.items()}
    shares[reported.taken.what] = "all"
    rows = [
        [each.what, shares.get(each.what, ""), words.accuracy(each.accuracy), f"{each.cost:.4g}"]
        for each in [reported.taken, *reported.children]
    ]
    yield markup.table(heads, rows)
    yield markup.paragraph(
        "Answers: a child's share of the images. A number behind a name is the probability of the "
        "best class from which on that child's answer stands. Each child alone answers to its name."
    )


def files(sizes: Sequence[tuple[str, int]]) -> Iterator[str]:
    yield markup.heading(2, "Files")
    rows = [[name, f"{size:,}"] for name, size in sizes]
    yield markup.folded(f"{len(sizes)} files", markup.table(["file", "bytes"], rows))


def _figure(shown: Figure) -> str:
    return (
        f"{markup.heading(3, shown.title)}{render.to_html(shown)}{markup.paragraph(shown.reading)}"
    )


def _made_by(command: Command | None) -> Iterator[str]:
    if command is None:
        yield markup.paragraph("The command was not recorded.")
        return
    versions = ", ".join(f"{name} {version}" for name, version in command.versions.items())
    yield markup.code(command.command)
    yield markup.paragraph(f"With {versions}.")


def _weights(what: str, source: Source) -> str:
    return markup.paragraph(
        f"{what}: {source.checkpoint}, step {source.step}; SHA-256 of its index "
        f"{source.index_sha256}."
    )


def _outdated(run: ReportedRun, source: Source, tool: str) -> Iterator[str]:
    if run.weights and run.weights.index_sha256 != source.index_sha256:
        yield markup.paragraph(
            "Note: these are not the folder's latest weights, but of an earlier checkpoint or of "
            f"another run; run {commands.spelling(tool)} again for those.",
            strong=True,
        )
