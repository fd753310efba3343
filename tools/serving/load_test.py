"""Measures a server: throughput and latencies at several numbers of concurrent clients.

  python -m tools.serving.load_test --server=localhost:8500 [--rest] [--model=child] a.png b.jpg

Prints one JSON line for each concurrency: concurrency, requests, failed, images_per_s, and the
50th, 90th and 99th percentile of the latency in milliseconds. Every client sends its next request
when it has the answer to the previous one. The clients are threads of one Python process, which
limits the load: to saturate a large server, start several processes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent import futures

from absl import flags

import bignas_tf as bignas

from ..cli import launch
from . import clients

clients.define_flags()
_CONCURRENCIES = flags.DEFINE_list(
    "concurrencies", ["1", "2", "4", "8"], "Numbers of concurrent clients."
)
_REQUESTS = flags.DEFINE_integer("requests", 200, "Requests for each concurrency.", lower_bound=1)
_BATCH = flags.DEFINE_integer("batch", 1, "Images in a request.", lower_bound=1)


def main(*paths: str) -> None:
    clients.require_images(paths)
    concurrencies = [int(text) if text.isdecimal() else 0 for text in _CONCURRENCIES.value]
    if not concurrencies or min(concurrencies) < 1:
        raise bignas.UsageError(f"--concurrencies: {_CONCURRENCIES.value}; give numbers from 1")
    if max(concurrencies) > _REQUESTS.value:
        raise bignas.UsageError(
            f"--requests={_REQUESTS.value} are too few for {max(concurrencies)} clients; give at "
            "least one each, better dozens"
        )
    images = itertools.cycle(_images(paths))
    batches = [[next(images) for _ in range(_BATCH.value)] for _ in range(_REQUESTS.value)]
    for concurrency in concurrencies:
        print(json.dumps(_measure(concurrency, batches)), flush=True)


def _images(paths: Sequence[str]) -> list[bytes]:
    """Returns the images, each accepted by the server; a refused one would fail its requests."""
    images = [clients.read(path) for path in paths]
    with contextlib.closing(clients.of_flags()) as client:
        for path, image in zip(paths, images, strict=True):
            clients.classify(client, path, image)
    return images


def _measure(concurrency: int, batches: Sequence[Sequence[bytes]]) -> dict[str, float]:
    """Sends every batch once, over `concurrency` clients.

    Raises:
      UsageError, RunError: the first request of a client, which is not counted, fails.
    """
    import numpy as np

    # Whoever is free takes the next one, so that all are busy until the end.
    waiting: queue.SimpleQueue[Sequence[bytes]] = queue.SimpleQueue()
    for batch in batches:
        waiting.put(batch)
    with contextlib.ExitStack() as stack:
        connected = []
        for _ in range(concurrency):
            connected.append(stack.enter_context(contextlib.closing(clients.of_flags())))
            connected[-1].predict(batches[0])
        pool = stack.enter_context(futures.ThreadPoolExecutor(concurrency))
        began = time.perf_counter()
        with _none_left(waiting):
            latencies = [*itertools.chain(*pool.map(lambda each: _send(each, waiting), connected))]
        seconds = time.perf_counter() - began
    done = [latency for latency in latencies if latency is not None]
    if not done:
        raise bignas.RunError(f"{flags.FLAGS.server} answered none of {len(batches)} requests")
    p50, p90, p99 = np.percentile(done, [50, 90, 99]) * 1e3
    return {
        "concurrency": concurrency,
        "requests": len(batches),
        "failed": len(batches) - len(done),
        "images_per_s": round(len(done) * len(batches[0]) / seconds, 1),
        "p50_ms": round(p50, 2),
        "p90_ms": round(p90, 2),
        "p99_ms": round(p99, 2),
    }


@contextlib.contextmanager
def _none_left(waiting: queue.SimpleQueue[Sequence[bytes]]) -> Iterator[None]:
    """Leaves nothing to send if an exception passes, such as Ctrl-C: the pool waits for its end."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.get_nowait()
        raise


def _send(
    client: clients.Client, waiting: queue.SimpleQueue[Sequence[bytes]]
) -> list[float | None]:
    """Returns the seconds that each answer took; None for a failed request."""
    latencies: list[float | None] = []
    while True:
        try:
            batch = waiting.get_nowait()
        except queue.Empty:
            return latencies
        began = time.perf_counter()
        try:
            client.predict(batch)
        except (bignas.UsageError, bignas.RunError):
            latencies.append(None)
            # A connection that fails at once must not take the requests of those that answer.
            time.sleep(max((each for each in latencies if each), default=0.0))
        else:
            latencies.append(time.perf_counter() - began)


if __name__ == "__main__":
    launch(main, most_arguments=sys.maxsize)
