"""A child of any elastic network as one graph: what stock Keras layers are to the paper's family.

Nothing says how the network of a user would look in stock layers. But its call with one
architecture is a graph in which every slice has constant bounds: with the weights as constants,
TensorFlow's optimiser computes the slices, and only they are left.
"""

from __future__ import annotations

import itertools
import pathlib
from typing import TypeAlias

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.core.framework import graph_pb2
from tensorflow.lite.python import util
from tensorflow.python.eager import wrap_function
from tensorflow.python.framework import convert_to_constants

from bignas_tf import errors, saved_models
from bignas_tf.modeling import slicing
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture

SIGNATURE, INPUT = "child", "images"
# Slices of constants and what is computed of them; what nothing reads before and after.
_OPTIMISERS = ["pruning", "constfold", "pruning"]
# Operations that call back into the process that made them, which no server is.
_OF_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})


class SlicedGraph(tf.Module):
    """A child as a function of images, without variables.

    Args:
      function: float32 [N, R, R, channels] images in [-1, 1] to logits [N, classes].

    Attributes:
      input_shape: (None, R, R, channels).
      output_shape: (None, classes).
    """

    def __init__(self, function: tf.types.experimental.ConcreteFunction) -> None:
        super().__init__()
        self._function = function
        (images,), (logits,) = function.inputs, function.outputs
        self.input_shape, self.output_shape = tuple(images.shape), tuple(logits.shape)

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits of images. Only a child of Keras layers can train."""
        del training
        (logits,) = tf.nest.flatten(self._function(images))
        return logits


AnyChild: TypeAlias = tf_keras.Model | SlicedGraph  # that `standalone` gives


def is_of_papers_family(network: ElasticModel) -> bool:
    """Whether stock Keras layers are known that do what the children of a network do."""
    return type(network) is Supernet  # a subclass may have changed what its parent's layers do


def standalone(
    network: ElasticModel, architecture: Architecture, statistics: np.ndarray
) -> AnyChild:
    """A child on its own: of stock Keras layers if it is of the paper's family, else a graph.

    Args:
      network: trained weights.
      architecture: the child's choices.
      statistics: float32 [2, network.statistics_width], calibrated for it.

    Raises:
      UsageError: see `cut`.
    """
    if is_of_papers_family(network):
        return slicing.sliced_child(network, architecture, statistics)
    return cut(network, architecture, statistics)


def cut(network: ElasticModel, architecture: Architecture, statistics: np.ndarray) -> SlicedGraph:
    """A child of a supernet of any family, as a graph; see `standalone`.

    Raises:
      UsageError: `logits` does more than to compute with weights: it calls Python, reads tables,
        assigns variables, or has functions for XLA alone.
    """
    side = architecture.resolution
    spec = tf.TensorSpec([None, side, side, network.input_channels], tf.float32, INPUT)

    def call(images: tf.Tensor) -> tf.Tensor:
        logits = network(images, architecture, statistics=tf.constant(statistics))
        # A loop, for one, forgets it; a shape that is only set, and no operation, is not saved.
        return tf.ensure_shape(tf.cast(logits, tf.float32), [None, network.num_classes])

    traced = tf.function(call, input_signature=[spec], autograph=False).get_concrete_function()
    try:
        return SlicedGraph(_of_constants(traced))
    except (ValueError, tf.errors.OpError) as error:
        if errors.is_out_of_memory(error):
            raise
        raise errors.UsageError(
            f"no child of {type(network).__name__} can be a graph of its own: "
            f"{errors.one_line(error)}; its `logits` may neither call Python, nor read tables, nor "
            "assign variables, nor have functions with jit_compile"
        ) from error


def _of_constants(
    traced: tf.types.experimental.ConcreteFunction,
) -> tf.types.experimental.ConcreteFunction:
    """A function with its variables as constants, and what follows from them computed.

    Raises:
      ValueError, OpError: it has more than variables that are read.
    """
    whole = convert_to_constants.convert_variables_to_constants_v2(traced)
    inputs, outputs = whole.inputs, whole.outputs
    graph = whole.graph.as_graph_def()
    if len(inputs) > 1:
        raise ValueError(f"tables or variables that are left in it: {len(inputs) - 1}")
    if calls := _OF_PYTHON & _operations(graph):
        raise ValueError(f"it has {', '.join(sorted(calls))}")
    optimisers = util.get_grappler_config(_OPTIMISERS)
    graph = util.run_graph_optimizations(graph, inputs, outputs, optimisers, whole.graph)
    names = ([tensor.name for tensor in tensors] for tensors in (inputs, outputs))
    return wrap_function.function_from_graph_def(graph, *names)


def _operations(graph: graph_pb2.GraphDef) -> set[str]:
    """The kinds of operation in a graph and in the functions that it calls."""
    called = (function.node_def for function in graph.library.function)
    return {node.op for node in itertools.chain(graph.node, *called)}


def read(version: pathlib.Path) -> SlicedGraph:
    """Reads the child of an export that `cut` made.

    Raises:
      UsageError: the folder cannot be loaded, or has none.
    """
    signatures = saved_models.load(version, str(version), "; export again").signatures
    if SIGNATURE not in signatures:
        raise errors.UsageError(f"{version} has no signature {SIGNATURE!r}; export again")
    return SlicedGraph(signatures[SIGNATURE])
