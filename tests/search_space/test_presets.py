"""Presets, and the spaces that a user writes in YAML."""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pytest
import yaml

from bignas_tf import errors
from bignas_tf.search_space import cost, presets, published
from bignas_tf.search_space.space import SearchSpace
from tests.search_space import spaces


def _plain(space: SearchSpace) -> dict[str, Any]:
    """The space as YAML gives it: lists, not tuples."""

    def lists(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: lists(item) for key, item in value.items()}
        return [lists(item) for item in value] if isinstance(value, tuple) else value

    return lists(dataclasses.asdict(space))


@pytest.mark.parametrize("space", [spaces.attentive(), spaces.mobile()], ids=lambda s: s.name)
def test_a_style_goes_through_yaml(space: SearchSpace, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(presets.to_yaml(space))
    assert presets.get(str(path)) == space


@pytest.mark.parametrize("name", sorted(presets.PRESETS))
def test_presets_carry_their_name_and_pass_their_own_checks(name: str) -> None:
    space = presets.get(name)
    assert space.name == name
    assert presets.from_dict(_plain(space)) == space


@pytest.mark.parametrize(
    ("name", "classes", "channels", "least", "most"),
    [
        ("bignas_small", 10, 1, 0.7e6, 8.6e6),
        ("bignas_medium", 62, 1, 1.0e6, 14.2e6),
        ("bignas_large", 10, 3, 4.4e6, 53.7e6),
    ],
)
def test_our_presets_span_the_multiply_adds_that_their_size_allows(
    name: str, classes: int, channels: int, least: float, most: float
) -> None:
    space = presets.get(name)
    spanned = [
        cost.count(space, child, classes, channels).macs
        for child in (space.smallest(), space.biggest())
    ]
    assert spanned == pytest.approx([least, most], rel=0.02)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bignas_small", set()),
        ("bignas_medium", {52, 60, 68}),
        ("bignas_large", {104, 120, 136}),
        ("bignas_imagenet", {208, 240, 256, 272, 304, 336}),
    ],
)
def test_presets_are_searched_at_resolutions_that_they_were_not_trained_at(
    name: str, expected: set[int]
) -> None:
    space = presets.get(name)
    assert set(space.eval_resolutions) - set(space.train_resolutions) == expected


def test_the_manual_lists_every_preset() -> None:
    docs = pathlib.Path(__file__).resolve().parents[2] / "docs"
    lines = [
        line
        for page in ("your-images.md", "public-weights.md")
        for line in (docs / page).read_text().splitlines()
    ]
    listed = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert set(presets.PRESETS) <= set(listed)


@pytest.mark.parametrize("name", published.published_names("bignas_imagenet"))
def test_published_children_lie_in_the_papers_space(name: str) -> None:
    space, child = presets.bignas_imagenet(), published.published(name)
    space.validate(child)
    assert space.decode(space.encode(child)) == child


def test_a_child_is_named_or_published_and_lies_in_the_space() -> None:
    space = presets.bignas_imagenet()
    assert presets.child(space, "BigNASModel-S") == published.published("BigNASModel-S")
    assert presets.child(space, "biggest") == space.biggest()
    plain = space.smallest().to_json()
    assert presets.child(space, plain) == space.smallest()
    assert presets.child(space, {"architecture": plain, "macs": 5}) == space.smallest()
    with pytest.raises(errors.UsageError, match=r"'resolution' is 192; choose from \[20"):
        presets.child(presets.bignas_small(), "BigNASModel-S")
    with pytest.raises(errors.UsageError, match=r"^'BigNASModel-XL' is neither .* smallest, bigg"):
        presets.child(space, "BigNASModel-XL")
    with pytest.raises(errors.UsageError, match=r"of 'bignas_small': smallest, biggest$"):
        presets.child(presets.bignas_small(), "Smallest")
    with pytest.raises(errors.UsageError, match=r"none\.json cannot be read"):
        presets.child(space, "none.json")
    other: Any = ["smallest"]
    with pytest.raises(errors.UsageError, match=r"^\['smallest'\] is no architecture: give one"):
        presets.child(space, other)


