"""Whether two models mean the same by the numbers of their classes.

Names count, where both have them: as many classes may be others, or in another order.
"""

from __future__ import annotations

from collections.abc import Sequence

from bignas_tf import errors
from bignas_tf.data import identity, sources
from bignas_tf.data.config import DataConfig
from bignas_tf.image_files import is_folder_of

_UNKNOWN = (
    "whether the images of task.train_data have the classes that the run has learnt, in the same "
    "order, is not known: they have numbers alone"
)


def of(data: DataConfig) -> list[str]:
    """The names in a data set; none if it has only numbers, or is no longer there."""
    try:
        return telling(sources.class_names(data))
    except errors.UsageError:
        return []


def telling(names: Sequence[str]) -> list[str]:
    """Names that say what the classes are; none if they are their numbers, as in "07"."""
    numbers = all(name.isdecimal() and int(name) == number for number, name in enumerate(names))
    return [] if numbers else list(names)


def difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """How the first class that differs is called here and there; "" if none does."""
    pairs = enumerate(zip(ours, theirs, strict=False))  # without names there are no pairs
    different = (
        (label, *pair)
        for label, pair in pairs
        if not (is_folder_of(*pair) or is_folder_of(*reversed(pair)))
    )
    for label, one, other in different:
        return f"class {label} is {errors.shown(one)} here, {errors.shown(other)} there"
    return ""


def check_scored(learnt: DataConfig, scored: DataConfig) -> list[str]:
    """Checks that images have the classes that a child answers with.

    Args:
      learnt: names the images that its run learnt from.
      scored: names those that it is scored on, by whose labels its exports answer.

    Returns:
      A warning, if those that are scored have no names to compare.

    Raises:
      UsageError: they are other classes, or in another order.
    """
    if identity.same_data_set(learnt, scored):
        return []
    ours, theirs = of(scored), of(learnt)
    if found := difference(ours, theirs):
        raise errors.UsageError(
            f"task.train_data has not the classes that the run has learnt: {found}; name images of "
            "the same classes in the same order, or score an export on them, which finds classes "
            "by their names (Classifier.score, tools.evaluate with --export_dir)"
        )
    return [_UNKNOWN] if theirs and not ours else []
