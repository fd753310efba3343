"""Scores a child or an export; prints a JSON line: top1, images, error, a child's macs and params.

  python -m tools.evaluate --model_dir=runs/fashion_mnist --architecture=child_2.json
  python -m tools.evaluate --export_dir=EXPORT/1 --images=new_photos

The first calibrates a child of a run, and scores it on a split of the run's images. The second
scores an export on a folder, new_photos/<class>/*.jpg (or *.png); it does not know whether the
export has learnt from those images.

With --confusion=FILE.csv the classes that are recognised least are shown, too (on stderr), and the
file has how often each class was taken for which.
"""

from __future__ import annotations

import json

from absl import flags

import bignas_tf as bignas
from bignas_tf import files

from . import runs
from .cli import launch, to_stderr

runs.define_flags(required=False)
_ARCHITECTURE = runs.define_architecture()
_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Folder of one exported version.")
_FOLDER = flags.DEFINE_string("images", None, "Folder of class folders, for --export_dir.")
_SPLIT = flags.DEFINE_string("split", "", "Images to score on; the reporting split by default.")
_CONFUSION = flags.DEFINE_string("confusion", "", "CSV file of true classes by answers.")
_TPU = runs.define_tpu()
flags.mark_flags_as_mutual_exclusive(["model_dir", "export_dir"], required=True)
_OF_A_RUN = ("architecture", "data_dir", "split", "tpu")


@flags.multi_flags_validator(
    ["model_dir", "architecture"], message="--model_dir needs --architecture"
)
def _names_a_child(values: dict[str, str | None]) -> bool:
    return values["model_dir"] is None or values["architecture"] is not None


@flags.multi_flags_validator(
    ["export_dir", "images", *_OF_A_RUN],
    message="--images goes with --export_dir, which needs it and takes no flag of a run",
)
def _goes_together(values: dict[str, str | None]) -> bool:
    of_run = any(flags.FLAGS[name].present for name in _OF_A_RUN)
    exported = values["export_dir"] is not None
    return exported == (values["images"] is not None) and not (exported and of_run)


def main() -> None:
    if _CONFUSION.value:
        files.make_place(_CONFUSION.value, "--confusion")
    (_score_export if _EXPORT_DIR.value is not None else _score_child)()


def _score_export() -> None:
    found = bignas.Classifier(_EXPORT_DIR.value).score(_FOLDER.value, show=to_stderr)
    _tell({}, found.accuracy, found)


def _score_child() -> None:
    table = _CONFUSION.value
    run = runs.load(bignas.evaluation_strategy(tpu=_TPU.value))
    cost = bignas.cost(run, _ARCHITECTURE.value)  # before the work: a user's network may not say
    asked = run, _ARCHITECTURE.value, _SPLIT.value
    found = bignas.confusion(*asked, show=to_stderr) if table else None
    accuracy = found.accuracy if found else bignas.evaluate(*asked, show=to_stderr)
    _tell({"macs": cost.macs, "params": cost.params}, accuracy, found)


def _tell(
    costs: dict[str, int], accuracy: bignas.Accuracy, confusion: bignas.Confusion | None
) -> None:
    """Prints the result, and writes the table that was asked for."""
    print(json.dumps({**costs, **accuracy.to_json(), "error": accuracy.error}), flush=True)
    if confusion and _CONFUSION.value:
        for line in confusion.lines():
            to_stderr(line)
        confusion.save(_CONFUSION.value)


if __name__ == "__main__":
    launch(main)
