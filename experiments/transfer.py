"""Do a child's weights help detection and segmentation? Against random ones of the same child.

  python -m experiments.scenes
  python -m tools.demo --model_dir=runs/demo
  python -m tools.export --model_dir=runs/demo --architecture=smallest \\
      --output_dir=runs/demo/smallest
  python -m experiments.transfer --export_dir=runs/demo/smallest/1 --seeds=3

Trains experiments/scenes_retinanet.yaml and experiments/scenes_deeplab.yaml with each, for equally
many steps on the same images in the same order. A seed also draws the decoder and the heads, equal
in both. Result: experiments/results/transfer.json; what is in it already is not trained again, and
what was trained otherwise (another child, other settings) is refused.
"""

from __future__ import annotations

import pathlib
import statistics
from typing import Any

from absl import flags

import bignas_tf as bignas
from bignas_tf import errors, files, strict_yaml
from bignas_tf.exports import trainable, versions
from experiments import journal
from tools.cli import launch

_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Version of the child.", required=True)
_SCENES = flags.DEFINE_string("scenes", "runs/data/scenes", "Folder of experiments.scenes.")
_TASKS = flags.DEFINE_multi_enum(
    "tasks", ["detection", "segmentation"], ["detection", "segmentation"], "Which; may be repeated."
)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Trainings of each kind.")
_RUNS = flags.DEFINE_string("runs", "runs/transfer", "Folder of the trainings.")
_OUTPUT = flags.DEFINE_string("output", "experiments/results/transfer.json", "Result file.")

# The experiment, its file, and the metric in which the two are compared.
TASKS = {
    "detection": ("retinanet_bignas", "experiments/scenes_retinanet.yaml", "AP"),
    "segmentation": ("semantic_segmentation_bignas", "experiments/scenes_deeplab.yaml", "mean_iou"),
}
WEIGHTS = ("child", "random")
SCENES = ("train", "validation")


def main() -> None:
    path = pathlib.Path(_OUTPUT.value)
    settings = {task: _setting(task) for task in _TASKS.value}
    found = files.read_json(path) if path.exists() else {}
    done, settings = found.get("runs", {}), _agreed(found.get("settings", {}), settings, path)
    for seed in range(_SEEDS.value):
        for task in _TASKS.value:
            for weights in WEIGHTS:
                name = f"{task}/{weights}/{seed}"
                if name not in done:
                    done[name] = _train(task, settings[task], weights, seed)
                    record = {"summary": summary(done), "settings": settings, "runs": done}
                    files.write_json(path, record)
                    print(name, done[name], flush=True)
    print(files.read_text(path))


def _setting(task: str) -> dict[str, Any]:
    """What its trainings have in common: the child, the images, and the configuration file."""
    version, scenes = pathlib.Path(_EXPORT_DIR.value), pathlib.Path(_SCENES.value)
    card = files.read_json(version / versions.CHILD_FILE)
    read = (version / trainable.WEIGHTS_FILE, *(scenes / f"{name}.tfrecord" for name in SCENES))
    for path in read:
        if not path.is_file():
            raise errors.UsageError(
                f"no file {path}; scenes are drawn by experiments.scenes, and exports are made by "
                "tools.export"
            )
    return {
        "child": card["architecture"],
        "macs": card["macs"],
        "configuration": strict_yaml.load(files.read_text(TASKS[task][1])),
        "sha256": {path.name: files.sha256(path) for path in read},
    }


def _agreed(
    recorded: dict[str, Any], settings: dict[str, Any], path: pathlib.Path
) -> dict[str, Any]:
    """Both together; refused where they differ."""
    for task, setting in settings.items():
        if recorded.get(task, setting) != setting:
            raise errors.UsageError(
                f"{path} has trainings of {task} on another child, other scenes or with another "
                "configuration; name another --output and other --runs"
            )
    return recorded | settings


def _train(task: str, setting: dict[str, Any], weights: str, seed: int) -> dict[str, float]:
    import tf_keras

    experiment, config_file, _ = TASKS[task]
    settings: dict[str, Any] = {
        "task.train_data.input_path": f"{_SCENES.value}/train.tfrecord",
        "task.validation_data.input_path": f"{_SCENES.value}/validation.tfrecord",
        "task.train_data.seed": seed,
        "task.model.backbone.bignas_child.export_dir": _EXPORT_DIR.value,
        "task.model.backbone.bignas_child.pretrained": "true" if weights == "child" else "false",
    }
    overrides = ",".join(f"{key}={value}" for key, value in settings.items())
    config = bignas.configure_garden(experiment, [config_file], overrides)
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    digest = journal.digest(setting)  # so that no other training is continued
    return bignas.train_garden(config, f"{_RUNS.value}/{task}_{weights}_{seed}_{digest}")


def summary(runs: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The mean and its standard error of each kind of training of which there are two or more."""
    found = {}
    for task, (_, _, metric) in TASKS.items():
        for weights in WEIGHTS:
            kind = f"{task}/{weights}"
            values = [each[metric] for name, each in runs.items() if name.startswith(f"{kind}/")]
            if len(values) > 1:
                error = statistics.stdev(values) / len(values) ** 0.5
                mean = statistics.fmean(values)
                found[kind] = {"metric": metric, "mean": mean, "error": error, "seeds": len(values)}
    return found


if __name__ == "__main__":
    launch(main)
