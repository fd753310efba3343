"""Reads every image that a configuration names, and names those that cannot be used.

  python -m tools.check_images --config_file=photos.yaml

Do this before a long training: it reads the images of training alone, and a damaged one that ranks
or reports shows only in the search. A line for each image that cannot be decoded or whose label is
out of range; exit code 2 if there is any. If there is none, a warning of copies of images among
those of other splits, and of photographs that are marked as turned (EXIF).
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import configs
from .cli import launch

configs.define_flags()
_MOST = flags.DEFINE_integer("most", 100, "Faults after which it stops.", lower_bound=1)


def main() -> None:
    faults = bignas.check_images(configs.configured(), most=_MOST.value)
    for fault in faults:
        print(fault)
    if faults:
        stopped = " at least (--most)" if len(faults) == _MOST.value else ""
        raise bignas.UsageError(f"images that cannot be used: {len(faults):,}{stopped}")


if __name__ == "__main__":
    launch(main)
