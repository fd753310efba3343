"""The folder of a run, known by a file in it; no TensorFlow, which takes seconds to import."""

from __future__ import annotations

import os

from bignas_tf import errors, files

PARAMS_FILE = "params.yaml"  # the configuration that the run was last trained with
SPACE_FILE = "search_space.yaml"  # its search space, which is written first
ALONE_FILE = "alone.json"  # the child that is trained alone, if one is
CHECKPOINTS_FILE = "checkpoint"  # TensorFlow's list of them, under TensorFlow's name


def is_run(folder: str) -> bool:
    """Whether a folder, which may be remote, is that of a run.

    Raises:
      UsageError: it may not be read, or its bucket cannot be reached.
    """
    return files.is_file(os.path.join(folder, PARAMS_FILE))


def check(model_dir: str) -> None:
    """Checks that a folder, which may be remote, is that of a run.

    Raises:
      UsageError: it is not, or its bucket cannot be reached.
    """
    if not is_run(model_dir):
        raise errors.UsageError(
            f"{model_dir} is not the folder of a training run: no {PARAMS_FILE}"
        )


def check_network(model_dir: str, network: str, what: str) -> None:
    """Refuses a run of a network that a user has written.

    Args:
      model_dir: folder of the run.
      network: the run's `task.model.network`.
      what: needs the project's own network, such as "fine-tuning".

    Raises:
      UsageError: it is one.
    """
    if network:
        raise errors.UsageError(
            f"{what} needs the project's own network; {model_dir} was trained with "
            f"task.model.network={network}"
        )


def refuse(output_dir: str | os.PathLike[str]) -> None:
    """Refuses the folder of a run where results need one of their own.

    Raises:
      UsageError: it is one.
    """
    name = os.fspath(output_dir)
    if is_run(name):
        raise errors.UsageError(
            f"output_dir={name} is the folder of a training run, whose files would be replaced; "
            f"name one in it, such as {os.path.join(name, 'search')}"
        )
