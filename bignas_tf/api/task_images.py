"""The task of a run with the images of one of its searches or exports."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

from bignas_tf import errors
from bignas_tf.data import config as data_config
from bignas_tf.data import sources
from bignas_tf.selection import config
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.result import SearchResult
from bignas_tf.training import class_names, field_types
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig


def of_search(run: Run, found: SearchResult, folder: str | os.PathLike[str]) -> BigNASConfig:
    """The run's task with the images that the search used.

    Raises:
      UsageError: it searched other weights, or its images are not known or gone, or of other
        classes.
    """
    if found.source.index_sha256 != run.index_sha256:
        raise errors.UsageError(
            f"{os.fspath(folder)} searched {found.source.checkpoint}; {run.model_dir} now holds "
            "another checkpoint: search again"
        )
    path = os.path.join(folder, result_lib.FILE)
    task = with_images(run, found.train_data, path, "search again in another folder")
    class_names.check_scored(run.config.task.train_data, task.train_data)
    try:
        task.selection.override({name: found.selection[name] for name in config.SEEN})
        config.validate(task.selection)
    except (KeyError, TypeError, ValueError) as error:
        raise errors.UsageError(
            f"{os.fspath(folder)}: search.json does not say which images it used "
            f"({errors.one_line(error)}); search again"
        ) from error
    return task


def with_images(
    run: Run, changes: Mapping[str, Any], path: str | os.PathLike[str], again: str
) -> BigNASConfig:
    """A copy of the run's task with the images of a search or an export.

    Args:
      run: whose task it is.
      changes: the fields of `task.train_data` that are not the run's own.
      path: of the file that has them, for messages.
      again: what to do if the images are gone for good.

    Raises:
      UsageError: the fields are no configuration, or name images that are not there.
    """
    task, path = copy.deepcopy(run.config.task), os.fspath(path)
    if changes:
        field_types.override(task.train_data, changes, path, "task.train_data.")
        try:
            data_config.validate(task.train_data)
            sources.opener(task.train_data)
        except errors.UsageError as error:
            raise errors.UsageError(
                f"{path} is of other images than the run's (task.train_data: {', '.join(changes)})"
                f", which cannot be opened ({error}); put them back, or {again}"
            ) from error
    return task
