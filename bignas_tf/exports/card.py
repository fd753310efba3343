"""The model card that people read; `child.json` beside it has the same for programs."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tf_keras
from tf_keras import layers

from bignas_tf.accuracy import Accuracy, percent
from bignas_tf.exports.sliced_graph import AnyChild, SlicedGraph

CARD_FILE = "card.md"
_MOST_LABELS = 20
_CALL = """\
```python
import tensorflow as tf

model = tf.saved_model.load("the folder of this file").signatures["image_bytes"]
answer = model(image_bytes=tf.constant([open("image.png", "rb").read()]))
print(answer["top_labels"][0, 0].numpy().decode(), answer["top_probabilities"][0, 0].numpy())
```"""
_TRAIN = """\
The graph is frozen. `weights.npz` has the same weights, batch norms apart, by the names of stock
Keras layers. `bignas_tf.backbone("the folder of this file")` loads them as a Keras model that gives
features at several strides, and the Model Garden takes them as the backbone `bignas_child`."""
_TRAIN_GRAPH = """\
The graph is frozen, and its layers are those of {network}: train that supernet on, and export the
child again. The signature `child` is the child alone, from float32 images in [-1, 1]."""


def render(card: Mapping[str, Any], child: AnyChild, labels: Sequence[str]) -> str:
    """Writes the card in Markdown; what `card` does not hold is said to be unknown.

    Args:
      card: what becomes `child.json`.
      child: that is exported.
      labels: of the classes, in their order.
    """
    if isinstance(child, SlicedGraph):
        drawing = [f"{name}: {json.dumps(what)}" for name, what in card["architecture"].items()]
        training = _TRAIN_GRAPH.format(network=_code(card.get("network", "unknown")))
    else:
        drawing, training = list(_drawing(child)), _TRAIN
    since = "fine-tuned" if "finetuned" in card else "not trained again"
    parts = [
        f"# Model card\n\nAn image classifier, cut out of a supernet (BigNAS) and {since}.",
        "## Figures\n\n" + "\n".join(f"- {line}" for line in _figures(card)),
        f"## Classes\n\n```\n{_classes(labels)}\n```",
        "## Architecture\n\n```\n" + "\n".join(drawing) + "\n```",
        "## How to call it\n\n" + _CALL,
        "## How to train it further\n\n" + training,
    ]
    return "\n\n".join(parts) + "\n"


def render_cascade(card: Mapping[str, Any], labels: Sequence[str]) -> str:
    """Writes the card of a cascade in Markdown.

    Args:
      card: what becomes `cascade.json`.
      labels: of the classes, in their order.
    """
    parts = [
        "# Model card\n\nAn image classifier: a cascade of children cut out of one supernet "
        "(BigNAS). A child answers if the probability of its best class reaches its threshold; "
        "otherwise the next is asked. The cascade is not part of the paper.",
        "## Figures\n\n" + "\n".join(f"- {line}" for line in _figures(card)),
        "## Children\n\n" + "\n".join(_children(card)),
        f"## Classes\n\n```\n{_classes(labels)}\n```",
        "## How to call it\n\n" + _CALL + "\n\nThe signature of a child's name asks that child "
        "alone, with `images`; its name with `_bytes` takes `image_bytes`.",
    ]
    return "\n\n".join(parts) + "\n"


def _children(card: Mapping[str, Any]) -> Iterator[str]:
    """A table of the children, those of the cascade first and in their order."""
    cascade, children = card["cascade"], card["children"]
    cost = " ".join(_text(card["objective"][key]) for key in ("unit", "title"))
    asked = cascade["children"]
    thresholds = [f"from {threshold:.9g} on" for threshold in cascade["thresholds"]]
    roles = dict(zip(asked, [*thresholds, "always"], strict=True))
    shares = dict(zip(asked, card["shares"], strict=True))
    yield f"| child | answers | of the images | alone, top-1 | {cost} |"
    yield "|---|---|---|---|---|"
    for name in [*asked, *(name for name in children if name not in roles)]:
        alone = Accuracy.from_json(children[name]["accuracy"])
        share = percent(shares[name]) if name in shares else "-"
        yield (
            f"| {name} | {roles.get(name, 'by its own signature')} | {share} "
            f"| {alone} "
            f"| {children[name]['cost']:.4g} |"
        )
    yield f"\nOn average an image takes {card['mean_cost']:.4g} {cost}."


def _figures(card: Mapping[str, Any]) -> Iterator[str]:
    accuracy, source = card.get("accuracy"), card.get("source", {})
    if accuracy:
        measured, split = Accuracy.from_json(accuracy), _code(accuracy["split"])
        yield (
            f"top-1 accuracy: {measured} (standard error) on {measured.images:,} images of {split}"
        )
    if file := card.get("converted"):
        measured, lost = Accuracy.from_json(file), file["top1_lost"]
        yield (
            f"as {_code(file['format'])}: {measured} "
            f"on {measured.images:,} images of {_code(file['split'])}, which chose it; "
            f"{100 * lost:.2f} ± {100 * file['top1_lost_standard_error']:.2f} points lost"
        )
    for key, what in [
        ("macs", "multiply-adds"),
        ("params", "parameters"),
        ("peak_activation_bytes", "bytes of the largest activations at one time"),
    ]:
        if key in card:
            yield f"{what}: {card[key]:,}"
    if "calibration" in card:
        calibration = card["calibration"]
        images = f"{calibration['images']:,} images of {_code(calibration['split'])}"
        yield f"batch norms calibrated on {images}"
    yield f"data: {_text(card.get('data', 'unknown'))}"
    yield f"licence: {_text(card.get('licence') or 'not given; ask whoever trained it')}"
    if origin := card.get("origin"):
        whose = ", ".join(_text(origin.get(key, "unknown")) for key in ("supernet", "address"))
        yield f"weights trained by others: {whose}, {_code(origin.get('file', 'unknown'))}"
        yield f"their licence: {_text(origin.get('licence', 'unknown'))}"
    checkpoint = _code(source.get("checkpoint", "unknown"))
    yield f"checkpoint: {checkpoint}, step {source.get('step', 'unknown')}"
    yield f"SHA-256 of that checkpoint's index: {_code(source.get('index_sha256', 'unknown'))}"
    yield f"TensorFlow {card.get('tensorflow', 'unknown')}"


def _text(value: object) -> str:
    """One line, in which HTML and Markdown stay what their writer typed."""
    line = html.escape(_one_line(value), quote=False)
    return re.sub(r"([\\`*_~\[\]])", r"\\\1", line)


def _code(value: object) -> str:
    """A code span, which has no escapes: a backtick would end it."""
    return "`" + _one_line(value).replace("`", "'") + "`"


def _one_line(value: object) -> str:
    # Half a surrogate pair, which a path may have, cannot be written.
    return " ".join(str(value).encode(errors="replace").decode().split())


def _classes(labels: Sequence[str]) -> str:
    """A line each; of many the first and the last. Names are escaped: they stay data."""
    lines = [f"{number} {repr(name)[1:-1]}" for number, name in enumerate(labels)]
    if len(lines) <= _MOST_LABELS:
        return "\n".join(lines)
    return f"{lines[0]}\n...\n{lines[-1]}\n(see labels.json)"


def _drawing(child: tf_keras.Model) -> Iterator[str]:
    """A line for each block: its operations, and the side and channels of what it gives."""
    yield f"{'input':<16} {'':<42} {_shape(child.input_shape)}"
    stem = child.get_layer("stem_conv")
    yield _line("stem", f"conv 3x3, stride {stem.strides[0]}", stem)
    names = {layer.name for layer in child.layers}
    for layer in child.layers:
        if isinstance(layer, layers.DepthwiseConv2D):
            block = layer.name.removesuffix("_depthwise_conv")
            operations = _operations(child, block, layer, names)
            added = f"{block}_add"  # where there is a skip
            last = added if added in names else f"{block}_project_norm"
            yield _line(block, operations, child.get_layer(last))
    yield _line("head", "conv 1x1", child.get_layer("head_conv"))
    if "head_mix" in names:
        features = child.get_layer("head_mix").output_shape[-1]
        yield f"{'':<16} {'mean of positions, dense':<42} {features}"
    reads = "dense" if "head_mix" in names else "mean of positions, dense"
    yield f"{'classifier':<16} {reads:<42} {child.output_shape[-1]}"


def _operations(child: tf_keras.Model, block: str, depthwise: layers.Layer, names: set[str]) -> str:
    expand = f"{block}_expand_conv"
    ratio = 1
    if expand in names:
        expansion = child.get_layer(expand)
        ratio = expansion.filters // expansion.input_shape[-1]
    parts = [f"MBConv{ratio} {depthwise.kernel_size[0]}x{depthwise.kernel_size[0]}"]
    if depthwise.strides[0] > 1:
        parts.append(f"stride {depthwise.strides[0]}")
    if f"{block}_squeeze_excite_reduce" in names:
        parts.append("squeeze-and-excite")
    return ", ".join(parts)


def _line(name: str, operations: str, layer: layers.Layer) -> str:
    return f"{name:<16} {operations:<42} {_shape(layer.output_shape)}"


def _shape(shape: Sequence[int]) -> str:
    _, height, width, channels = shape
    return f"{height} x {width} x {channels}"
