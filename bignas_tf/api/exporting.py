"""Children as files: sliced, calibrated, exported, converted and verified."""

from __future__ import annotations

import os
import pathlib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tf_keras

from bignas_tf import console, errors, files, plain
from bignas_tf.api import apart, arguments, cards, evaluators, exported, task_images
from bignas_tf.console import Show
from bignas_tf.conversion import converter, measure, tflite
from bignas_tf.conversion.figures import ConversionReport
from bignas_tf.data import config as config_lib
from bignas_tf.data import decode, sources
from bignas_tf.data.config import DataConfig
from bignas_tf.exports import runtimes, saved_model, serving_configs, sliced_graph, trials
from bignas_tf.exports.runtimes import Outcome
from bignas_tf.exports.saved_model import Servable
from bignas_tf.modeling import slicing
from bignas_tf.plain import Value
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.presets import AnyArchitecture
from bignas_tf.selection import result as result_lib
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig


def child(run: Run, architecture: AnyArchitecture) -> tf_keras.Model:
    """Cuts a child out of a run: a stock Keras model with calibrated batch norms.

    It takes float32 images in [-1, 1] at its own resolution and gives logits.

    Args:
      run: from `load` or `train`.
      architecture: an architecture, its JSON file, "smallest", "biggest" or a published name.

    Raises:
      UsageError: no such child, or images that cannot be read.
    """
    arguments.check_own_network(run, "a standalone child")
    chosen = presets.child(run.space, architecture)
    return slicing.sliced_child(
        run.supernet, chosen, evaluators.evaluator_of(run).statistics(chosen)
    )


def export(
    run: Run,
    architecture: AnyArchitecture,
    output_dir: str | os.PathLike[str],
    *,
    labels: Sequence[str] | str | os.PathLike[str] | None = None,
    licence: str = "",
    show: Show | None = console.print_line,
) -> pathlib.Path:
    """Exports a child as the next version below a folder, a SavedModel for TensorFlow Serving.

    Args:
      run: from `load` or `train`.
      architecture: an architecture, its JSON file, "smallest", "biggest" or a published name.
      output_dir: base folder of the model's versions; local.
      labels: names of the classes in their order, or a JSON file of them; the data set's own if
        None.
      licence: of the model, for its card.
      show: takes a line when the child is calibrated; None for silence.

    Returns:
      The folder of the version, which appears only once it is verified.

    Raises:
      UsageError: no such child, labels that do not fit, or a folder that cannot be written.
      RunError: the written model does not load or gives other logits.
    """
    arguments.check_run(run)
    arguments.text("licence", licence)
    output_dir = errors.require_path("output_dir", output_dir)
    children = {"": presets.child(run.space, architecture)}
    names = class_names(run.config.task.train_data, labels)
    apart.check_scored(run, run.config.task)
    # Before the work: otherwise these mistakes would show only after it.
    saved_model.ensure_base(output_dir)
    with trials.started() as through:
        ((_, servable),) = _servables(
            run, run.config.task, children, names, licence, console.or_silent(show)
        )
        version = saved_model.export(servable, output_dir, through)
    warn_of_pins([version], show)
    return version


def export_family(
    run: Run,
    search_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    labels: Sequence[str] | str | os.PathLike[str] | None = None,
    licence: str = "",
    show: Show | None = console.print_line,
) -> list[pathlib.Path]:
    """Exports every selected child of a search as its own model; all appear, or none.

    Args:
      run: that was searched.
      search_dir: folder of the search; may be remote.
      output_dir: gets `child_<budget>/<version>/` for each child; local.
      labels: see `export`.
      licence: see `export`.
      show: takes a line for each child that is calibrated; None for silence.

    Returns:
      The folders of the versions.

    Raises:
      UsageError: no search of these weights in the folder, labels that do not fit, or a folder
        that cannot be written.
      RunError: a written model does not load or gives other logits.
    """
    arguments.check_run(run)
    arguments.text("licence", licence)
    output_dir = errors.require_path("output_dir", output_dir)
    found = result_lib.read(search_dir, run.space)
    task = task_images.of_search(run, found, search_dir)
    children = {name: each.architecture for name, each in found.children.items()}
    names = class_names(task.train_data, labels)
    apart.check_scored(run, task)
    saved_model.ensure_base(output_dir)
    servables = _servables(
        run, task, children, names, licence, console.or_silent(show), cards.converted(found)
    )
    with trials.started() as through:
        made = saved_model.export_family(servables, output_dir, through)
    warn_of_pins(made, show)
    return made


