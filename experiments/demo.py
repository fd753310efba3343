"""Makes the supernet that comes with the package, bignas_tf/demo.zip, from a run.

  python -m tools.train --experiment=bignas_small --config_file=experiments/fashion_mnist.yaml \\
      --params_override=trainer.train_steps=8000 --model_dir=runs/longer
  python -m experiments.demo --model_dir=runs/longer

Only what `bignas.load` needs is kept: the weights (their averages, if the run kept them) without
the optimiser, the search space and the configuration. Prints the file's SHA-256, which
bignas_tf/packaged.py must have as DEMO_SHA256.
"""

from __future__ import annotations

import copy
import hashlib
import io
import pathlib
import tempfile
import zipfile

from absl import flags

import bignas_tf as bignas
from bignas_tf import files, packaged
from bignas_tf.data.config import DataConfig
from bignas_tf.training import run_files
from tools.cli import launch

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the run.", required=True)
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it is made


def main() -> None:
    run = bignas.load(_MODEL_DIR.value)
    with tempfile.TemporaryDirectory() as folder:
        _write(run, pathlib.Path(folder))
        packed = _packed(pathlib.Path(folder))
    files.write_bytes(packaged.DEMO, packed)
    print(f"{packaged.DEMO}: {len(packed):,} bytes, {hashlib.sha256(packed).hexdigest()}")


def _write(run: bignas.Run, folder: pathlib.Path) -> None:
    """Writes the run's files as training would have, without the averages and the optimiser."""
    config = copy.deepcopy(run.config)
    config.task.train_data.tfds_data_dir = DataConfig().tfds_data_dir
    run_files.save(run.supernet, run.step, config, run.space, str(folder))


def _packed(folder: pathlib.Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(path.name, _LONG_AGO), path.read_bytes())
    return packed.getvalue()


if __name__ == "__main__":
    launch(main)
