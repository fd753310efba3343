"""What the scripts for TPUs on GCP run.

A small program that takes commands down stands in for gcloud, and one that returns at once for
sleep.
"""

from __future__ import annotations

import pathlib
import shlex
import tarfile

import pytest

from tests.tools import gcp
from tests.tools.gcp import ODD, RUN, dry
from tests.tools.shells import program


@pytest.fixture
def code(tmp_path: pathlib.Path) -> pathlib.Path:
    return gcp.copied(tmp_path)


def test_what_runs_is_what_a_dry_run_prints(code: pathlib.Path) -> None:
    flags = (*RUN, f"--params_override={ODD}")
    done, calls = gcp.ran(code, "start", *flags)
    printed = dry("start", *flags)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith(f"\n+ {printed}")
    assert calls[1:] == [shlex.split(printed)[1:]]
    assert "acceleratorType" in calls[0][-3]  # which a dry run cannot ask for


def test_what_is_fetched_is_whole_and_served_from_where_it_is(code: pathlib.Path) -> None:
    config = 'config {{\n  name: "child_2"\n  base_path: "{}/child_2"\n}}\n'
    there = config.format("/home/me/bignas_tf/runs/export")
    # Does what scp would; the first copy is interrupted.
    copying = f"""if [[ $* == *' scp '* ]]; then
  mkdir "$6/export"
  [[ -e again ]] || {{ touch again; exit 1; }}
  printf '%s' {shlex.quote(there)} > "$6/export/models.config"
fi
"""
    program(code / "bin" / "gcloud", f"{gcp.GCLOUD}{copying}")
    copy = code / "my runs" / "export"
    done, _ = gcp.ran(code, "fetch", "--output_dir=my runs")
    assert (done.returncode, copy.exists()) == (1, False)
    done, calls = gcp.ran(code, "fetch", "--output_dir=my runs/")
    assert done.returncode == 0, done.stderr
    assert [call[3] for call in calls] == ["ssh", "scp", "ssh", "scp", "ssh"]
    assert sorted(path.name for path in copy.parent.rglob("*")) == ["export", "models.config"]
    assert (copy / "models.config").read_text() == config.format(copy.resolve())
    done, calls = gcp.ran(code, "fetch", "--output_dir=my runs")
    assert (done.returncode, len(calls)) == (2, 5)
    assert done.stderr.startswith("error: my runs/export is there already; move it")


@pytest.mark.parametrize(
    ("export_dir", "there"), [("child", "/home/me/bignas_tf/child"), ("/child", "/child")]
)
def test_a_folder_may_have_the_name_with_which_its_children_begin(
    code: pathlib.Path, export_dir: str, there: str
) -> None:
    line = '  base_path: "{}/child_400"\n'
    copying = f"""if [[ $* == *' scp '* ]]; then
  mkdir "$6/child"
  printf '%s' {shlex.quote(line.format(there))} > "$6/child/models.config"
fi
"""
    program(code / "bin" / "gcloud", f"{gcp.GCLOUD}{copying}")
    done, _ = gcp.ran(code, "fetch", f"--export_dir={export_dir}")
    assert done.returncode == 0, done.stderr
    copy = code / "runs" / "child"
    assert (copy / "models.config").read_text() == line.format(copy.resolve())
    done, _ = gcp.ran(code, "fetch", "--export_dir=linked/child", "--output_dir=other")
    assert (done.returncode, (code / "other" / "child").exists()) == (1, False)
    named = f'bignas_tf/linked/child is not in models.config, which has   base_path: "{there}/child'
    assert f"\nerror: {named}" in done.stderr