def test_a_child_of_numpy_s_integers_is_one_of_pythons() -> None:
    space = presets.get("bignas_small")
    child = space.sample(np.random.default_rng(0))
    expands = tuple(tuple(map(np.int64, stage)) for stage in child.expands)
    given = dataclasses.replace(child, head_width=np.int32(child.head_width), expands=expands)
    known = presets.child(space, space.with_resolution(given, np.int64(20)))
    assert known == space.with_resolution(child, 20)
    assert json.loads(json.dumps(known.to_json())) == known.to_json()
    with pytest.raises(
        errors.UsageError, match=r"^resolution is 20.0; it takes a whole number from 1$"
    ):
        space.with_resolution(child, 20.0)


def test_a_yaml_file_is_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(_plain(spaces.tiny())), encoding="utf-8")
    assert presets.get(str(path)) == spaces.tiny()


def test_defaults_may_be_left_out() -> None:
    value = _plain(presets.bignas_small())
    for key in ("expands", "stride", "se_ratio"):
        del value["stages"][1][key]
    value["stages"][1]["stride"] = 2
    assert presets.from_dict(value) == presets.bignas_small()


def test_a_key_that_is_given_twice_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text(presets.to_yaml(spaces.tiny()) + "stem_widths: [4]\n", encoding="utf-8")
    with pytest.raises(errors.UsageError, match=r"twice\.yaml .*'stem_widths' is given twice"):
        presets.get(str(path))


def test_an_unknown_name_lists_the_presets() -> None:
    with pytest.raises(errors.UsageError, match=r"'bignas_big'.*bignas_imagenet.*bignas_small"):
        presets.get("bignas_big")


@pytest.mark.parametrize(
    "content",
    [b"stages: [", b"\xff\xfe\xff", b"- 1\n", b"", b"[" * 3000, b"name: 2025-02-30\n"],
)
def test_a_file_without_a_mapping_is_named(tmp_path: pathlib.Path, content: bytes) -> None:
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    with pytest.raises(errors.UsageError, match=r"broken\.yaml") as caught:
        presets.get(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [f.name for f in dataclasses.fields(SearchSpace) if f.default is dataclasses.MISSING],
)
def test_a_missing_key_is_named(key: str) -> None:
    value = _plain(spaces.tiny())
    del value[key]
    with pytest.raises(errors.UsageError, match=f"mine.yaml: missing key '{key}'"):
        presets.from_dict(value, "mine.yaml")


@pytest.mark.parametrize("key", ["widths", "depths", "kernels"])
def test_a_missing_key_of_a_stage_is_named_with_its_stage(key: str) -> None:
    value = _plain(spaces.tiny())
    del value["stages"][1][key]
    with pytest.raises(errors.UsageError, match=rf"stages\[1\]: missing key '{key}'"):
        presets.from_dict(value)


