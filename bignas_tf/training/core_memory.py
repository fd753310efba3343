"""How many images at once a TPU core is known to hold, so that too many are refused at once.

Otherwise a run on a TPU says so only after minutes of tracing and compiling.
"""

from __future__ import annotations

import dataclasses

from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.search_space import presets
from bignas_tf.training.configs import SandwichConfig


@dataclasses.dataclass(frozen=True)
class Known:
    """What libtpu 0.0.52, the compiler of real TPUs, said of steps of one kind.

    They train the default children of `task.sandwich`, random ones by masks.

    Attributes:
      generation: of the TPU, as topologies name it.
      space: name of a preset.
      dtype: that of convolutions.
      most: images at once that fit.
      too_many: the fewest that did not fit; None if all that were tried did.
    """

    generation: str
    space: str
    dtype: str
    most: int
    too_many: int | None = None


# From experiments/results/tpu_compile_*.json, which `python -m tools.tpu_compile` wrote. A test
# compares the two, so a new result shows which line to change.
KNOWN = (
    Known("v2", "bignas_imagenet", "bfloat16", most=32),
    Known("v3", "bignas_imagenet", "bfloat16", most=128),
    Known("v4", "bignas_imagenet", "bfloat16", most=32),
    Known("v5e", "bignas_imagenet", "bfloat16", most=128),
    Known("v6e", "bignas_imagenet", "bfloat16", most=32),
)


def check(config: cfg.ExperimentConfig, generation: str, cores: int) -> str:
    """Refuses a step that is known not to fit, and warns of one of which nothing is known.

    Args:
      config: of a run on a TPU.
      generation: of the TPU, such as "v3"; "" if unknown.
      cores: replicas that share the batch.

    Returns:
      A warning; "" if the step fits, or if nothing is known of such steps.

    Raises:
      UsageError: it is known not to fit. Says how many images at once do.
    """
    known = _known(config, generation)
    share = config.task.train_data.global_batch_size // cores
    images = min(config.task.images_at_once or share, share)
    if known is None or images <= known.most:
        return ""
    given = f"task.images_at_once is {config.task.images_at_once}, so a core computes {images}"
    # `accumulation.count_parts` takes divisors alone.
    fitting = next(count for count in range(known.most, 0, -1) if share % count == 0)
    if known.too_many and images >= known.too_many:
        raise errors.UsageError(
            f"{given} images at once; in this space {known.too_many} are too many for the memory "
            f"of a TPU {generation} core; set task.images_at_once={fitting}, which fits"
        )
    return (
        f"{given} images at once; whether that many fit the memory of a TPU {generation} core was "
        f"not tried; task.images_at_once={fitting} fits"
    )


def _known(config: cfg.ExperimentConfig, generation: str) -> Known | None:
    """What is known of steps like that of a configuration."""
    task = config.task
    if task.sandwich.as_dict() != SandwichConfig().as_dict():
        return None
    dtype = config.runtime.mixed_precision_dtype or "float32"
    space = presets.get(task.model.search_space).fingerprint()
    for known in KNOWN:
        alike = (known.generation, known.dtype) == (generation, dtype)
        if alike and presets.get(known.space).fingerprint() == space:
            return known
    return None
