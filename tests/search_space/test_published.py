"""Published children cost what the counters of their authors' code say."""

from __future__ import annotations

import functools
import pathlib

import pytest

from bignas_tf import errors
from bignas_tf.search_space import blocks, cost, presets, published
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace


@pytest.mark.parametrize(
    ("name", "macs", "params"),
    [
        # Table 2 of the paper: multiply-adds and parameters.
        ("BigNASModel-S", 242e6, 4.5e6),
        ("BigNASModel-M", 418e6, 5.5e6),
        ("BigNASModel@660M", 659e6, 6.7e6),
        ("BigNASModel-L", 1040e6, 9.5e6),
    ],
)
def test_the_published_children_cost_what_the_paper_says(
    name: str, macs: float, params: float
) -> None:
    counted = cost.count(presets.bignas_imagenet(), published.published(name), 1000)
    # The paper gives three figures, or two: 1% covers the rounding of both.
    assert counted.macs == pytest.approx(macs, rel=0.01)
    assert counted.params == pytest.approx(params, rel=0.01)


TABLE = pathlib.Path(__file__).parents[2] / "experiments" / "results" / "published_children.md"
_SPACES = ("attentive_nas", "ofa_mbv3_w1.0", "ofa_mbv3_w1.2")
# What the counter of facebookresearch/AttentiveNAS at c4c16f1 prints, in millions: multiply-adds,
# and parameters less the shortcut convolutions that it counts and never runs.
_ATTENTIVE_NAS = {
    "AttentiveNAS-A0": (203.390, 8.9542),
    "AttentiveNAS-A1": (279.239, 9.4529),
    "AttentiveNAS-A2": (316.730, 11.1498),
    "AttentiveNAS-A3": (356.518, 12.7849),
    "AttentiveNAS-A4": (443.531, 11.8096),
    "AttentiveNAS-A5": (490.520, 12.5975),
    "AttentiveNAS-A6": (709.007, 15.1548),
    "AlphaNet-A5-small": (491.481, 12.9705),
    "AlphaNet-A5-base": (594.786, 12.4044),
}
# What the counters of mit-han-lab/once-for-all at f03b267 print for its released nets, in
# millions: multiply-adds, and parameters.
_OFA = {
    "OFA-note10-64ms": (743.131, 9.109),
    "OFA-pixel1-143ms": (641.756, 9.2219),
    "OFA-flops-595M": (595.189, 9.1359),
    "OFA-pixel1-132ms": (592.737, 9.225),
    "OFA-note10-50ms": (554.39, 9.0571),
    "OFA-flops-482M": (482.413, 9.0664),
    "OFA-note10-41ms": (457.253, 9.0302),
    "OFA-flops-389M": (389.488, 8.3865),
    "OFA-pixel1-79ms": (355.47, 8.1686),
    "OFA-note10-30ms": (339.353, 7.4659),
    "OFA-note10-22ms": (237.063, 5.8631),
    "OFA-LG-G8-24ms": (229.846, 5.8096),
    "OFA-pixel1-58ms": (229.846, 5.8096),
    "OFA-note8-65ms": (219.9, 5.2967),
    "OFA-s7edge-88ms": (219.277, 6.427),
    "OFA-pixel2-62ms": (207.945, 5.8096),
    "OFA-pixel2-50ms": (165.999, 4.6877),
    "OFA-note8-49ms": (163.703, 6.0242),
    "OFA-note10-16ms": (162.464, 4.9323),
    "OFA-pixel1-40ms": (162.265, 6.0242),
    "OFA-LG-G8-16ms": (151.109, 5.8096),
    "OFA-s7edge-58ms": (144.702, 4.6233),
    "OFA-pixel2-35ms": (113.042, 5.0603),
    "OFA-note10-11ms": (109.607, 4.2782),
    "OFA-pixel1-28ms": (108.572, 5.1967),
    "OFA-LG-G8-11ms": (103.373, 4.9652),
    "OFA-note8-31ms": (100.52, 4.5955),
    "OFA-s7edge-41ms": (95.935, 4.6639),
    "OFA-pixel2-25ms": (79.266, 4.1372),
    "OFA-pixel1-20ms": (76.664, 4.3046),
    "OFA-note10-8ms": (75.803, 3.7612),
    "OFA-LG-G8-8ms": (73.471, 4.1122),
    "OFA-note8-22ms": (67.197, 4.3046),
    "OFA-s7edge-29ms": (66.444, 3.8302),
}


def _learnt(space: SearchSpace, child: Architecture) -> int:
    """Parameters without the means and variances of batch norms, which others do not count."""
    table = blocks.resolve_child(space, child)
    channels = table.stem_width + table.head_conv_width
    for block in table.blocks:
        norms = (1 + block.expands) * block.mid_width + block.out_width
        channels += norms if block.active else 0
    return cost.count(space, child, 1000).params - 2 * channels


@pytest.mark.parametrize(
    ("space", "name"), [(s, n) for s in _SPACES for n in published.published_names(s)]
)
def test_public_supernets_count_the_same(space: str, name: str) -> None:
    child = published.published(name)
    macs, params = (_ATTENTIVE_NAS | _OFA)[name]
    counted = cost.count(presets.get(space), child, 1000).macs / 1e6
    learnt = _learnt(presets.get(space), child) / 1e6
    # Printed to three and four digits.
    assert counted == pytest.approx(macs, abs=6e-4)
    assert learnt == pytest.approx(params, abs=6e-5)
    assert f"| {name} | {counted:.3f} | {macs:.3f} | {learnt:.4f} | {params:.4f} |" in _table()


@functools.cache
def _table() -> list[str]:
    return TABLE.read_text().splitlines()


def test_all_published_children_are_tested() -> None:
    assert published.published_names("bignas_imagenet") == (
        "BigNASModel-S", "BigNASModel-M", "BigNASModel@660M", "BigNASModel-L",
    )  # fmt: skip
    names = [name for space in _SPACES for name in published.published_names(space)]
    assert sorted(names) == sorted(_ATTENTIVE_NAS | _OFA)


def test_an_unknown_published_child_is_refused() -> None:
    with pytest.raises(errors.UsageError, match="no published child 'BigNASModel-XL'; near it are"):
        published.published("BigNASModel-XL")