def test_a_child_s_file_that_is_missing_names_those_beside_it(tmp_path: pathlib.Path) -> None:
    space = spaces.tiny()
    with pytest.raises(
        errors.UsageError, match=r"child_3.json cannot be read \(No such file [^;]*$"
    ):
        presets.child(space, tmp_path / "child_3.json")
    with pytest.raises(errors.UsageError, match=r"cannot be read \(File name too long\)$"):
        presets.child(space, "x" * 5000 + "/child.json")
    for name in ("child_1.json", "child_2.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(errors.UsageError, match=r"; beside it are child_1.json, child_2.json$"):
        presets.child(space, tmp_path / "child_3.json")


def test_a_kernel_of_1_is_refused_where_its_centres_are_others() -> None:
    value = _plain(spaces.tiny())
    value["stages"][1]["kernels"] = [1, 3]
    assert presets.from_dict(value).stages[1].kernels == (1, 3)
    value["padding"] = "same"
    with pytest.raises(errors.UsageError, match=r"\(1, 3\) at stride 2, where 1 would see other"):
        presets.from_dict(value)
    value["stages"][1]["kernels"] = [1]
    assert presets.from_dict(value).stages[1].kernels == (1,)


# Where the value goes, the value, and what the message must say.
_WRONG = [
    (("head_width",), [16], "unknown key 'head_width'; did you mean 'head_widths'"),
    (("stages", 0, "kernel"), [3], "stages[0]: unknown key 'kernel'; did you mean 'kernels'"),
    (("stages",), [], "'stages' must be a list of 1 to 100 stages"),
    (("stages",), 3, "'stages' must be a list"),
    (("stages", 2), [8], "stages[2] must be a mapping; got list"),
    (("stem_widths",), [6, 4], "stem_widths is [6, 4]; list each choice once, ascending"),
    (("stages", 1, "widths"), [6, 6], "stages[1]: widths is [6, 6]; list each choice once"),
    (("stages", 1, "kernels"), [3, 4], "stages[1]: kernels are (3, 4); only odd ones"),
    (("stages", 1, "stride"), 3, "stages[1]: stride is 3; choose 1 or 2"),
    (("stem_stride",), 3, "stem_stride is 3; choose 1 or 2"),
    (("stages", 0, "se_ratio"), 0.125, "stages[0]: se_ratio 0.125 of 4 channels leaves no squeeze"),
    (("stages", 0, "se_ratio"), 0.3, "stages[0]: se_ratio is 0.3; it is 0, or 1/n"),
    (("stages", 0, "se_ratio"), "a", "stages[0]: se_ratio is 'a'"),
    (("stages", 0, "se_ratio"), True, "stages[0]: se_ratio is True; it is 0, or 1/n"),
    (("stages", 0, "se_ratio"), float("nan"), "stages[0]: se_ratio is nan; it is 0, or 1/n"),
    (("stages", 0, "se_ratio"), float("inf"), "stages[0]: se_ratio is inf; it is 0, or 1/n"),
    (("stages", 0, "se_ratio"), 1e-320, "stages[0]: se_ratio is 1e-320; it is 0, or 1/n"),
    (("stages", 0, "se_ratio"), -0.25, "stages[0]: se_ratio is -0.25; it is 0, or 1/n"),
    (("stages", 0, "stride"), True, "stages[0]: stride is True; it takes positive integers"),
    (("stages", 0, "widths"), [4, 10**30], "16384 is the most that is allowed"),
    (("stages", 0, "depths"), [1, 10**9], "100 is the most that is allowed"),
    (("base_resolution",), 10**9, "8192 is the most that is allowed"),
    (("name",), 5, "name is 5; it takes text"),
    (("eval_resolutions",), [12, 14], "eval_resolutions must include the training ones"),
    (("eval_resolutions",), 16, "eval_resolutions must be a list"),
    (("train_resolutions",), 16, "train_resolutions must be a list"),
    (("head_widths",), [], "head_widths is []; it takes positive integers"),
    (("head_widths",), [16.0], "head_widths is [16.0]; it takes positive integers"),
    (("base_resolution",), "16", "base_resolution is '16'; it takes positive integers"),
    (("padding",), "valid", "padding is 'valid'; choose from"),
    (("base_resolution",), [16], "base_resolution must be"),
    (("stages", 0, "depths"), [0, 1], "stages[0]: depths is [0, 1]; it takes positive integers"),
    (("stages", 0, "widths"), 4, "stages[0]: widths must be a list"),
    (("stages", 0, "expands"), True, "stages[0]: expands is True"),
    (("stages", 0, "expands"), [65], "expands is [65]; 64 is the most"),
    (("stages", 0, "activation"), "gelu", "stages[0]: activation is 'gelu'; choose from"),
    (("stages", 0, "tied"), 1, "stages[0]: tied is 1; it takes true or false"),
    (("style",), "mobile", "style must be a mapping; got str"),
    (("style",), {"skip": "equal"}, "style: unknown key 'skip'; did you mean 'skips'"),
    (("style",), {"skips": ["equal"]}, "style: skips is ['equal']; choose from"),
    (("style",), {"epsilon": 0}, "style: epsilon is 0; it takes a number above 0"),
    (("style",), {"epsilon": "1e-5"}, "style: epsilon is '1e-5'; it takes a number above 0"),
    (("style",), {"pixel_mean": [0.4]}, "pixel_mean has 1 channels, pixel_deviation 0"),
    (("style",), {"pixel_mean": 0.4}, "style: pixel_mean is 0.4; it takes a list of numbers"),
    (("style",), {"pixel_deviation": [0]}, "style: pixel_deviation is [0]; each is above 0"),
    (("style",), {"squeeze_excite": {"of": "both"}}, "style: squeeze_excite: of is 'both'; choose"),
    (("style",), {"squeeze_excite": {"divisor": 0}}, "squeeze_excite: divisor is 0; it takes 1 to"),
]  # fmt: skip


@pytest.mark.parametrize(("place", "wrong", "message"), _WRONG)
def test_a_wrong_value_is_named(place: tuple[str | int, ...], wrong: Any, message: str) -> None:
    value: Any = copy.deepcopy(_plain(spaces.tiny()))
    holder = value
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = wrong
    with pytest.raises(errors.UsageError) as caught:
        presets.from_dict(value, "mine.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("mine.yaml")
