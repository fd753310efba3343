"""The scripts for TPUs on GCP as a user starts them."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

from tests.tools.shells import bash, path_with, program

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ("--name=tpu", "--zone=us-east1-d", "--project=mine")
RUN = ("--accelerator=v3-8", "--model_dir=gs://bucket/run")
ODD = """a='x y',b="$HOME";c=`id`\\"""

# Takes its arguments down in `calls`, a NUL after each and a line end after all. Each line of
# `states` is the answer to one list command: the state of the resource `tpu`, or nothing. Each line
# of `said` is what a script on the host says of itself: BROKEN where it cannot be reached.
GCLOUD = """#!/usr/bin/env bash
printf '%s\\0' "$@" >> calls
printf '\\n' >> calls
if [[ $* == *acceleratorType* ]]; then
  printf 'tpu2\\tv2-8\\ntpu\\tv3-8\\n'
elif [[ $* == *' list '* ]]; then
  state=$(head -n 1 states)
  sed -i 1d states
  [[ $state != BROKEN ]] || exit 1
  printf 'tpu2\\tFAILED\\n'
  [[ -z $state ]] || printf 'tpu\\t%s\\n' "$state"
elif [[ $* == *host/state.sh* || $* == *host/leave.sh* ]]; then
  said=$(head -n 1 said)
  sed -i 1d said
  [[ $said != BROKEN ]] || exit 1
  printf '%s\\n' "$said"
elif [[ $* == *' create '* && -e refused ]]; then
  exit 1
fi
"""


def script(name: str, *flags: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return bash(ROOT, f"tools/gcp/{name}.sh", *flags, **extra)


def dry(name: str, *flags: str) -> str:
    given = {flag.partition("=")[0] for flag in flags}
    place = (flag for flag in PLACE if flag.partition("=")[0] not in given)
    done = script(name, *place, *flags, "--dry_run")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def copied(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the scripts beside stand-ins for gcloud and sleep."""
    folder = tmp_path / "the code"
    shutil.copytree(ROOT / "tools" / "gcp", folder / "tools" / "gcp")
    for part in ("bignas_tf", "experiments"):
        (folder / part).mkdir()
    for name in ("requirements.txt", "requirements.lock"):
        (folder / name).touch()
    program(folder / "bin" / "gcloud", GCLOUD)
    program(folder / "bin" / "sleep", "#!/bin/sh\n")  # half a minute between two looks
    return folder


def ran(
    code: pathlib.Path,
    name: str,
    *flags: str,
    states: tuple[str, ...] = (),
    said: tuple[str, ...] = (),
) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
    """Runs a script of the copy, and gives the commands that gcloud was asked for."""
    for answers, lines in (("states", states), ("said", said)):
        (code / answers).write_text("".join(f"{line}\n" for line in lines))
    (code / "calls").touch()
    done = bash(code, f"tools/gcp/{name}.sh", *PLACE, *flags, PATH=path_with(code / "bin"))
    calls = (code / "calls").read_text().split("\0\n")[:-1]
    return done, [call.split("\0") for call in calls]
