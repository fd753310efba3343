"""Patterns of TFRecords in a configuration."""

from __future__ import annotations

import pytest
from official.vision.configs import retinanet, semantic_segmentation

from bignas_tf import errors
from bignas_tf.training import configs, field_types


def test_several_patterns_of_records_are_read_as_they_were_set() -> None:
    """A run that was trained from Python with a list must be loaded again."""
    known = configs.blank_experiment()
    values = {"task": {"train_data": {"input_path": ["train-*", "more-*"]}}}
    field_types.check(known, values, "file")
    for wrong in (["train-*", 3], 3, {}):
        values["task"]["train_data"]["input_path"] = wrong
        with pytest.raises(errors.UsageError, match=r"input_path is .*; expected str"):
            field_types.check(known, values, "file")
    values = {"task": {"train_data": {"tfds_split": ["train"]}}}
    with pytest.raises(errors.UsageError, match=r"tfds_split is .*; expected str"):
        field_types.check(known, values, "file")


@pytest.mark.parametrize("path", ["a", ["a", "b"], {"near": "a", "far": "b"}])
def test_one_pattern_several_and_named_ones_are_read_as_the_garden_does(path: object) -> None:
    """Of detectors' images and of segmenters', whose pattern is absent by default."""
    for data in (retinanet.DataConfig(), semantic_segmentation.DataConfig()):
        field_types.check(data, {"input_path": path}, "a test")
