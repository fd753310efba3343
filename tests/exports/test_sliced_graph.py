"""Children as graphs: the network's own answers, from their slices of its weights alone."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf import saved_model_pb2

import bignas_tf as bignas
from bignas_tf.data import decode
from bignas_tf.exports import saved_model, signatures, sliced_graph
from bignas_tf.exports.intake import Intake
from bignas_tf.layers import elastic
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.blocks import BlockTable
from experiments.residual_network import SPACE, ResidualNetwork
from tests.modeling import helpers

# The optimiser may put a scale into a kernel: as in tests/modeling, float32 rounding.
LOGITS = 5e-6
CHILDREN = [SPACE.smallest(), SPACE.biggest(), *helpers.children_of(SPACE, 3)]
OTHER_FLOATS = 50  # such as what pixels are divided by


def _images(seed: int = 0) -> tf.Tensor:
    return helpers.images_for(SPACE.base_resolution, seed=seed)[..., :1]


def _floats(version: pathlib.Path) -> int:
    """How many float32 constants all graphs of a SavedModel hold."""
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    (graph,) = (each.graph_def for each in saved.meta_graphs)
    nodes = itertools.chain(graph.node, *(each.node_def for each in graph.library.function))
    constants = (node.attr["value"].tensor for node in nodes if node.op == "Const")
    arrays = (
        tf.make_ndarray(each) for each in constants if each.dtype == tf.float32.as_datatype_enum
    )
    return sum(array.size for array in arrays)


@pytest.fixture(scope="module", params=["slice", "mask"])
def network(request: pytest.FixtureRequest) -> ResidualNetwork:
    tf_keras.utils.set_random_seed(0)
    network = ResidualNetwork(execution=request.param)
    helpers.randomise(network)
    return network


@pytest.mark.parametrize("child", CHILDREN)
def test_a_child_answers_as_its_network_and_comes_back_from_disk(
    network: ResidualNetwork, child: Architecture, tmp_path: pathlib.Path
) -> None:
    statistics = network.moments(_images(seed=1), child).numpy()
    expected = network(_images(), child, statistics=statistics).numpy()
    assert np.ptp(expected) > 0.1
    cut = sliced_graph.standalone(network, child, statistics)
    intake = Intake(SPACE.base_resolution, 1, decode.WHOLE)
    functions = signatures.build(cut, intake, list("0123456789"))
    saved_model.save_graph(tmp_path / "1", functions)
    for made in (cut, sliced_graph.read(tmp_path / "1")):
        assert made.input_shape == (None, 8, 8, 1)
        assert made.output_shape == (None, 10)
        assert helpers.relative_difference([made(_images()).numpy()], [expected]) < LOGITS
    # One copy of the child's weights for all signatures, and nothing of other children.
    assert 0 <= _floats(tmp_path / "1") - network.cost_of(child).params < OTHER_FLOATS


def test_only_the_papers_family_is_built_of_stock_layers() -> None:
    class Own(Supernet):
        """May have changed what its parent does."""

    for kind, made in ((Supernet, tf_keras.Model), (Own, sliced_graph.SlicedGraph)):
        supernet = kind(SPACE, helpers.CLASSES)
        helpers.randomise(supernet)
        child = SPACE.biggest()
        statistics = supernet.moments(helpers.images_for(8, seed=1), child).numpy()
        standalone = sliced_graph.standalone(supernet, child, statistics)
        assert isinstance(standalone, made)
        logits = standalone(helpers.images_for(8)).numpy()
        expected = supernet(helpers.images_for(8), child, statistics=statistics).numpy()
        assert helpers.relative_difference([logits], [expected]) < LOGITS


class _Changed(ResidualNetwork):
    """The network with something done to its logits.

    Args:
      then: does it; called with the logits and the network.
    """

    def __init__(self, then: Callable[[tf.Tensor, _Changed], tf.Tensor]) -> None:
        super().__init__()
        self._then = then
        self.calls = tf.Variable(0.0, trainable=False)
        initializer = tf.lookup.KeyValueTensorInitializer([1], [2.0])
        self.numbers = tf.lookup.StaticHashTable(initializer, 0.0)

    def logits(
        self,
        images: tf.Tensor,
        table: BlockTable,
        forward: elastic.Pass,
        dropout_seed: tf.Tensor | None,
    ) -> tf.Tensor:
        return self._then(super().logits(images, table, forward, dropout_seed), self)


def _cut(then: Callable[[tf.Tensor, _Changed], tf.Tensor]) -> sliced_graph.SlicedGraph:
    network = _Changed(then)
    statistics = network.moments(_images(seed=1), SPACE.smallest()).numpy()
    return sliced_graph.cut(network, SPACE.smallest(), statistics)


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (lambda x, _: tf.numpy_function(np.abs, [x], tf.float32), "it has PyFunc;"),
        (lambda x, _: tf.py_function(tf.abs, [x], tf.float32), "it has EagerPyFunc;"),
        (lambda x, net: x + net.numbers.lookup(tf.constant(1)), "tables or variables .*: 1;"),
        (lambda x, net: x + net.calls.assign_add(1.0), "Input 0 of node .*Assign.*;"),
        (lambda x, _: tf.function(tf.abs, jit_compile=True)(x), ".*duplicate function.*;"),
    ],
)
def test_a_network_that_is_no_graph_of_constants_is_refused(
    then: Callable[[tf.Tensor, _Changed], tf.Tensor], message: str
) -> None:
    refused = f"^no child of _Changed can be a graph of its own: {message} its `logits` may neither"
    with pytest.raises(bignas.UsageError, match=refused):
        _cut(then)


def test_a_loop_over_logits_keeps_their_shape() -> None:
    def twice(x: tf.Tensor, _: _Changed) -> tf.Tensor:
        rows = [tf.TensorShape([]), tf.TensorShape(None)]
        return tf.while_loop(lambda i, _: i < 1, lambda i, x: (i + 1, 2.0 * x), [0, x], rows)[1]

    assert _cut(twice).output_shape == (None, 10)


def test_what_is_no_export_of_such_a_child_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(bignas.UsageError, match=f"^{tmp_path} cannot be loaded .*; export again"):
        sliced_graph.read(tmp_path)
    saved_model.save_graph(tmp_path / "1", {"other": tf.function(lambda: {"a": tf.zeros([])})})
    with pytest.raises(bignas.UsageError, match="has no signature 'child'; export again"):
        sliced_graph.read(tmp_path / "1")
