"""What the code of others gave for random weights, and those weights again.

Files in files/: a checkpoint that AttentiveNAS's code saved (facebookresearch/AttentiveNAS at
c4c16f1), of a space with few weights; small files of PyTorch's two formats; and for both families
a space, children and the logits that their own code gave for them with the statistics of batch
norms that are in the checkpoint. Once-for-all's weights (mit-han-lab/once-for-all at f03b267) are
made again from the seed and their names.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import Any

import numpy as np

from bignas_tf.importing import naming
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Architecture

FILES = pathlib.Path(__file__).parent / "files"
ATTENTIVE_NAS = FILES / "attentive_nas.pth.tar"
SEED = 17
_GAIN = 1.5


def golden(name: str) -> dict[str, Any]:
    """The golden of a family, with its space and children read."""
    value = json.loads((FILES / f"{name}.json").read_text())
    value["space"] = presets.from_dict(value["space"])
    for child in value["children"]:
        child["architecture"] = Architecture.from_json(child["architecture"])
        child["logits"] = np.array(child["logits"], np.float32)
    return value


def images(side: int, number: int) -> np.ndarray:
    """Images [2, side, side, 3] of blobs and noise; `number` were drawn there."""
    rng = np.random.default_rng([SEED, number, side])
    coarse = rng.standard_normal((number, 3, -(-side // 8), -(-side // 8)))
    coarse = coarse.repeat(8, 2).repeat(8, 3)[:, :, :side, :side]
    drawn = 0.8 * coarse + 0.6 * rng.standard_normal((number, 3, side, side))
    return drawn.astype(np.float32).transpose(0, 2, 3, 1)[:2]


def once_for_all_state(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The random state dictionary whose logits are in the golden."""
    return {name: _random(name, tuple(shape)) for name, shape in shapes.items()}


def statistics(supernet: Supernet, state: dict[str, np.ndarray]) -> np.ndarray:
    """The statistics of a `state_of` as those of our batch norms, [2, statistics_width]."""
    keys = {weight.variable.ref(): weight.key for weight in naming.weights(supernet)}
    found = np.zeros((2, supernet.statistics_width), np.float32)
    for layer in supernet.submodules:
        if hasattr(layer, "gamma"):
            key = keys[layer.gamma.ref()].removesuffix(".weight")
            own = slice(layer.offset, layer.offset + layer.width)
            found[0, own] = state[f"{key}.running_mean"]
            found[1, own] = state[f"{key}.running_var"]
    return found


def _random(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor that follows from the seed and its name, away from 0 and from 1."""
    digest = hashlib.sha256(f"{SEED}/{name}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf in ("running_mean", "bias"):
        value = rng.uniform(0.1, 0.4, shape) * rng.choice([-1.0, 1.0], shape)
    elif leaf == "running_var" or ".bn." in name:
        small = rng.random(shape) < 0.5
        value = np.where(small, rng.uniform(0.5, 0.85, shape), rng.uniform(1.2, 1.7, shape))
    elif leaf.endswith("_matrix"):
        value = np.eye(shape[0]) + rng.normal(0, 0.1, shape)
    else:
        value = rng.normal(0, np.sqrt(_GAIN / int(np.prod(shape[1:]))), shape)
    return np.asarray(value, np.float32)
