"""Runs one export through every runtime that is installed, and prints a table.

  python -m tools.verify_export runs/fashion_mnist/export/1

The folder may be given as --export_dir, too, as other tools take it. The images and the expected
logits are in the export. Exits with 1 if a runtime disagrees; runtimes that are not installed are
named. Milliseconds are those of one image, with the number of threads that each runtime chooses
itself.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas
from bignas_tf import commands

from .cli import launch

_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Folder of one version.")


def main(*given: str) -> None:
    folders = [*given, *filter(None, [_EXPORT_DIR.value])]
    if len(folders) != 1 or not folders[0]:
        raise bignas.UsageError(f"give one folder: {commands.spelling('verify_export')} EXPORT_DIR")
    (folder,) = folders
    outcomes = bignas.verify(folder)
    failed = [outcome.runtime.name for outcome in outcomes if not outcome.passed]
    if failed:
        raise bignas.RunError(f"{folder} failed in: {', '.join(failed)}")


if __name__ == "__main__":
    launch(main, most_arguments=1)
