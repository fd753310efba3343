"""Figures of children that were not measured, predicted from those that were.

A Gaussian process, of scikit-learn. Beside ridge regression, support vectors, boosted trees and
random forests it had the highest Kendall's tau on the candidates of two searches, or close to it,
from 40 children on, and it says how sure it is.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import RESOLUTION, SearchSpace

_FOLDS = 5
_FEWEST = 2 * _FOLDS  # children, below which nothing is said of others
# Digits of predictions: the next ones depend on how many threads a matrix product has.
_DECIMALS = 6


def features(
    space: SearchSpace, children: Sequence[Architecture], costs: Sequence[Mapping[str, float]]
) -> np.ndarray:
    """What a predictor sees of children.

    Args:
      space: what they belong to.
      children: at least one.
      costs: counted ones, the same of each child.

    Returns:
      float64 [children, features]: each choice from 0 (the least) to 1 (the most), the resolution
      one-hot besides, because accuracy need not rise with it, and the logarithms of the costs.
    """
    codes = np.stack([space.encode(child) for child in children]).astype(np.float64)
    least, most = (np.array([pick(each) for each in space.genes]) for pick in (min, max))
    free = most > least
    choices = (codes - least)[:, free] / (most - least)[free]
    sides = codes[:, [RESOLUTION]] == np.array(space.eval_resolutions)
    priced = [np.log([each[name] for each in costs]) for name in costs[0]]
    return np.column_stack([choices, sides, *priced])


class Predictor:
    """A Gaussian process, fitted: the same figures give the same predictions.

    Args:
      seen: what is known of children, from `features`, float64 [n, features].
      values: a figure of each, float64 [n].
    """

    def __init__(self, seen: np.ndarray, values: np.ndarray) -> None:
        from sklearn.gaussian_process import kernels  # slow import: only this strategy needs it

        self._centre, self._width = seen.mean(0), _widths(seen)
        self._mean, self._deviation = values.mean(), values.std() if np.ptp(values) else 1.0
        self._seen, self._values = self._scaled(seen), (values - self._mean) / self._deviation
        similarity = kernels.ConstantKernel() * kernels.RBF(5.0, (0.1, 1e3))
        kernel = similarity + kernels.WhiteKernel(0.1, (1e-4, 10.0))
        self._process = _fitted(kernel, self._seen, self._values)

    def predict(self, unseen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and standard deviations, float64 [n] each.

        The deviations are those of the figure itself, without the noise of measuring it.
        """
        with _calmly():
            mean, deviation = self._process.predict(self._scaled(unseen), return_std=True)
        noise = self._process.kernel_.k2.noise_level
        own = np.sqrt(np.maximum(np.square(deviation) - noise, 0.0))
        scaled = self._mean + self._deviation * mean, self._deviation * own
        return scaled[0].round(_DECIMALS), scaled[1].round(_DECIMALS)

    def unseen_tau(self) -> float | None:
        """Kendall's tau of what is predicted for children left out, a fifth at a time.

        Only the kernel, three numbers, is that of all children.

        Returns:
          From -1, the wrong order, through 0, no better than chance, to 1, the right order. None if
          there are too few children, or they are all alike.
        """
        from scipy import stats  # slow import; it comes with scikit-learn

        if len(self._values) < _FEWEST:
            return None
        predicted = np.empty_like(self._values)
        for fold in range(_FOLDS):
            unseen = np.arange(len(predicted)) % _FOLDS == fold
            rest = self._seen[~unseen], self._values[~unseen]
            others = _fitted(self._process.kernel_, *rest, optimizer=None)
            with _calmly():
                predicted[unseen] = others.predict(self._seen[unseen])
        tau = stats.kendalltau(predicted.round(_DECIMALS), self._values).statistic
        return None if np.isnan(tau) else float(tau)

    def suppose(self, unseen: np.ndarray) -> None:
        """Takes its own predictions for measured, so that children alike become less uncertain."""
        scaled = self._scaled(unseen)
        with _calmly():
            values = self._process.predict(scaled)
        self._seen = np.concatenate([self._seen, scaled])
        self._values = np.concatenate([self._values, values])
        self._process = _fitted(self._process.kernel_, self._seen, self._values, optimizer=None)

    def _scaled(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self._centre) / self._width


def _widths(rows: np.ndarray) -> np.ndarray:
    # Rounding gives equal numbers a deviation.
    return np.where(np.ptp(rows, axis=0) > 0, rows.std(0), 1.0)


def _fitted(
    kernel: Any, rows: np.ndarray, values: np.ndarray, optimizer: str | None = "fmin_l_bfgs_b"
) -> Any:
    from sklearn import gaussian_process

    process = gaussian_process.GaussianProcessRegressor(kernel, optimizer=optimizer)
    with _calmly():
        return process.fit(rows, values)


@contextlib.contextmanager
def _calmly() -> Iterator[None]:
    """On one thread, and without the warnings of scikit-learn that say nothing here.

    Small matrices take longer with more threads, most of all on a busy machine, and the last digit
    of a product depends on how many there are.
    """
    import threadpoolctl  # it comes with scikit-learn
    from sklearn import exceptions

    with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
        # A parameter at the end of its range is as good a choice as another, and a variance that
        # rounding made negative is 0.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        warnings.filterwarnings("ignore", "Predicted variances smaller than 0")
        yield
