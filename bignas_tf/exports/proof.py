"""Real images and the answers to expect, kept in every export: it can be checked anywhere."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from bignas_tf import errors, files
from bignas_tf.exports import arrays, versions

PROOF_FILE = "proof.npz"
# The graph sums in another order than the supernet's, and the batch norms have scaled its
# kernels: they differ by float32 rounding, about 1e-6 of the largest logit.
RELATIVE_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Proof:
    """What an export must answer.

    Attributes:
      patches: uint8 [N, S, S, C], real images.
      logits: float32 [N, classes], the calibrated supernet's for them.
    """

    patches: np.ndarray
    logits: np.ndarray

    @property
    def largest(self) -> float:
        """The largest logit, at least 1: differences are measured relative to it."""
        return max(1.0, float(np.abs(self.logits).max()))

    @property
    def tolerance(self) -> float:
        """The largest difference of logits that float32 rounding explains."""
        return RELATIVE_TOLERANCE * self.largest

    def write(self, folder: pathlib.Path) -> None:
        """Adds it to an export that is being written."""
        np.savez_compressed(folder / PROOF_FILE, patches=self.patches, logits=self.logits)


def read(folder: pathlib.Path) -> Proof:
    """Reads an export's proof.

    Raises:
      UsageError: there is none, or it cannot be read.
    """
    path = folder / PROOF_FILE
    if not files.is_file(path):
        raise versions.no_version(folder)
    held = arrays.read(path)
    if missing := {"patches", "logits"} - held.keys():
        raise errors.UsageError(f"{path} has no {sorted(missing)}: export again")
    proof = Proof(held["patches"], held["logits"])
    images, logits = proof.patches.shape, proof.logits.shape
    if (len(images), len(logits)) != (4, 2) or images[0] != logits[0] or not proof.logits.size:
        raise errors.UsageError(
            f"{path} holds patches {list(images)} and logits {list(logits)}; [N, S, S, C] and "
            "[N, classes] are needed: export again"
        )
    return proof
