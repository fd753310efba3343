"""Odd requests to a served child: each is answered or refused, and it goes on serving.

After every so many odd requests a good one must have the answer that it had at first, and memory
must not grow.
"""

from __future__ import annotations

import http.client
import pathlib
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from bignas_tf.exports import proof as proof_lib
from experiments.abuse.ways import WAYS, Way
from experiments.journal import Journal

_EVERY = 50  # odd requests between two good ones
_SETTLED = 0.3  # of the requests; what grows after them is a leak
_MOST_GROWTH_MB = 64


def check_all(
    version: pathlib.Path, requests: int, seed: int, journal: Journal
) -> dict[str, dict[str, Any]]:
    """Sends odd requests by each way, but by those whose outcome is in the journal.

    Args:
      version: an export of a quickstart's run.
      requests: by each way.
      seed: of them.
      journal: keeps each outcome.

    Returns:
      The outcome of each way by its name.
    """
    image, outcomes = good_image(version), {}

    def send(name: str) -> dict[str, Any]:
        outcome = check(WAYS[name](version), image, requests, seed)
        print(f"{name}: {outcome}", flush=True)
        return outcome

    for name in WAYS:
        key = {"part": "requests", "way": name, "requests": requests, "seed": seed}
        outcomes[name] = journal.once(key, send, name).result
    return outcomes


def check(way: Way, image: bytes, requests: int, seed: int) -> dict[str, Any]:
    """Sends odd requests, with good ones between them.

    Args:
      way: into the served child; closed at the end.
      image: a good one, PNG.
      requests: how many odd ones.
      seed: of them.

    Returns:
      How many were answered and refused, what failed, and how memory grew after the first third.
    """
    rng, ended, failures = np.random.default_rng(seed), {"answered": 0, "refused": 0}, []
    number, settled = 0, 0.0
    try:
        expected = way.good(image)
        for number in range(requests):
            ended[way.odd(rng, image)] += 1
            if number % _EVERY == 0:
                answer = way.good(image)
                if not np.allclose(answer, expected, atol=1e-6):
                    failures.append(f"request {number}: the next good one has another answer")
            if number == int(_SETTLED * requests):
                settled = way.resident_mb()
        grown = way.resident_mb() - settled
    except (OSError, EOFError, grpc.RpcError, http.client.HTTPException) as error:
        return ended | {"failures": [*failures, f"request {number}: {type(error).__name__}"]}
    finally:
        way.close()
    if grown > _MOST_GROWTH_MB:
        failures.append(f"memory grew by {grown:.0f} MB")
    return ended | {"failures": failures, "grown_mb": round(grown, 1)}


def good_image(version: pathlib.Path) -> bytes:
    """An image that the export was verified with, as PNG."""
    patches = proof_lib.read(version).patches
    return bytes(tf.io.encode_png(patches[0]).numpy())
