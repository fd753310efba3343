"""What a run's losses say about it, by made-up losses of ten classes: guessing gives 2.303."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import pytest

from bignas_tf.data import inputs, sources
from bignas_tf.data.config import DataConfig
from bignas_tf.training.loss_watch import LossWatch
from tests.data import samples
from tests.training import runs

CHANCE = 2.3026
LEARNING = [2.4, 2.2, 1.9, 1.5, 1.2, 1.0, 0.9, 0.8, 0.7, 0.7]


def _watch(
    folder: pathlib.Path,
    overrides: str = "trainer.train_steps=1000",
    shares: Sequence[float] | None = None,
) -> LossWatch:
    known = None if shares is None else np.array(shares)
    return LossWatch(runs.parse(folder, overrides), str(folder), known)


def _fed(watch: LossWatch, biggest: Sequence[float], start: int = 0) -> dict[int, str]:
    """Warnings by step, of loops of 20 steps."""
    found = {}
    for loop, loss in enumerate(biggest, 1):
        step = start + 20 * loop
        for warning in watch.after_loop(step, 20, {"biggest": loss}):
            assert step not in found
            found[step] = warning
    return found


def test_a_run_that_learns_is_left_alone(tmp_path: pathlib.Path) -> None:
    watch = _watch(tmp_path)
    # Two bad loops in a row, at a tenth of the steps and at the end, are noise.
    assert _fed(watch, [*LEARNING, 5.0, 5.0, 0.7, 0.6, 0.6, 0.6, 9.0, 9.0]) == {}
    assert list(watch.at_end()) == []


def test_a_collapse_is_told_once_with_the_last_good_checkpoint(tmp_path: pathlib.Path) -> None:
    for step in (60, 160, 220):
        (tmp_path / f"ckpt-{step}.index").touch()
    watch = _watch(tmp_path)
    found = _fed(watch, [*LEARNING, *[2.6] * 10])
    # The third of five loops at 2.6 ends at step 260.
    (warning,) = [found.pop(260)]
    assert found == {}
    assert "the loss of the biggest child was 0.800 at step 200 and is 2.600 at step 260" in warning
    assert "(2.303, the logarithm of 10 classes)" in warning
    assert f"last good checkpoint: {tmp_path}/ckpt-160; training continues" in warning
    assert f"name that checkpoint in {tmp_path}/checkpoint and lower the learning rate" in warning
    # It recovers, and collapses again.
    again = _fed(watch, [*[0.7] * 5, *[CHANCE + 0.01] * 5], start=400)
    assert list(again) == [560]
    (lost,) = watch.at_end()
    assert lost.startswith("what was learnt (a loss of 0.700 at step ")
    assert "is lost again: the loss of the biggest child ended at 2.313" in lost


def test_a_collapse_to_just_below_chance_is_told(tmp_path: pathlib.Path) -> None:
    # 2.297 is 0.2% below chance: what noise makes of it.
    assert list(_fed(_watch(tmp_path), [*LEARNING, *[2.297] * 10])) == [260]


def test_of_unbalanced_labels_their_entropy_is_chance(tmp_path: pathlib.Path) -> None:
    # -0.9 ln 0.9 - 0.1 ln 0.1 = 0.325: far below ln 10, and yet nothing is learnt.
    unbalanced = [0.9, 0.1, *[0.0] * 8]
    watch = _watch(tmp_path, shares=unbalanced)
    found = _fed(watch, [0.5, *[0.325] * 9])
    assert list(found) == [100]
    assert "is 0.325 at step 100, and guessing gives 0.325, the entropy of the labels" in found[100]
    (warning,) = watch.at_end()
    assert warning.startswith("nothing was learnt: the loss of the biggest child ended at 0.325")
    # 0.1 of a label's weight on all classes: 0.82, 0.1 and eight times 0.01 have 0.761.
    smoothed = "task.regularisation.label_smoothing=0.1,trainer.train_steps=1000"
    (early,) = _fed(_watch(tmp_path, smoothed, unbalanced), [0.761] * 5).values()
    assert "guessing gives 0.761" in early
    assert _fed(_watch(tmp_path, shares=unbalanced), [0.325, *[0.2] * 9]) == {}


def test_labels_of_one_class_leave_nothing_to_learn(tmp_path: pathlib.Path) -> None:
    watch = _watch(tmp_path, shares=[0.0, 1.0, *[0.0] * 8])
    assert _fed(watch, [0.1, *[0.0] * 9]) == {}
    assert list(watch.at_end()) == ["nothing was learnt: all training images are of one class"]


def test_the_shares_of_classes_are_counted_where_labels_are_known(tmp_path: pathlib.Path) -> None:
    shares = inputs.class_shares(runs.parse(tmp_path).task.train_data)
    assert shares is not None
    np.testing.assert_allclose(shares, 0.1, atol=0.01)
    root = samples.write_folder(tmp_path / "photos")
    photos = DataConfig(
        source="folder", input_path=str(root), tfds_split="train[:5]", global_batch_size=1,
        num_classes=samples.CLASSES + 1, label_offset=1,
    )  # fmt: skip
    _, labels = zip(*sources.open_source(photos).ordered().as_numpy_iterator(), strict=True)
    expected = np.bincount(np.array(labels) + 1, minlength=samples.CLASSES + 1) / 5
    np.testing.assert_array_equal(inputs.class_shares(photos), expected)


def test_a_collapse_without_a_checkpoint_from_before_says_so(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ckpt-220.index").touch()
    (warning,) = _fed(_watch(tmp_path), [*LEARNING, *[2.6] * 5]).values()
    assert "last good checkpoint: none is kept (trainer.max_to_keep keeps more)" in warning


def test_a_run_that_learns_nothing_is_told_early_and_at_the_end(tmp_path: pathlib.Path) -> None:
    watch = _watch(tmp_path, "trainer.train_steps=2000")
    found = _fed(watch, [4.0, *[2.29, 2.32] * 10])
    assert list(found) == [200]
    assert found[200].startswith(
        "nothing has been learnt so far: the loss of the biggest child is 2."
    )
    (warning,) = watch.at_end()
    assert warning.startswith("nothing was learnt: the loss of the biggest child ended at 2.320, ")
    assert "look at images and labels, lower the learning rate" in warning


def test_a_run_that_has_just_begun_to_learn_is_not_called_hopeless(tmp_path: pathlib.Path) -> None:
    watch = _watch(tmp_path, "trainer.train_steps=2000")
    assert _fed(watch, [4.0, *[2.32] * 8, 2.1, *[2.0] * 5]) == {}
    watch = _watch(tmp_path, "trainer.train_steps=2000")  # one loop that was lucky
    assert list(_fed(watch, [4.0, *[2.32] * 8, 2.1, *[2.32] * 5])) == [220]


def test_a_run_of_a_few_steps_is_not_judged(tmp_path: pathlib.Path) -> None:
    watch = _watch(tmp_path)
    assert _fed(watch, [CHANCE] * 4) == {}
    assert list(watch.at_end()) == []


@pytest.mark.parametrize(
    ("overrides", "smallest", "warned"),
    [
        ("", 0.5, True),
        ("", 0.95, False),
        # AlphaNet's divergence is near 0 where two children agree.
        ("task.distillation.divergence=alpha", 0.1, False),
    ],
)
def test_a_smallest_child_that_beats_the_biggest_is_told(
    tmp_path: pathlib.Path, overrides: str, smallest: float, warned: bool
) -> None:
    watch = _watch(tmp_path, overrides)
    for step in range(20, 140, 20):
        assert list(watch.after_loop(step, 20, {"biggest": 1.0, "smallest": smallest})) == []
    found = list(watch.at_end())
    assert len(found) == warned
    assert all("(0.500) than the biggest (1.000)" in warning for warning in found)


def test_only_a_cross_entropy_is_compared_with_chance(tmp_path: pathlib.Path) -> None:
    taught = "task.distillation.divergence=alpha,task.distillation.teacher=/a/teacher"
    watch = _watch(tmp_path, taught)
    assert _fed(watch, [CHANCE] * 10) == {}
    assert list(watch.at_end()) == []
