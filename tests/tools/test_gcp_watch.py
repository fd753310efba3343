"""A run on a TPU of GCP that is watched, and brought back as often as it is taken away."""

from __future__ import annotations

import pathlib

import pytest

from tests.tools import gcp
from tests.tools.gcp import RUN
from tests.tools.shells import program

DELETED = "tpu was deleted; the training has not ended"
TAKEN, BOUGHT, OPEN = "SUSPENDED", ["", "ACTIVE"], ["ACTIVE"] * 3
LOOK, START = ["list", "ssh"], ["ssh", "scp", "ssh", "list", "ssh"]
# Of a TPU that is there, and of one that was taken away, after a look.
STARTED = ["list", "list", "list", "list", *START]
BACK = ["list", "list", "delete", "list", "create", "list", *START]


@pytest.fixture
def code(tmp_path: pathlib.Path) -> pathlib.Path:
    return gcp.copied(tmp_path)


@pytest.mark.parametrize(
    ("states", "said", "verbs", "ends", "words"),
    [
        (["ACTIVE"], ["busy"], LOOK, 1, "another training is running on tpu"),
        # What was before the watch is no reason to end it: other flags may ask for more.
        (
            ["ACTIVE", *OPEN, "ACTIVE"],
            ["finished", "finished"],
            [*LOOK, *STARTED, *LOOK],
            0,
            "the training has finished",
        ),
        (
            ["ACTIVE", *OPEN, "ACTIVE", "ACTIVE"],
            ["failed", "running", "failed"],
            [*LOOK, *STARTED, *LOOK, *LOOK],
            1,
            "the training: failed",
        ),
        (["ACTIVE", "ACTIVE"], ["running", "stopped"], [*LOOK, *LOOK], 1, "the training: stopped"),
        # A network that is down for a while, and a TPU that is taken away twice.
        (
            ["BROKEN", TAKEN, TAKEN, *BOUGHT, *["ACTIVE"] * 2, TAKEN, TAKEN, *BOUGHT, "ACTIVE"],
            ["running", "BROKEN", "finished"],
            ["list", *BACK, *LOOK, *LOOK, *BACK, *LOOK],
            0,
            "tpu cannot be asked; looking again in 5 minutes",
        ),
        # The tool was killed, and the TPU is still there.
        (["ACTIVE", *OPEN, "ACTIVE"], ["lost", "finished"], [*LOOK, *STARTED, *LOOK], 0, ""),
        # Somebody has deleted it: while it ran, was being deleted, or was waited for.
        (["ACTIVE", ""], ["running"], [*LOOK, "list"], 1, DELETED),
        (["ACTIVE", "DELETING"], ["running"], [*LOOK, "list"], 1, DELETED),
        (
            ["ACTIVE", "SUSPENDING", "SUSPENDING", ""],
            ["running"],
            [*LOOK, *["list"] * 3],
            1,
            DELETED,
        ),
        (
            ["ACTIVE", TAKEN, TAKEN, "", "ACCEPTED", ""],
            ["running"],
            [*LOOK, "list", "list", "delete", "list", "create", "list", "list"],
            1,
            DELETED,
        ),
        # A training that crashes each time.
        (
            ["ACTIVE", *[*OPEN, "ACTIVE"] * 3],
            ["lost"] * 4,
            [*LOOK, *[*STARTED, *LOOK] * 3],
            1,
            "the training was lost 4 times on a TPU that stayed",
        ),
    ],
)
def test_a_run_that_is_watched_comes_back_until_it_ends(
    code: pathlib.Path,
    states: list[str],
    said: list[str],
    verbs: list[str],
    ends: int,
    words: str,
) -> None:
    lines = tuple(each if each == "BROKEN" else f"state: {each}" for each in said)
    done, calls = gcp.ran(code, "resume", *RUN, "--watch", states=tuple(states), said=lines)
    assert done.returncode == ends, done.stderr
    assert words in done.stderr
    assert [call[3] for call in calls] == verbs
    assert (code / "states").read_text() == (code / "said").read_text() == ""


def test_a_watch_goes_on_after_what_it_could_not_do_and_ends_at_a_mistake(
    code: pathlib.Path,
) -> None:
    """A copy to the hosts fails once, an installation next, with a code of a mistake."""
    once = """if [[ $* == *' scp '* && ! -e tried ]]; then
  touch tried
  exit 1
elif [[ $* == *host/install.sh* && ! -e installed ]]; then
  touch installed
  exit 2
fi
"""
    program(code / "bin" / "gcloud", f"{gcp.GCLOUD}{once}")
    lost = "state: lost"  # nothing is installed
    done, calls = gcp.ran(
        code,
        "resume",
        *RUN,
        "--watch",
        states=("ACTIVE", *[*OPEN, "ACTIVE"] * 3),
        said=(lost, lost, lost, "state: finished"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("that failed; looking again in 5 minutes") == 2
    assert [call[3] for call in calls].count("scp") == 3
    other = ("--accelerator=v3-32", RUN[1])
    done, _ = gcp.ran(code, "resume", *other, "--watch", states=("ACTIVE", *OPEN), said=(lost,))
    assert done.returncode == 2
    assert done.stderr.endswith("give --accelerator=v3-8, or another --name\n")
