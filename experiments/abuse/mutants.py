"""Damaged forms of a valid file: bytes that a disk, an editor or a stranger might leave there."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

Mutants = st.SearchStrategy[bytes]

_ODD_NUMBERS = [0, -1, 2**31, 2**63, 10**400, 0.5, -1e-320, 1e308, float("inf"), float("nan")]
_ODD_TEXT = ["", " ", "\x00", "\ud800", "../../x", "<script>", "1", "nan", "x" * 5000, "{}"]
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.sampled_from(_ODD_NUMBERS),
    st.floats(),
    st.sampled_from(_ODD_TEXT),
    st.text(max_size=8),
)
VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
_DEEP = 3000  # deeper than any parser should follow


def of_bytes(valid: bytes) -> Mutants:
    """Cut, flipped, overwritten or lengthened."""
    places = st.integers(0, max(len(valid) - 1, 0))

    def flipped(at: list[tuple[int, int]]) -> bytes:
        changed = bytearray(valid)
        for place, bits in at:
            changed[place] ^= bits
        return bytes(changed)

    def written(place: int, more: bytes, over: bool) -> bytes:
        return valid[:place] + more + valid[place + len(more) * over :]

    flips = st.lists(st.tuples(places, st.integers(1, 255)), min_size=1, max_size=8)
    return st.one_of(
        places.map(lambda place: valid[:place]),
        flips.map(flipped) if valid else st.just(b""),
        st.builds(written, places, st.binary(min_size=1, max_size=64), st.booleans()),
    )


def of_json(valid: bytes) -> Mutants:
    """Still JSON, with values dropped, retyped or added; or damaged as bytes."""
    deep = st.sampled_from([b"[" * _DEEP, b'{"a":' * _DEEP])
    plain = _of_plain(json.loads(valid), lambda value: json.dumps(value).encode())
    return st.one_of(plain, plain, of_bytes(valid), deep)


def of_lines(valid: bytes) -> Mutants:
    """JSON lines of which one is damaged, dropped or repeated."""
    lines = valid.splitlines(keepends=True)

    def replaced(number: int) -> Mutants:
        def put(line: bytes) -> bytes:
            return b"".join([*lines[:number], line, *lines[number + 1 :]])

        twice = st.sampled_from([b"", lines[number] * 2])
        return (of_json(lines[number]).map(lambda line: line + b"\n") | twice).map(put)

    return st.integers(0, len(lines) - 1).flatmap(replaced) | of_bytes(valid)


def of_archive(valid: bytes) -> Mutants:
    """A zip archive of which one file is damaged and its checksum right; or damaged as bytes."""
    with zipfile.ZipFile(io.BytesIO(valid)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    def replaced(name: str) -> Mutants:
        def put(content: bytes) -> bytes:
            written = io.BytesIO()
            with zipfile.ZipFile(written, "w") as archive:
                for member, whole in members.items():
                    archive.writestr(member, content if member == name else whole)
            return written.getvalue()

        return of_bytes(members[name]).map(put)

    # Half of them in the longest, which says what the others are.
    longest = max(members, key=lambda name: len(members[name]))
    damaged = st.one_of(st.just(longest), st.sampled_from(list(members))).flatmap(replaced)
    return damaged | of_bytes(valid)


def of_yaml(valid: bytes) -> Mutants:
    """Still YAML, with values dropped, retyped or added; or damaged as bytes."""
    odd = st.sampled_from(
        [
            *(b"&a [*a]", b"a: &b [x]\nc: [*b, *b]", b"? [1]\n: 2", b"- " * _DEEP),
            *(b"a: !!bool x", b"a: !!timestamp x", b'a: !!int ""', b'a: "\\UFFFFFFFF"'),
        ]
    )
    plain = _of_plain(yaml.safe_load(valid), _yaml)
    return st.one_of(plain, plain, of_bytes(valid), odd)


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")


def _of_plain(valid: Any, dump: Callable[[Any], bytes]) -> Mutants:
    paths = list(_paths(valid))
    change = st.tuples(st.sampled_from(paths), st.sampled_from(list(_CHANGES)), VALUES)

    def changed(changes: list[tuple[tuple[Any, ...], str, Any]]) -> bytes:
        root = [copy.deepcopy(valid)]
        for path, how, value in changes:
            _apply(root, (0, *path), how, value)
        return dump(root[0] if root else None)

    return st.lists(change, min_size=1, max_size=3).map(changed)


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """Where every part of plain data is, the whole first."""
    yield ()
    if isinstance(value, dict):
        parts = list(value.items())
    else:
        parts = list(enumerate(value)) if isinstance(value, list) else []
    for key, part in parts:
        for path in _paths(part):
            yield (key, *path)


def _put(holder: Any, key: Any, value: Any) -> None:
    holder[key] = value


def _drop(holder: Any, key: Any, value: Any) -> None:
    del value, holder[key]


def _add(holder: Any, key: Any, value: Any) -> None:
    """A further item, or a field of a strange name, in what is there."""
    inner = holder[key]
    if isinstance(inner, list):
        inner.append(inner[0] if inner else value)
    elif isinstance(inner, dict):
        inner["strange"] = value


def _wrap(holder: Any, key: Any, value: Any) -> None:
    del value
    holder[key] = [holder[key]]


_CHANGES = {"put": _put, "drop": _drop, "add": _add, "wrap": _wrap}


def _apply(root: list[Any], path: tuple[Any, ...], how: str, value: Any) -> None:
    """Applies a change, unless an earlier one has removed its place."""
    *inner, last = path
    holder: Any = root
    try:
        for key in inner:
            holder = holder[key]
        _CHANGES[how](holder, last, copy.deepcopy(value))
    except (KeyError, IndexError, TypeError):
        return
