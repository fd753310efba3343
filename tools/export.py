"""Slices, calibrates and exports one child as a verified SavedModel.

  python -m tools.export --model_dir=runs/fashion_mnist \\
      --architecture=runs/fashion_mnist/search/child_2.json --output_dir=runs/fashion_mnist/export

Writes <output_dir>/<version>/, ready for TF Serving. Signature
'serving_default': uint8 images [N, S, S, C] to logits and probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from tools.cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_ARCHITECTURE = flags.DEFINE_string(
    "architecture", None, "JSON file of the child, or 'smallest' or 'biggest'.", required=True
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Base folder of versions.", required=True)
_VERIFIED_IMAGES = 64


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    import importlib.metadata

    from bignas_tf.export import saved_model
    from bignas_tf.modeling import slicing
    from bignas_tf.selection import runner, splits
    from bignas_tf.training import checkpoints

    run = checkpoints.load_run(_MODEL_DIR.value)
    architecture = run.space.named(_ARCHITECTURE.value)
    task, net = run.config.task, run.supernet
    selection = task.selection
    evaluator = runner.build_evaluator(net, task.train_data, selection)
    statistics = evaluator.statistics(architecture)
    reporting = splits.open_split(task.train_data, selection.reporting_split, selection.batch_size)
    top1, images = evaluator.top1(architecture, statistics, reporting)
    proof = [
        (patches[:_VERIFIED_IMAGES], labels[:_VERIFIED_IMAGES])
        for patches, labels in reporting.take(1)
    ]
    logits, _ = next(evaluator.logits(architecture, statistics, proof))
    counted = net.cost_of(architecture)
    card = {
        "architecture": architecture.to_json(),
        **counted._asdict(),
        "accuracy": {"split": selection.reporting_split, "top1": top1, "images": images},
        "calibration": {
            "split": selection.calibration_split,
            "images": selection.calibration_images,
        },
        "source": run.source,
        "tensorflow": importlib.metadata.version("tensorflow"),
    }
    child = slicing.sliced_child(net, architecture, statistics)
    print(saved_model.export(child, card, _OUTPUT_DIR.value, proof[0][0].numpy(), logits))


if __name__ == "__main__":
    launch(main)
