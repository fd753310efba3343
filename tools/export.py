"""Slices, calibrates and exports children as verified SavedModels for TensorFlow Serving.

  python -m tools.export --model_dir=runs/fashion_mnist \\
      --architecture=runs/fashion_mnist/search/child_2.json --output_dir=runs/fashion_mnist/export
  python -m tools.export --model_dir=runs/fashion_mnist \\
      --search_dir=runs/fashion_mnist/search --output_dir=runs/fashion_mnist/family

One child becomes <output_dir>/<version>/; the selected children of a search become
<output_dir>/child_<budget>/<version>/ each. models.config lists them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from .cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child, 'smallest', 'biggest', or a published child's name.",
)
_SEARCH_DIR = flags.DEFINE_string(
    "search_dir", None, "Folder of a search whose selected children are all exported."
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Base folder of versions.", required=True)
_LABELS = flags.DEFINE_string(
    "labels", None, "JSON list of the classes' names; by default the data set's own."
)
_LICENCE = flags.DEFINE_string("licence", "", "Of the model, for its card.")
flags.mark_flags_as_mutual_exclusive(["architecture", "search_dir"], required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from bignas_tf import files
    from bignas_tf.export import runtimes, saved_model
    from bignas_tf.search_space import presets
    from bignas_tf.training import checkpoints

    run = checkpoints.load_run(_MODEL_DIR.value)
    chosen = {"": _ARCHITECTURE.value} if _SEARCH_DIR.value is None else _selected()
    children = {name: presets.child(run.space, child) for name, child in chosen.items()}
    names = _names(run.config.task.train_data)
    # Before the work, for mistakes that would show only after it.
    files.ensure_writable(_OUTPUT_DIR.value)
    servables = _servables(run, children, names)
    if _SEARCH_DIR.value is None:
        ((_, servable),) = servables
        print(saved_model.export(servable, _OUTPUT_DIR.value, runtimes.MANDATORY))
        return
    for version in saved_model.export_family(servables, _OUTPUT_DIR.value, runtimes.MANDATORY):
        print(version)


def _selected() -> dict[str, str]:
    """The files of a search's selected children, by names for them."""
    from bignas_tf.selection import result

    from .reports import checks

    folder, found = _SEARCH_DIR.value, result.read(_SEARCH_DIR.value)
    with checks.written_by("tools.search", f"{folder}/{result.FILE}"):
        paths = [result.child_file(folder, str(each["name"])) for each in found["selected"]]
    return {path.stem: str(path) for path in paths}


def _servables(
    run: Any, children: dict[str, Any], names: Sequence[str]
) -> Iterator[tuple[str, Any]]:
    """Calibrates, scores and slices children, one after the other."""
    from bignas_tf.data import decode
    from bignas_tf.export import saved_model
    from bignas_tf.modeling import slicing
    from bignas_tf.selection import splits

    from . import exporting

    task, net, evaluator = run.config.task, run.supernet, exporting.evaluator(run)
    data, selection = task.train_data, task.selection
    reporting = splits.open_split(data, selection.reporting_split, selection.batch_size)
    patches, labels = exporting.verified_images(reporting)
    centre = decode.evaluation_centre(data.crop)
    # Full batches alone are taken, so it may be fewer than the configuration says.
    images = splits.calibration_batches(data, selection).images
    calibration = {"split": selection.calibration_split, "images": images}
    for name, architecture in children.items():
        statistics = evaluator.statistics(architecture)
        score = evaluator.top1(architecture, statistics, reporting)
        logits, _ = next(evaluator.logits(architecture, statistics, [(patches, labels)]))
        child = slicing.sliced_child(net, architecture, statistics)
        cost = net.cost_of(architecture)
        card = exporting.card(run, task, architecture, cost, score, _LICENCE.value)
        card["calibration"] = calibration
        yield name, saved_model.Servable(child, card, patches.numpy(), logits, names, centre)


def _names(data: Any) -> list[str]:
    """The names of the classes, from --labels or the data set."""
    from bignas_tf import errors, files
    from bignas_tf.data import sources

    if _LABELS.value is None:
        return sources.class_names(data)
    names = files.read_json(_LABELS.value)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise errors.UsageError(f"--labels: {_LABELS.value} is not a JSON list of strings")
    if len(names) != data.num_classes:
        raise errors.UsageError(
            f"--labels: {_LABELS.value} has {len(names)} names; the run has {data.num_classes} "
            "classes"
        )
    return names


if __name__ == "__main__":
    launch(main)
