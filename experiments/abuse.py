"""What does the project survive? Damaged files, thousands of them, for every reader.

  python -m experiments.abuse --model_dir=runs/quickstart [--cases=10000] [--seed=0]

The run gives the valid files, so it must have been judged, searched and exported, as the
quickstart's is. A damaged file may be read, or refused with a message of the project; a
traceback, a hang, a message of pages or a changed file is a failure, and exit code 1. Each
failing form is kept in --work_dir. Result: abuse.json in --results_dir.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Sequence

from absl import flags

from bignas_tf import errors
from tools.cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Of a finished quickstart.", required=True)
_CASES = flags.DEFINE_integer("cases", 10_000, "Damaged files, of all readers.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the damage.")
_FILES = flags.DEFINE_list("files", [], "Only these of the damaged files; all if empty.")
_WORK_DIR = flags.DEFINE_string("work_dir", "runs/abuse", "Keeps what failed.")
_RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "Of abuse.json.")


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from bignas_tf import files
    from experiments.abuse_parts import damaged, readers

    known = [reader.file for reader in readers.READERS]
    unknown = sorted(set(_FILES.value) - set(known))
    if unknown:
        raise errors.UsageError(f"--files has {unknown[0]!r}; choose from {known}")
    chosen = [each for each in readers.READERS if each.file in (_FILES.value or known)]
    work_dir = files.ensure_writable(_WORK_DIR.value)
    outcomes = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary, "valid")
        folder.mkdir()
        readers.copy_run(folder, pathlib.Path(_MODEL_DIR.value))
        readers.make_others(folder)
        for reader in chosen:
            keep = _Kept(work_dir, reader.file)
            cases = -(-_CASES.value // len(chosen))
            outcome = damaged.check(reader, folder, cases, _SEED.value, keep)
            print(
                f"{reader.file}: {outcome.cases} forms, {outcome.taken} read, {outcome.refused} "
                f"refused, {sum(outcome.failures.values())} failed, the slowest "
                f"{outcome.slowest_s:.1f} s",
                flush=True,
            )
            outcomes.append(outcome)
    failures = sum(sum(outcome.failures.values()) for outcome in outcomes)
    plain = {
        "seed": _SEED.value,
        "cases": sum(outcome.cases for outcome in outcomes),
        "failures": failures,
        "peak_mb": round(damaged.peak_mb()),
        "files": [outcome.to_json() for outcome in outcomes],
    }
    files.write_json(pathlib.Path(_RESULTS_DIR.value, "abuse.json"), plain)
    if failures:
        raise errors.RunError(f"{failures} of {plain['cases']} failed; their forms: {work_dir}")


class _Kept:
    """Keeps the first form of each failure of a file, and says where."""

    def __init__(self, folder: pathlib.Path, file: str) -> None:
        self._folder, self._file = folder, file
        self._kinds: dict[str, pathlib.Path] = {}

    def __call__(self, kind: str, form: bytes) -> None:
        if kind in self._kinds:
            return
        name = f"{self._file.replace('/', '_')}.{len(self._kinds)}"
        self._kinds[kind] = path = self._folder / name
        path.write_bytes(form)
        print(f"{self._file}: {kind}: {path}", flush=True)


if __name__ == "__main__":
    launch(main)
