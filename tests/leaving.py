"""A worker that shares a word with the others, and leaves them.

The chief reads from a FIFO on its way, so that a test decides when it is done. Whatever has
happened stands in a file, in its order.
"""

from __future__ import annotations

import pathlib
import sys

from bignas_tf import workers
from bignas_tf.api import devices

if __name__ == "__main__":
    fifo, events = map(pathlib.Path, sys.argv[1:])

    def note(event: str) -> None:
        with events.open("a") as file:
            file.write(f"{event}\n")

    strategy = devices.evaluation_strategy(multi_worker=True)
    with workers.together(strategy):
        word = workers.sharing(strategy)("a word" if workers.is_chief(strategy) else "")
        print(word, flush=True)
        if workers.is_chief(strategy):
            with fifo.open("rb", buffering=0) as gate:
                gate.read(1)
            note("the chief is done")
    if not workers.is_chief(strategy):
        note("the other leaves")
