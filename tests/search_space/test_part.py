"""A part of a space: its children are the whole's, and what the whole does not have is refused."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.search_space import part, presets
from bignas_tf.search_space.space import SearchSpace
from tests.search_space import spaces

WHOLE = spaces.tiny()


def _part(folder: pathlib.Path, text: str) -> SearchSpace:
    path = folder / "part.yaml"
    path.write_text(text)
    return part.read(WHOLE, path)


def test_children_of_a_part_are_children_of_the_whole(tmp_path: pathlib.Path) -> None:
    given = "eval_resolutions: [14]\nstages: [{}, {kernels: [3], widths: [6, 10]}, {depths: [2]}]"
    found, rng = _part(tmp_path, given), np.random.default_rng(0)
    for child in [found.smallest(), found.biggest(), *(found.sample(rng) for _ in range(50))]:
        WHOLE.validate(child)
        assert child.resolution == 14
        assert set(child.kernels[1]) == {3}
        assert set(child.widths[1]) <= {6, 10}
        assert child.depths[2] == 2
    assert found.count_architectures() < WHOLE.count_architectures()
    others = {WHOLE.sample(rng).resolution for _ in range(50)}
    assert others > {14}


def test_the_whole_file_with_fewer_choices_is_a_part(tmp_path: pathlib.Path) -> None:
    text = presets.to_yaml(WHOLE)
    assert _part(tmp_path, text).genes == WHOLE.genes
    assert _part(tmp_path, "{}").genes == WHOLE.genes
    narrow = _part(tmp_path, text.replace("head_widths:\n- 16\n- 24", "head_widths:\n- 24"))
    assert narrow.head_widths == (24,)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("eval_resolutions: [15]", r"eval_resolutions is \[15\]; it .* some of \[12, 14, 16\]"),
        ("eval_resolutions: []", "eval_resolutions is"),
        ("eval_resolutions: 14", "eval_resolutions is 14; it takes a list"),
        (
            "eval_resolutions: [16, 14]",
            r"\[16, 14\]; .* some of \[12, 14, 16\], ascending",
        ),
        ("eval_resolutions: [14, 14]", r"\[14, 14\]; it takes"),
        ("stages: [{}, {depths: [true]}, {}]", r"depths is \[True\]"),
        ("eval_resolutions: [true]", r"eval_resolutions is \[True\]"),
        ("resolutions: [14]", "field is 'resolutions'; choose from"),
        ("stages: [{}]", "stages must be a list of 3, as in 'tiny'"),
        ("stages: [{}, {}, 5]", r"stages\[2\] is 5; it takes fields of a space"),
        ("stages: [{}, {}, {kernels: [9]}]", r"stages\[2\]: kernels is \[9\]; .* \[3, 5, 7\]"),
        ("stages: [{}, {stride: 1}, {}]", r"stages\[1\]: stride is 1; it takes 2, as in the whole"),
        ("padding: same", "padding is 'same'; it takes 'symmetric', as in the whole space"),
        ("[1]", r"is \[1\]; it takes fields of a space"),
        ("stages: [", "is not valid YAML"),
    ],
)
def test_what_the_whole_does_not_have_is_refused(
    tmp_path: pathlib.Path, text: str, problem: str
) -> None:
    with pytest.raises(errors.UsageError, match=problem):
        _part(tmp_path, text)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(errors.UsageError, match=r"nowhere.yaml cannot be read"):
        part.read(WHOLE, "nowhere.yaml")