def convert(
    run: Run,
    version: str | os.PathLike[str],
    formats: Sequence[str] = tflite.KINDS,
    *,
    calibration_images: int | None = None,
    show: Show | None = console.print_line,
) -> ConversionReport:
    """Converts an export to LiteRT and ONNX files, and measures each on its reporting split.

    The child is the one that was exported, with its statistics: it is not calibrated again.

    Args:
      run: that the export is of.
      version: folder of the version, as `export` returned it; gets `converted/`.
      formats: kinds of LiteRT, and "onnx".
      calibration_images: of the export's calibration split, that int8 takes its ranges from; None
        for `cards.CALIBRATION_IMAGES`, or as many as there are.
      show: takes a line for each file, then those of a table; None for silence.

    Returns:
      What was measured; `to_json()` of it is in `converted/report.json`.

    Raises:
      UsageError: an unknown format, a package that is not installed, another run's export, one
        from before exports had weights, or calibration images for formats that take none.
      RunError: a format cannot be made, or its logits are wrong.
    """
    formats = arguments.listed(formats)
    converter.check(formats)
    count = _calibrating(calibration_images, formats)
    arguments.check_run(run)
    folder = pathlib.Path(errors.require_path("version", version))
    found = exported.read(folder, run)
    apart.check_scored(run, found.task)
    made = converter.Conversion(
        folder=folder,
        child=found.child,
        params=found.params,
        labels=found.labels,
        calibration=cards.calibration_patches(found.task, count),
        split=found.task.selection.reporting_split,
        batches=cards.reporting_images(found.task),
        licence=found.licence,
    )
    show = console.or_silent(show)
    report = converter.write(made, formats, show)
    for line in measure.table(report).splitlines():
        show(line)
    return report


def _calibrating(images: int | None, formats: Sequence[str]) -> int:
    """How many images int8 takes its ranges from."""
    if images is None:
        return cards.CALIBRATION_IMAGES
    if "int8" not in formats:
        raise errors.UsageError(
            f"calibration_images is {errors.shown(images)}, which only int8 reads; the formats are "
            f"{', '.join(formats)}"
        )
    return plain.whole("calibration_images", images, 1, config_lib.MOST_BATCH)


def warn_of_pins(made: Iterable[pathlib.Path], show: Show | None) -> None:
    """Warns of new versions that servers do not take, because they are told to keep another."""
    console.warn(console.or_silent(show), filter(None, map(serving_configs.held_back, made)))


def verify(
    version: str | os.PathLike[str], *, show: Show | None = console.print_line
) -> list[Outcome]:
    """Runs an export through every runtime that is installed, on the images that are in it.

    Args:
      version: folder of the version.
      show: takes the lines of a table, each as soon as it is known; None for silence.

    Returns:
      An outcome for each runtime; those that are not installed were `skipped`.

    Raises:
      UsageError: the folder is not that of an export.
    """
    show = console.or_silent(show)
    outcomes: list[Outcome] = []
    for outcome in trials.check(pathlib.Path(errors.require_path("version", version))):
        if not outcomes:
            show(runtimes.HEADER)
        show(outcome.line())
        outcomes.append(outcome)
    return outcomes


def class_names(
    data: DataConfig, labels: Sequence[str] | str | os.PathLike[str] | None
) -> Sequence[str]:
    """The names of the classes, as given or from the data set.

    Raises:
      UsageError: their number is not that of the classes, or one of them is no text.
    """
    if labels is None:
        return sources.class_names(data)
    if isinstance(labels, str | os.PathLike):
        given = f"labels: {os.fspath(labels)}"
        content = files.read_json(labels)
    else:
        given, content = "labels", labels
    names = Value(content, given).texts()
    if len(names) != data.num_classes:
        raise errors.UsageError(
            f"{given} has {len(names)} names; the run has {data.num_classes} classes"
        )
    return names


def _servables(
    run: Run,
    task: BigNASConfig,
    children: Mapping[str, Architecture],
    names: Sequence[str],
    licence: str,
    show: Show,
    converted: Mapping[Architecture, Mapping[str, Any]] = types.MappingProxyType({}),
) -> Iterator[tuple[str, Servable]]:
    """Calibrates, scores and slices children, one after the other."""
    net, evaluator = run.supernet, evaluators.evaluator_of(run, task)
    data, selection = task.train_data, task.selection
    reporting = cards.reporting_images(task)
    patches, labels = cards.verified_images(reporting)
    centre = decode.evaluation_centre(data.crop)
    calibration = cards.calibration(task)
    costs = {each: net.cost_of(each) for each in children.values()}
    for name, architecture in children.items():
        statistics = evaluator.statistics(architecture)
        accuracy = evaluator.top1(architecture, statistics, reporting)
        logits, _ = next(evaluator.logits(architecture, statistics, [(patches, labels)]))
        model = sliced_graph.standalone(net, architecture, statistics)
        card = cards.card(run, task, architecture, costs[architecture], accuracy, licence)
        card["calibration"] = calibration
        if architecture in converted:
            card["converted"] = dict(converted[architecture])
        show(
            f"{name or 'child'}: calibrated, top-1 {accuracy} on "
            f"{selection.reporting_split}; writing and verifying it"
        )
        yield name, Servable(model, card, patches.numpy(), logits, names, centre)
