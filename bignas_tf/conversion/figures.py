"""What was measured of an export and of its other formats; `report.json` is the plain form."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from bignas_tf.accuracy import Accuracy
from bignas_tf.conversion.operations import Operations


@dataclasses.dataclass(frozen=True)
class FormatFigures:
    """Figures of one format, all on the same images.

    Attributes:
      accuracy: its top-1.
      lost: what its top-1 is below the SavedModel's.
      lost_error: the standard error of that, of paired answers.
      agreement: how often its best class is the SavedModel's.
      max_difference: of its logits from the SavedModel's.
      milliseconds: of one image, by threads.
      bytes: size of its file; None for the SavedModel.
      operations: of a LiteRT file, what runs how.
      sha256: of its file; None for the SavedModel.
    """

    accuracy: Accuracy
    lost: float
    lost_error: float
    agreement: float
    max_difference: float
    milliseconds: Mapping[str, float]
    bytes: int | None = None
    operations: Operations | None = None
    sha256: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain form, without what the format does not have."""
        operations = dataclasses.asdict(self.operations) if self.operations else None
        of_files = {"bytes": self.bytes, "operations": operations, "sha256": self.sha256}
        return {
            "top1": self.accuracy.top1,
            "top1_standard_error": self.accuracy.error,
            "top1_lost": self.lost,
            "top1_lost_standard_error": self.lost_error,
            "agreement": self.agreement,
            "max_difference": self.max_difference,
            "milliseconds": dict(self.milliseconds),
            **{name: value for name, value in of_files.items() if value is not None},
        }


@dataclasses.dataclass(frozen=True)
class ConversionReport:
    """Figures of an export's formats.

    Attributes:
      split: the images.
      proof_sha256: of the export's proof, which tells exports apart.
      largest_logit: of the SavedModel, in absolute value.
      formats: by name, "saved_model" first.
    """

    split: str
    proof_sha256: str
    largest_logit: float
    formats: Mapping[str, FormatFigures]

    @property
    def images(self) -> int:
        """How many images they were measured on."""
        return next(iter(self.formats.values())).accuracy.images

    def to_json(self) -> dict[str, Any]:
        """Returns the content of `report.json`."""
        return {
            "split": self.split,
            "proof_sha256": self.proof_sha256,
            "images": self.images,
            "largest_logit": self.largest_logit,
            "formats": {name: each.to_json() for name, each in self.formats.items()},
        }
