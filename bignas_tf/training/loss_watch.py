"""Warnings of a run that learns nothing, or unlearns what it knew, from its losses alone.

They do not stop it. A run that has diverged may recover as the learning rate falls, and one that
learns slowly may be what its user wants to see; only the user can tell. `Progress` stops what
cannot recover: losses and weights that are not finite.
"""

from __future__ import annotations

import math
import os
import statistics
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping

import numpy as np
from official.core import config_definitions as cfg

from bignas_tf import commands, run_folder
from bignas_tf.training import children, listing
from bignas_tf.training.configs import BigNASConfig

CALMER = "lower the learning rate or lengthen the warm-up"
# A loop's mean loss is noisy; the median of a few is not moved by one or two bad loops.
_LOOPS = 5
_LEARNT = 0.8  # of chance: a loss below it was surely learnt
_BARELY = 0.98  # of chance: what noise makes of it
_FEWEST_STEPS = 100  # before them nothing can be expected
_EARLY = 0.1  # of all steps: when a run that has not begun to learn is worth a warning
_BEATEN = 0.9  # of the biggest child's loss


class LossWatch:
    """Compares a run's losses with chance and with what it had reached.

    Chance is the least cross-entropy without a look at the image: the entropy of the labels, or
    ln(classes) where they are not known. The first child of the step, the biggest if it is
    trained, is watched, unless its loss is not a cross-entropy (AlphaNet's divergence from a
    teacher of the user's own). The losses of a run that resumes are those since then.

    Args:
      config: of the run.
      model_dir: its folder.
      shares: of the classes among the training images, float64 [classes]; None if not known.
    """

    def __init__(
        self, config: cfg.ExperimentConfig, model_dir: str, shares: np.ndarray | None = None
    ) -> None:
        self._task: BigNASConfig = config.task
        self._total = config.trainer.train_steps
        self._model_dir = model_dir
        self._role = children.roles(self._task.sandwich)[0]
        self._classes = self._task.train_data.num_classes
        self._known = shares is not None
        self._chance = math.log(self._classes)
        if shares is not None:
            self._chance = _entropy(shares, self._task.regularisation.label_smoothing)
        taught = _diverges(self._task) and bool(self._task.distillation.teacher)
        self._watched = self._chance > 0 and not taught
        self._recent: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_LOOPS))
        self._best = (math.inf, 0)  # the lowest median, and its step
        self._good_step = self._steps = 0
        self._warned_early = self._collapsed = False

    def after_loop(self, step: int, steps: int, losses: Mapping[str, float]) -> Iterator[str]:
        """Takes the mean losses of a loop.

        Args:
          step: the global step after it.
          steps: that it took.
          losses: by kind of child.

        Yields:
          A warning, if there is a new one.
        """
        for role, loss in losses.items():
            self._recent[role].append(loss)
        self._steps += steps
        if not self._watched:
            return
        if losses[self._role] <= _LEARNT * self._chance:
            self._good_step = step
        if len(self._recent[self._role]) == _LOOPS:
            self._best = min(self._best, (self._median(self._role), step))
            yield from self._collapse(step)
        yield from self._slow_start(step)

    def at_end(self) -> Iterator[str]:
        """Yields warnings of a run that has ended; none if it had fewer than 100 steps."""
        if self._steps < _FEWEST_STEPS:
            return
        if not self._chance:
            yield "nothing was learnt: all training images are of one class"
        if self._watched and self._guesses(self._median(self._role)):
            best, step = self._best
            was = "nothing was learnt"
            if not self._guesses(best):
                was = f"what was learnt (a loss of {best:.3f} at step {step}) is lost again"
            yield (
                f"{was}: the loss {self._of_child()} ended at {self._median(self._role):.3f}, and "
                f"guessing gives {self._guessing()}; look at images and labels, {CALMER}"
            )
        yield from self._reversed_order()

    def _collapse(self, step: int) -> Iterator[str]:
        """Warns once for each time that a loss which had been learnt is back at chance."""
        now, (best, best_step) = self._median(self._role), self._best
        if now <= _LEARNT * self._chance:
            self._collapsed = False
        if self._collapsed or not self._guesses(now) or best > _LEARNT * self._chance:
            return
        self._collapsed = True
        listed = os.path.join(self._model_dir, run_folder.CHECKPOINTS_FILE)
        yield (
            f"the loss {self._of_child()} was {best:.3f} at step {best_step} and is {now:.3f} at "
            f"step {step}, no better than guessing ({self._guessing()}); last good checkpoint: "
            f"{self._good_checkpoint()}; training continues because it may recover: to go back, "
            f"stop it, name that checkpoint in {listed} and {CALMER}"
        )

    def _slow_start(self, step: int) -> Iterator[str]:
        """Warns once of a run that has not begun to learn after a tenth of its steps."""
        if self._warned_early or self._steps < max(_FEWEST_STEPS, _EARLY * self._total):
            return
        recent = self._recent[self._role]
        learns = not (self._guesses(self._median(self._role)) and self._guesses(self._best[0]))
        hopeless = not learns and self._guesses(recent[-1])  # else the next loop will tell
        self._warned_early = learns or hopeless
        if hopeless:
            yield (
                f"nothing has been learnt so far: the loss {self._of_child()} is {recent[-1]:.3f} "
                f"at step {step}, and guessing gives {self._guessing()}; if it stays there, look "
                f"at images and labels, {CALMER}"
            )

    def _reversed_order(self) -> Iterator[str]:
        """Warns of a smallest child that beats the biggest, where their losses compare.

        A cross-entropy with soft labels is at least their entropy, which for a teacher that fits
        its labels is the teacher's own loss.
        """
        if not {children.BIGGEST, children.SMALLEST} <= set(self._recent) or _diverges(self._task):
            return
        small, big = self._median(children.SMALLEST), self._median(children.BIGGEST)
        if small < _BEATEN * big:
            yield (
                f"the smallest child ended with a lower loss ({small:.3f}) than the biggest "
                f"({big:.3f}): the biggest one learns badly or not at all; {CALMER}, and "
                f"see what `{commands.spelling('judge')}` says"
            )

    def _guesses(self, loss: float) -> bool:
        return loss >= _BARELY * self._chance

    def _median(self, role: str) -> float:
        return statistics.median(self._recent[role])

    def _of_child(self) -> str:
        kinds = {children.ALONE: "of the child", children.RANDOM: "of random children"}
        return kinds.get(self._role, f"of the {self._role} child")

    def _guessing(self) -> str:
        if self._known:
            return f"{self._chance:.3f}, the entropy of the labels"
        return f"{self._chance:.3f}, the logarithm of {self._classes} classes"

    def _good_checkpoint(self) -> str:
        steps = [step for step in listing.saved_steps(self._model_dir) if step <= self._good_step]
        if not steps:
            return "none is kept (trainer.max_to_keep keeps more)"
        return os.path.join(self._model_dir, f"ckpt-{steps[-1]}")


def _entropy(shares: np.ndarray, smoothing: float) -> float:
    """The entropy of labels, some of whose weight is moved to all classes evenly."""
    smoothed = shares * (1 - smoothing) + smoothing / len(shares)
    return float(-sum(share * math.log(share) for share in smoothed if share))


def _diverges(task: BigNASConfig) -> bool:
    """Whether children learn by a divergence, whose value is not a cross-entropy."""
    return bool(task.distillation.weight) and task.distillation.divergence == "alpha"
