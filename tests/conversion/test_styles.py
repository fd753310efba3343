"""Children of other families, folded and converted, answer as they do in Keras."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import interpreter

from bignas_tf.conversion import tflite
from bignas_tf.data import resize
from bignas_tf.exports.child_function import ChildFunction
from bignas_tf.modeling import slicing
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers
from tests.search_space import spaces

pytestmark = pytest.mark.slow

TOLERANCE = 1e-5  # of the largest logit; see test_tflite


@pytest.mark.parametrize("space", [spaces.attentive(), spaces.mobile()], ids=lambda s: s.name)
def test_a_file_answers_as_the_child_does(space: SearchSpace) -> None:
    supernet = helpers.supernet_of(space)
    architecture = helpers.children_of(space, 1)[0]
    images = helpers.images_for(architecture.resolution, seed=1)
    statistics = supernet.moments(images, architecture).numpy()
    child = slicing.sliced_child(supernet, architecture, statistics)
    function = ChildFunction(child, space.base_resolution, batch=1)
    converted = tflite.plain(function.serve.get_concrete_function(), function)
    side = space.base_resolution
    patches = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.uint8)
    expected = child(resize.resize_patches(patches, architecture.resolution), training=False)

    lite = interpreter.Interpreter(model_content=converted)
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], patches)
    lite.invoke()
    answers = [lite.get_tensor(each["index"]) for each in lite.get_output_details()]
    differences = [np.abs(answer - expected).max() for answer in answers]
    assert min(differences) < TOLERANCE * np.abs(expected).max()
    if space.name == "mobile":  # one operation of LiteRT, not five
        names = {each["op_name"] for each in lite._get_ops_details()}
        assert "HARD_SWISH" in names
