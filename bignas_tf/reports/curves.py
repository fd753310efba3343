"""Reads the learning curves of a run: accuracies of children, and losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bignas_tf import files
from bignas_tf.training import curve_file

# By a child's name: steps, and a value for each.
Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]
_LOSSES = ("smallest", "biggest")
_MOST_POINTS = 2000  # of a curve


def accuracies(path: str) -> Curves:
    """Returns top-1 of the children evaluated during training; empty if there is no such file.

    Raises:
      UsageError: the file is damaged.
    """
    curves: dict[str, tuple[list[int], list[float]]] = {}
    for step, top1 in curve_file.read(path):
        for name, value in top1.items():
            steps, values = curves.setdefault(name, ([], []))
            steps.append(step)
            values.append(value)
    return curves


def losses(folder: str) -> Curves:
    """Losses of the smallest and the biggest child, from TensorBoard's files.

    They are thinned out if there are many; empty if there are no such files.
    """
    if not files.below(folder):
        return {}
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.util import tensor_util

    guidance = {event_accumulator.TENSORS: _MOST_POINTS}
    events = event_accumulator.EventAccumulator(folder, guidance).Reload()
    curves = {}
    for name in _LOSSES:
        if f"loss_{name}" in events.Tags()["tensors"]:
            # A run that was killed repeats steps it has written before; the later ones count.
            # The names of files do not say which those are: within a second, 10 goes before 9.
            points = sorted(events.Tensors(f"loss_{name}"), key=lambda point: point.wall_time)
            last = {p.step: float(tensor_util.make_ndarray(p.tensor_proto)) for p in points}
            steps = sorted(last)
            curves[name] = (steps, [last[step] for step in steps])
    return curves
