"""One sandwich step, gradients only: against its children alone, and slices against masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.training import children, losses, sandwich

from . import cases, harness

_STEP = 1  # always the same step, which always draws the same random children
_SEED = 0
_FURTHER_STEPS = 10
_TRACE_S = 60.0
_LEAST_AGAINST_STATIC = 1 / 1.15
_LEAST_AGAINST_MASKS = 1.6


def measure(settings: harness.Settings) -> list[harness.Row]:
    """The paper's space against static children, the small one against masks."""
    return [
        *_against_static(cases.PAPER.given(settings), settings.repeats),
        *_against_masks(cases.SMALL.given(settings), settings.repeats),
    ]


def _against_static(case: cases.Case, repeats: int) -> list[harness.Row]:
    children = _children(case)
    ours = SandwichSteps(case, "slice")
    runs = [_static_step(case, child) for child in children]

    def static() -> None:
        for run in runs:
            run()

    first = [[harness.once(ours)], [harness.once(static)]]
    samples = harness.alternate([ours, static], repeats)
    for step in range(_STEP + 1, _STEP + 1 + _FURTHER_STEPS):
        ours(step)
    name, reference = f"{case.search_space}, batch {case.batch_size}", "static Keras children"
    millions = [harness.figure(macs / 1e6) for macs in multiply_adds(case)]
    note = (
        f"{name}: children of {', '.join(millions)}M multiply-adds; forward, "
        "loss and gradients of all in one step, or of each alone"
    )
    return [
        harness.Row(
            f"sandwich step, {name}", "s", samples, reference,
            least_ratio=_LEAST_AGAINST_STATIC, note=note,
        ),
        harness.Row(
            f"trace and first step, {name}", "s", first, reference, bound=_TRACE_S
        ),
        harness.Row(f"traces, {_FURTHER_STEPS} steps later", "traces", [[ours.traces]], bound=1),
    ]  # fmt: skip


def _against_masks(case: cases.Case, repeats: int) -> list[harness.Row]:
    """Against masks as we run them, and against masks for every child, as the paper has it."""
    sides = [
        SandwichSteps(case, "slice"),
        SandwichSteps(case, "mask"),
        SandwichSteps(case, "mask", static=False),
    ]
    ours, masks, all_masks = harness.milliseconds(harness.alternate(sides, repeats))
    name = f"sandwich step, {case.search_space}, batch {case.batch_size}"
    return [
        harness.Row(name, "ms", [ours, masks], "masks for random children"),
        harness.Row(
            name, "ms", [ours, all_masks], "masks for all", least_ratio=_LEAST_AGAINST_MASKS
        ),
    ]


class _Coded:
    """A supernet that runs the biggest and the smallest child by their codes, as random ones."""

    def __init__(self, supernet: Supernet) -> None:
        self._supernet, self.execution = supernet, supernet.execution
        self.space, self.trainable_variables = supernet.space, supernet.trainable_variables

    def __call__(
        self, images: tf.Tensor, choice: Architecture | tf.Tensor, **how: object
    ) -> tf.Tensor:
        if isinstance(choice, Architecture):
            choice = tf.constant(self.space.encode(choice))
        return self._supernet(images, choice, **how)


class SandwichSteps:
    """A traced sandwich step; call it with the step's number.

    Args:
      case: what is run.
      execution: of the random children.
      static: run the biggest and the smallest child as static slices, as training does;
        else as the random ones.
    """

    def __init__(self, case: cases.Case, execution: str, static: bool = True) -> None:
        supernet: Any = case.supernet(execution)
        if not static:
            supernet = _Coded(supernet)
        config = case.config(execution).replace(seed=_SEED)
        self._batch = case.images(case.batch_size)

        def run(patches: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> list[tf.Tensor]:
            return sandwich.compute_gradients(
                supernet, patches=patches, labels=labels, step=step, config=config
            ).gradients

        self._run = tf.function(tf.autograph.experimental.do_not_convert(run))

    @property
    def traces(self) -> int:
        return self._run.experimental_get_tracing_count()

    def __call__(self, step: int = _STEP) -> None:
        _wait(self._run(*self._batch, tf.constant(step, tf.int64)))


def _children(case: cases.Case) -> list[Architecture]:
    """The children that `_STEP` runs, the random ones decoded."""
    space, config = presets.get(case.search_space), case.config().sandwich
    drawn = children.children(space, config, tf.constant(_STEP, tf.int64), _SEED)
    return [
        each.choice if isinstance(each.choice, Architecture) else space.decode(each.choice.numpy())
        for each in drawn
    ]


def multiply_adds(case: cases.Case) -> list[int]:
    """Of each child that `_STEP` runs, for one image."""
    space = presets.get(case.search_space)
    return [cost.count(space, each, case.classes, case.channels).macs for each in _children(case)]


def _static_step(case: cases.Case, architecture: Architecture) -> Callable[[], None]:
    """One child of stock layers, trained on labels at its resolution."""
    space = presets.get(case.search_space)
    model = child_lib.build_child(space, architecture, case.classes, case.channels)
    batch = case.images(case.batch_size)

    def run(patches: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        images = resize.resize_patches(patches, architecture.resolution)
        with tf.GradientTape() as tape:
            loss = losses.supervised(labels, model(images, training=True), 0.0)
        return tape.gradient(loss, model.trainable_variables)

    traced = tf.function(tf.autograph.experimental.do_not_convert(run))
    return lambda: _wait(traced(*batch))


def _wait(gradients: list[tf.Tensor]) -> None:
    """Fetches a value, which waits for devices that are still working after a call returned."""
    gradients[-1].numpy()
