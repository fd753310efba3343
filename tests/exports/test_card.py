"""Names of classes stay data, whatever is in them."""

from __future__ import annotations

import pytest
import tf_keras

from bignas_tf.conversion import metadata
from bignas_tf.exports import card
from bignas_tf.modeling import child as child_lib
from tests.modeling import helpers
from tests.search_space import spaces

LABELS = ["cat", "../up", "```\n# a heading", "\x1b[31mred\0", "half \ud800", "\u732b"]


@pytest.fixture(scope="module")
def child() -> tf_keras.Model:
    return child_lib.build_child(spaces.tiny(), spaces.tiny().smallest(), helpers.CLASSES)


def test_a_card_has_a_line_for_each_class(child: tf_keras.Model) -> None:
    text = card.render({}, child, LABELS)
    assert text.encode()  # it can be written
    lines = text.split("## Classes\n\n```\n")[1].split("\n```\n")[0].split("\n")
    assert lines == [
        "0 cat",
        "1 ../up",
        r"2 ```\n# a heading",
        r"3 \x1b[31mred\x00",
        r"4 half \ud800",
        "5 \u732b",
    ]


def test_a_card_has_a_line_for_each_block(child: tf_keras.Model) -> None:
    text = card.render({}, child, LABELS)
    blocks = [line for line in text.splitlines() if line.startswith("stage")]
    assert blocks == [
        f"stage1_block1    {'MBConv1 3x3, squeeze-and-excite':<42} 6 x 6 x 4",
        f"stage2_block1    {'MBConv2 3x3, stride 2, squeeze-and-excite':<42} 3 x 3 x 6",
        f"stage3_block1    {'MBConv2 3x3':<42} 3 x 3 x 8",
        f"stage3_block2    {'MBConv2 3x3':<42} 3 x 3 x 8",
    ]


def test_blocks_without_a_skip_and_a_mixed_head_have_lines() -> None:
    space = spaces.mobile()
    child = child_lib.build_child(space, space.smallest(), helpers.CLASSES)
    lines = card.render({}, child, LABELS).split("## Architecture\n\n```\n")[1].splitlines()
    assert lines[2 : lines.index("```")] == [
        f"stage1_block1    {'MBConv1 3x3':<42} 8 x 8 x 8",
        f"stage2_block1    {'MBConv2 3x3, stride 2, squeeze-and-excite':<42} 4 x 4 x 16",
        f"stage3_block1    {'MBConv2 3x3':<42} 4 x 4 x 16",
        f"head             {'conv 1x1':<42} 4 x 4 x 96",
        f"                 {'mean of positions, dense':<42} 16",
        f"classifier       {'dense':<42} 5",
    ]


def test_what_people_typed_stays_text(child: tf_keras.Model) -> None:
    typed = "<script>alert(1)</script>\n# a [link](x) \ud800 `code` __b__"
    made_of = {"checkpoint": "run`/ckpt-<b>7"}
    origin = {"supernet": typed, "address": typed, "file": "a", "licence": typed}
    told = {"licence": typed, "data": typed, "source": made_of, "origin": origin}
    text = card.render(told, child, LABELS)
    shown = r"&lt;script&gt;alert(1)&lt;/script&gt; # a \[link\](x) ? \`code\` \_\_b\_\_"
    assert f"\n- licence: {shown}\n" in text
    assert f"\n- weights trained by others: {shown}, {shown}, `a`\n" in text
    assert f"\n- their licence: {shown}\n" in text
    assert f"\n- data: {shown}\n" in text
    assert "\n- checkpoint: `run'/ckpt-<b>7`, step unknown\n" in text
    assert text.encode()


def test_of_many_classes_it_names_the_first_and_the_last(child: tf_keras.Model) -> None:
    text = card.render({}, child, [f"class\n{number}" for number in range(100)])
    assert "```\n0 class\\n0\n...\n99 class\\n99\n(see labels.json)\n```" in text


def test_a_list_of_labels_has_a_line_for_each_class() -> None:
    lines = metadata.label_lines(LABELS).encode().decode().splitlines()
    assert lines == ["cat", "../up", "``` # a heading", "\x1b[31mred\0", "half ?", "\u732b"]