@pytest.mark.parametrize(
    ("states", "verbs"),
    [
        # Each state answers one list command: of resume.sh, then two or more of create.sh.
        (("SUSPENDED", "", "ACTIVE"), ["list", "delete", "list", "create", "list"]),
        (("FAILED", "", "ACTIVE"), ["list", "delete", "list", "create", "list"]),
        (("", "", "ACTIVE"), ["list", "list", "create", "list"]),
        (
            ("SUSPENDING", "SUSPENDED", "", "ACCEPTED", "PROVISIONING", "ACTIVE"),
            ["list", "list", "delete", "list", "create", "list", "list", "list"],
        ),
        # What is there already is asked for its accelerator, too, and so before a start.
        (("CREATING", "CREATING", "ACTIVE"), ["list", "list", "list", "list"]),
        (("ACTIVE", "ACTIVE", "ACTIVE"), ["list", "list", "list", "list"]),
    ],
)
def test_a_resume_does_what_the_state_asks_for(
    code: pathlib.Path, states: tuple[str, ...], verbs: list[str]
) -> None:
    done, calls = gcp.ran(code, "resume", *RUN, states=states)
    assert done.returncode == 0, done.stderr
    assert [call[3] for call in calls] == [*verbs, "ssh", "scp", "ssh", "list", "ssh"]
    with tarfile.open(code / "runs" / "bignas_tf.tar.gz") as archive:
        assert {"bignas_tf", "experiments", "requirements.txt"} < set(archive.getnames())
        assert archive.getmember("tools/gcp/host/install.sh").mode & 0o100


@pytest.mark.parametrize(
    ("states", "verbs", "named"),
    [
        (("BROKEN",), ["list"], ""),
        (("", "BROKEN"), ["list", "create", "list"], ""),
        (("", "FAILED"), ["list", "create", "list", "describe"], "tpu is FAILED"),
        (
            ("SUSPENDED", "SUSPENDED"),
            ["list", "list", "list", "describe"],
            "tpu is SUSPENDED",
        ),
        (("", ""), ["list", "create", "list"], "tpu is gone"),
    ],
)
def test_create_stops_where_there_will_be_no_tpu(
    code: pathlib.Path, states: tuple[str, ...], verbs: list[str], named: str
) -> None:
    done, calls = gcp.ran(code, "create", RUN[0], states=states)
    assert done.returncode == (4 if named == "tpu is gone" else 1)
    assert named in done.stderr
    assert [call[3] for call in calls] == verbs
    # Of a request that is not known to be gone, a user must know that it may be granted.
    left = states[0] == "" and states[-1] == "BROKEN"
    assert ("tools/gcp/delete.sh --name=tpu --zone=us-east1-d" in done.stderr) == left


@pytest.mark.parametrize("states", [("", ""), ("", "ACCEPTED")])
def test_of_a_request_that_was_refused_nothing_is_feared(
    code: pathlib.Path, states: tuple[str, ...]
) -> None:
    (code / "refused").touch()
    done, calls = gcp.ran(code, "create", RUN[0], states=states)
    assert done.returncode == 1
    assert [call[3] for call in calls] == ["list", "create", "list"]
    assert ("may still be granted" in done.stderr) == (states[-1] == "ACCEPTED")


@pytest.mark.parametrize("name", ["create", "start", "search", "judge"])
def test_a_tpu_of_another_kind_is_not_taken(code: pathlib.Path, name: str) -> None:
    """Of a slice that is taken for a single host most cores would cost and do nothing."""
    flags = ("--accelerator=v3-32", *(() if name == "create" else RUN[1:]))
    flags += ("--budgets_mflops=1",) if name == "search" else ()
    done, _ = gcp.ran(code, name, *flags, states=("ACTIVE",))
    assert done.returncode == 2
    assert done.stderr.endswith(
        "error: tpu is a v3-8 already; give --accelerator=v3-8, or another --name\n"
    )


def test_a_resume_that_fails_after_the_request_says_what_costs(code: pathlib.Path) -> None:
    program(code / "bin" / "gcloud", f"{gcp.GCLOUD}[[ $* != *' scp '* ]]\n")
    done, _ = gcp.ran(code, "resume", *RUN, states=("SUSPENDED", "", "ACTIVE"))
    assert done.returncode == 1
    assert done.stderr.endswith(
        "\ntpu costs until tools/gcp/delete.sh --name=tpu --zone=us-east1-d --project=mine\n"
    )


def test_what_would_be_lost_is_not_deleted_unless_forced(code: pathlib.Path) -> None:
    done, calls = gcp.ran(code, "delete", said=("busy: train is running",))
    assert (done.returncode, [call[3] for call in calls]) == (2, ["ssh"])
    assert done.stderr.endswith(
        "busy: train is running\nerror: tpu is not deleted; see above, or give --force\n"
    )
    for flags, said in [(("--force",), ()), ((), ("BROKEN",)), ((), ("",))]:
        done, calls = gcp.ran(code, "delete", *flags, said=said)
        assert (done.returncode, calls[-1][3]) == (0, "delete")
