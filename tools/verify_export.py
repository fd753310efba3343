"""Runs one export through every runtime that is installed, and prints a table.

  python -m tools.verify_export runs/fashion_mnist/export/1

The images and the logits to expect lie in the export. Exits with 1 where a runtime that ran
disagrees; runtimes that are not installed are named. Milliseconds are of one image, with the
threads that each runtime takes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cli import launch, no_chatter

_COLUMNS = "{:<28} {:<6} {:<15} {:<10} {:<7} {}"


def main(argv: Sequence[str]) -> None:
    no_chatter()
    import pathlib

    from bignas_tf import commands, errors
    from bignas_tf.export import runtimes

    if len(argv) != 2:
        raise errors.UsageError(f"give one folder: {commands.spelling('verify_export')} EXPORT_DIR")
    print(_COLUMNS.format("runtime", "loads", "max difference", "agreement", "ms", "verdict"))
    failed = []
    for outcome in runtimes.check(pathlib.Path(argv[1])):
        print(_line(outcome), flush=True)
        if not outcome.passed:
            failed.append(outcome.runtime.name)
    if failed:
        raise errors.RunError(f"{argv[1]} failed in: {', '.join(failed)}")


def _line(outcome: Any) -> str:
    name = outcome.runtime.name
    if outcome.skipped:
        return _COLUMNS.format(name, "-", "-", "-", "-", f"skipped: {outcome.skipped}")
    if outcome.problem:
        return _COLUMNS.format(name, "NO", "-", "-", "-", outcome.problem)
    verdict = "ok" if outcome.passed else f"WRONG: {outcome.allowed:.2g} is allowed"
    time = "-" if outcome.milliseconds != outcome.milliseconds else f"{outcome.milliseconds:.3f}"
    difference, agreement = f"{outcome.difference:.2g}", f"{outcome.agreement:.4f}"
    return _COLUMNS.format(name, "yes", difference, agreement, time, verdict)


if __name__ == "__main__":
    launch(main, most_arguments=1)
