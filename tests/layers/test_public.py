"""The layers as users see them: docs/layers.md runs, and a width that no child has is refused."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import layers

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "layers.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(page: str) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(source, str(PAGE), "exec"), names)
    y, z = names["y"], names["z"]
    assert y.shape == (2, 8, 8, 12)
    assert z.shape == (2, 8, 8, 16)
    assert not z[..., 12:].numpy().any()
    # Of the batch's own moments, of masks, and of the moments that a pass has recorded.
    np.testing.assert_allclose(z[..., :12], y, atol=1e-5)
    np.testing.assert_allclose(names["same"], y, atol=1e-5)


def test_the_page_has_every_public_name(page: str) -> None:
    assert not {name for name in layers.__all__ if name != "Width"} - set(re.findall(r"\w+", page))


@pytest.mark.parametrize("name", [name for name in layers.__all__ if name != "Width"])
def test_every_public_name_is_described(name: str) -> None:
    assert getattr(layers, name).__doc__


@pytest.mark.parametrize("width", [0, 9, -1, np.int64(9), np.int32(0), np.int64(-1)])
@pytest.mark.parametrize(
    "run",
    [
        lambda x, width: layers.ElasticConvolution(8, 8, 3)(x, 8, width, layers.Pass()),
        lambda x, width: layers.ElasticPointwise(8, 8)(x, width, 8, layers.Pass()),
        lambda x, width: layers.ElasticDepthwise(8, 5, 1, False)(x, 3, width, layers.Pass()),
        lambda x, width: layers.ElasticBatchNorm(8, 0)(x, width, layers.Pass()),
        lambda x, width: layers.ElasticBatchNorm(8, 0)(x, width, layers.Pass(masked=True)),
        lambda x, width: layers.ElasticSqueezeExcite(8, 8)(x, 8, width, layers.Pass()),
        lambda x, width: layers.ElasticClassifier(8, 2)(x[:, 0, 0], width, layers.Pass()),
        lambda x, width: layers.fit(x, width, 8, layers.Pass()),
        lambda x, width: layers.fit(x, width, 8, layers.Pass(masked=True)),
    ],
)
def test_a_width_that_no_child_has_is_refused(
    run: Callable[[tf.Tensor, int], tf.Tensor], width: int
) -> None:
    with pytest.raises(ValueError, match=f"width is {width}; this layer takes 1 to 8"):
        run(tf.ones([2, 4, 4, 8]), width)


def test_sizes_of_numpy_are_those_of_python() -> None:
    x, layer = tf.random.normal([2, 4, 4, 3]), layers.ElasticDepthwise(8, 7, 1, True, (5, 3))
    five, three, eight = np.int64(5), np.int32(3), np.int64(8)
    np.testing.assert_array_equal(
        layer(x, five, three, layers.Pass()), layer(x, 5, 3, layers.Pass())
    )
    for size in (4, np.int64(4), np.int64(9)):
        with pytest.raises(ValueError, match=rf"kernel_size is {size}; this layer has \[3, 5, 7\]"):
            layer(x, size, 3, layers.Pass())
    with pytest.raises(ValueError, match="width is 9; this layer takes 1 to 8"):
        layers.fit(x, eight + 1, eight, layers.Pass())


@pytest.mark.parametrize("transformed", [(3, 5), (9,), (4,), (7,), (-1,)])
def test_kernels_that_matrices_cannot_make_are_refused(transformed: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"transformed is \(.* odd kernels below 7, descending"):
        layers.ElasticDepthwise(8, 7, 1, True, transformed)


def test_an_input_of_other_axes_is_refused() -> None:
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        layers.ElasticConvolution(4, 8, 3)(tf.ones([8, 8, 4]), 4, 8, layers.Pass())
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=4"):
        layers.ElasticClassifier(4, 3)(tf.ones([1, 2, 2, 4]), 4, layers.Pass())


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel_size is 4; it must be odd"):
        layers.ElasticConvolution(1, 1, 4)


@pytest.mark.parametrize(
    "run",
    [
        lambda x: layers.ElasticConvolution(8, 16, 3)(x, 2, 8, layers.Pass()),
        lambda x: layers.ElasticPointwise(8, 8)(x, 2, 8, layers.Pass()),
        lambda x: layers.ElasticDepthwise(8, 5, 1, False)(x, 3, 2, layers.Pass()),
        lambda x: layers.ElasticBatchNorm(8, 0)(x, 2, layers.Pass()),
        lambda x: layers.ElasticSqueezeExcite(8, 8)(x, 2, 8, layers.Pass()),
        lambda x: layers.ElasticClassifier(8, 2)(x[:, 0, 0], 2, layers.Pass()),
    ],
)
def test_an_input_of_other_channels_is_refused(run: Callable[[tf.Tensor], tf.Tensor]) -> None:
    with pytest.raises(ValueError, match="width is 2; the input has 4 channels"):
        run(tf.zeros([2, 6, 6, 4]))


@pytest.mark.parametrize("transformed", [(), (5, 3)])
@pytest.mark.parametrize("size", [0, 2, 9])
def test_a_kernel_that_a_layer_does_not_have_is_refused(
    size: int, transformed: tuple[int, ...]
) -> None:
    layer = layers.ElasticDepthwise(8, 7, 1, True, transformed)
    with pytest.raises(ValueError, match=rf"kernel_size is {size}; this layer has \[.*3, 5, 7\]"):
        layer(tf.zeros([1, 9, 9, 8]), size, 8, layers.Pass())


def test_what_no_layer_can_be_made_of_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel_size is 4; it must be odd"):
        layers.ElasticDepthwise(8, 4, 1, True)
    with pytest.raises(ValueError, match=r"activation_name is 'gelu'; choose from \['swish', "):
        layers.ElasticSqueezeExcite(8, 4, "gelu")
