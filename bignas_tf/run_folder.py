"""The folder of a run, known by a file in it; no TensorFlow, which takes seconds to import."""

from __future__ import annotations

import os

from bignas_tf import errors, files

PARAMS_FILE = "params.yaml"  # the configuration that the run was last trained with
SPACE_FILE = "search_space.yaml"  # its search space, which is written first
CHECKPOINTS_FILE = "checkpoint"  # TensorFlow's list of them, under TensorFlow's name


def check(model_dir: str) -> None:
    """Checks that a folder, which may be remote, is that of a run.

    Raises:
      UsageError: it is not, or its bucket cannot be reached.
    """
    if not files.is_file(os.path.join(model_dir, PARAMS_FILE)):
        raise errors.UsageError(
            f"{model_dir} is not the folder of a training run: no {PARAMS_FILE}"
        )


def refuse(folder: str | os.PathLike[str], argument: str) -> None:
    """Refuses the folder of a run where results need one of their own.

    Raises:
      UsageError: it is one.
    """
    name = os.fspath(folder)
    if files.is_file(os.path.join(name, PARAMS_FILE)):
        raise errors.UsageError(
            f"{argument}={name} is the folder of a training run, whose files would be replaced; "
            f"name one in it, such as {os.path.join(name, 'search')}"
        )
