"""Where the weights of a run come from, if others trained them: who, and under which licence."""

from __future__ import annotations

import dataclasses
import os

from bignas_tf import files

FILE = "origin.json"


@dataclasses.dataclass(frozen=True)
class Origin:
    """What is known of a supernet that was imported.

    Attributes:
      supernet: its name, for people.
      licence: of its weights; it holds for every child and every run that starts from them.
      address: where it was published.
      file: the checkpoint's name.
      sha256: of the checkpoint.
    """

    supernet: str
    licence: str
    address: str
    file: str
    sha256: str

    def save(self, model_dir: str) -> None:
        """Writes it into the folder of a run."""
        files.write_json(os.path.join(model_dir, FILE), dataclasses.asdict(self))


def replace(model_dir: str, origin: Origin | None) -> None:
    """Writes the origin of a run that starts; of one that starts from nothing, leaves none."""
    path = os.path.join(model_dir, FILE)
    if origin:
        origin.save(model_dir)
    else:
        files.remove(path)


def read(model_dir: str) -> Origin | None:
    """The origin of a run's weights; None if they were trained here.

    Raises:
      UsageError: its file is damaged.
    """
    path = os.path.join(model_dir, FILE)
    if not files.is_file(path):
        return None
    with files.reading(path, "tools.import_supernet") as value:
        return Origin(**{f.name: value[f.name].text() for f in dataclasses.fields(Origin)})
