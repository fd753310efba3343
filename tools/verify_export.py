"""Runs one export through every runtime that is installed, and prints a table.

  python -m tools.verify_export runs/fashion_mnist/export/1

The images and the expected logits are in the export. Exits with 1 if a runtime disagrees; runtimes
that are not installed are named. Milliseconds are those of one image, with the number of threads
that each runtime chooses itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import bignas_tf as bignas
from bignas_tf import commands

from .cli import launch, no_chatter


def main(argv: Sequence[str]) -> None:
    no_chatter()
    if len(argv) != 2:
        raise bignas.UsageError(f"give one folder: {commands.spelling('verify_export')} EXPORT_DIR")
    outcomes = bignas.verify(argv[1])
    failed = [outcome.runtime.name for outcome in outcomes if not outcome.passed]
    if failed:
        raise bignas.RunError(f"{argv[1]} failed in: {', '.join(failed)}")


if __name__ == "__main__":
    launch(main, most_arguments=1)
