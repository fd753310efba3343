"""The scripts for TPUs on GCP as a user starts them."""

from __future__ import annotations

import pathlib
import subprocess

from tests.tools.shells import bash

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ("--name=tpu", "--zone=us-east1-d", "--project=mine")
RUN = ("--accelerator=v3-8", "--model_dir=gs://bucket/run")
ODD = """a='x y',b="$HOME";c=`id`\\"""


def script(name: str, *flags: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return bash(ROOT, f"tools/gcp/{name}.sh", *flags, **extra)


def dry(name: str, *flags: str) -> str:
    given = {flag.partition("=")[0] for flag in flags}
    place = (flag for flag in PLACE if flag.partition("=")[0] not in given)
    done = script(name, *place, *flags, "--dry_run")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
