"""The scripts for TPUs on GCP: what they print and what they refuse; nothing here reaches GCP."""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil

import pytest

from tests.tools.gcp import ODD, PLACE, ROOT, RUN, dry, script

SCRIPTS = (
    "create", "install", "start", "search", "judge", "export", "fetch", "follow", "stop", "resume",
    "delete",
)  # fmt: skip
NEEDED = {
    "create": RUN[:1],
    "start": RUN,
    "search": RUN,
    "judge": RUN,
    "export": RUN[1:],
    "resume": RUN,
}
BUDGETS = ("--budgets_mflops=2,4", "--budget=mflops=3,params_m=1", "--budget=mflops=5")

# What each command ends with, and the commands themselves.
AT = "--zone=us-east1-d --project=mine"
TPUS = "gcloud compute tpus"
ARCHIVE = shlex.quote(f"{ROOT}/runs/bignas_tf.tar.gz")
LIST = f"{TPUS} queued-resources list '--format=value(name.basename(),state.state)' {AT}\n"
CREATE = (
    f"{TPUS} queued-resources create tpu --node-id=tpu --accelerator-type=v3-8"
    f" --runtime-version=tpu-ubuntu2204-base {AT}\n"
)
LOOK = (
    "--command=mkdir -p bignas_tf && flock --nonblock bignas_tf/tool.lock true || { echo 'error: a"
    " tool is running here; follow.sh shows it, stop.sh ends it' >&2; exit 1; }"
)
INSTALL = (
    f"{TPUS} tpu-vm ssh tpu --worker=0 {shlex.quote(LOOK)} {AT}\n"
    f"mkdir -p {shlex.quote(f'{ROOT}/runs')}\n"
    f"tar --exclude=__pycache__ -czf {ARCHIVE} -C {shlex.quote(str(ROOT))}"
    " bignas_tf experiments tools requirements.txt requirements.lock\n"
    f"{TPUS} tpu-vm scp {ARCHIVE} tpu:bignas_tf.tar.gz --worker=all {AT}\n"
    f"{TPUS} tpu-vm ssh tpu --worker=all '--command=mkdir -p bignas_tf &&"
    " rm -rf bignas_tf/bignas_tf bignas_tf/experiments bignas_tf/tools &&"
    " rm -f bignas_tf/*.end &&"
    " tar -xzf bignas_tf.tar.gz -C bignas_tf &&"
    f" bash bignas_tf/tools/gcp/host/install.sh' {AT}\n"
)
START = (
    f"{TPUS} tpu-vm ssh tpu --worker=0 '--command=bash bignas_tf/tools/gcp/host/run.sh train"
    " --tpu=local --experiment=bignas_imagenet --config_file=experiments/imagenet_tpu.yaml"
    f" --model_dir=gs://bucket/run' {AT}\n"
)
SERVE = (
    f"{TPUS} tpu-vm ssh tpu --worker=all '--command=bash bignas_tf/tools/gcp/host/serve.sh' {AT}\n"
)
SEARCH = (
    f"{TPUS} tpu-vm ssh tpu --worker=0 '--command=bash bignas_tf/tools/gcp/host/run.sh search"
    " --tpu=local --model_dir=gs://bucket/run --output_dir=gs://bucket/run/search"
    f" --budgets_mflops=2,4 --budget=mflops=3,params_m=1 --budget=mflops=5' {AT}\n"
)
JUDGE = (
    f"{TPUS} tpu-vm ssh tpu --worker=0 '--command=bash bignas_tf/tools/gcp/host/run.sh judge"
    f" --tpu=local --model_dir=gs://bucket/run --images=500' {AT}\n"
)
EXPORT = (
    f"{TPUS} tpu-vm ssh tpu --worker=0 '--command=bash bignas_tf/tools/gcp/host/run.sh export"
    " --model_dir=gs://bucket/run --search_dir=gs://bucket/run/search"
    f" --output_dir=runs/export' {AT}\n"
)
FETCH = (
    f"{TPUS} tpu-vm ssh tpu --worker=0 '--command=bash bignas_tf/tools/gcp/host/exported.sh"
    f" runs/export' {AT}\n"
    "rm -rf runs/.fetched\n"
    "mkdir -p runs/.fetched\n"
    f"{TPUS} tpu-vm scp tpu:bignas_tf/runs/export runs/.fetched --recurse --worker=0 {AT}\n"
    "mv runs/.fetched/export runs\n"
    "rmdir runs/.fetched\n"
    "rm -f runs/export/.fetching\n"
    f"{TPUS} tpu-vm ssh tpu --worker=0 '--command=mv bignas_tf/runs/export/.fetching"
    f" bignas_tf/runs/export/.fetched' {AT}\n"
)
HOST = f"{TPUS} tpu-vm ssh tpu --worker=0 '--command=bash bignas_tf/tools/gcp/host"
FOLLOW = f"{HOST}/follow.sh train' {AT}\n"
STOP = f"{HOST}/stop.sh' {AT}\n"
ASK = (
    "[ ! -e bignas_tf/tool.lock ] || flock --nonblock bignas_tf/tool.lock true || echo 'busy: a"
    " tool is running'; [ ! -e bignas_tf/tools/gcp/host/leave.sh ] ||"
    " bash bignas_tf/tools/gcp/host/leave.sh"
)
LEAVE = f"{TPUS} tpu-vm ssh tpu --worker=0 {shlex.quote(f'--command={ASK}')} {AT}\n"
DELETE = f"{TPUS} queued-resources delete tpu --force --quiet {AT}\n"


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        ("create", RUN[:1], LIST + CREATE + LIST),
        ("install", (), INSTALL),
        ("start", RUN, START),
        ("start", ("--accelerator=v3-32", RUN[1]), SERVE + START.replace("=local", "=tpu")),
        ("search", (*RUN, *BUDGETS), SEARCH),
        (
            "search",
            ("--accelerator=v3-32", RUN[1], *BUDGETS),
            SERVE + SEARCH.replace("=local", "=tpu"),
        ),
        ("judge", (*RUN, "--images=500"), JUDGE),
        (
            "judge",
            ("--accelerator=v3-32", RUN[1], "--images=500"),
            SERVE + JUDGE.replace("=local", "=tpu"),
        ),
        ("export", RUN[1:], EXPORT),
        ("fetch", (), FETCH),
        ("follow", (), FOLLOW),
        ("follow", ("--tool=export",), FOLLOW.replace("sh train", "sh export")),
        ("resume", RUN, LIST + DELETE + LIST + CREATE + LIST + INSTALL + START),
        ("stop", (), STOP),
        ("delete", (), LEAVE + DELETE),
        ("delete", ("--force",), DELETE),
    ],
)
def test_a_dry_run_prints_the_commands(name: str, flags: tuple[str, ...], expected: str) -> None:
    assert dry(name, *flags) == expected


@pytest.mark.parametrize(
    ("accelerator", "image"),
    [
        ("v2-8", "tpu-ubuntu2204-base"),
        ("v4-32", "tpu-ubuntu2204-base"),
        ("v5p-8", "v2-alpha-tpuv5"),
        ("v5litepod-16", "v2-alpha-tpuv5-lite"),
        ("v6e-8", "v2-alpha-tpuv6e"),
    ],
)
def test_each_accelerator_has_an_image(accelerator: str, image: str) -> None:
    created = CREATE.replace("v3-8", accelerator).replace("tpu-ubuntu2204-base", image)
    assert dry("create", f"--accelerator={accelerator}") == LIST + created + LIST


def test_flags_reach_every_command_of_a_resume() -> None:
    flags = ("--spot", "--runtime_version=tpu-vm-base", "--experiment=bignas_small")
    flags += ("--network=n", "--subnetwork=s", "--service_account=a")
    flags += ("--config_file=experiments/imagenet_tpu.yaml", "--config_file=gs://bucket/my.yaml")
    flags += ("--params_override=x=1",)
    expected = LIST + DELETE + LIST + CREATE + LIST + INSTALL + START
    for old, new in [
        (
            "tpu-ubuntu2204-base",
            "tpu-vm-base --spot --network=n --subnetwork=s --service-account=a",
        ),
        ("bignas_imagenet", "bignas_small"),
        ("imagenet_tpu.yaml", "imagenet_tpu.yaml --config_file=gs://bucket/my.yaml"),
        ("gs://bucket/run'", "gs://bucket/run --params_override=x=1'"),
    ]:
        expected = expected.replace(old, new)
    assert dry("resume", *RUN, *flags) == expected


def test_an_argument_with_spaces_and_quotes_is_quoted() -> None:
    assert dry("follow", "--name=my tpu") == FOLLOW.replace("ssh tpu", "ssh 'my tpu'")
    printed = dry("start", *RUN, f"--params_override={ODD}")
    command = shlex.split(printed)[-3].removeprefix("--command=")
    assert shlex.split(command)[-1] == f"--params_override={ODD}"


@pytest.mark.parametrize("folder", ["./export", "runs//export", "/runs/../export", "runs/./export"])
def test_a_folder_to_fetch_has_the_name_that_models_config_gives_it(folder: str) -> None:
    done = script("fetch", *PLACE, f"--export_dir={folder}", "--dry_run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: --export_dir={folder}: write it without '.', '..' and '//'\n"


def test_an_export_is_of_a_search_or_of_one_child() -> None:
    child = "--architecture=gs://bucket/child.json"
    expected = EXPORT.replace("--search_dir=gs://bucket/run/search", child)
    assert dry("export", RUN[1], child) == expected
    done = script("export", *PLACE, RUN[1], child, "--search_dir=gs://bucket/s", "--dry_run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: give --search_dir or --architecture, not both\n"


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_missing_or_unknown_flag_exits_2(name: str) -> None:
    flags = PLACE + NEEDED.get(name, ())
    for missing in flags:
        done = script(name, *(flag for flag in flags if flag != missing), "--dry_run")
        expected = f"error: {missing.partition('=')[0]} is missing; see --help\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    done = script(name, *flags, "--nmae=x", "--dry_run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: --nmae is unknown; there are --name --zone --project")


@pytest.mark.parametrize(
    ("name", "flag", "named"),
    [
        ("delete", "tpu", "tpu is not of the form --flag=value"),
        ("delete", "--name", "--name has no value; write --name=value"),
        ("delete", "--name=", "--name is missing"),
        ("delete", "--dry_run=yes", "--dry_run=yes: it is true or false"),
        ("create", "--accelerator=v1-8", "--accelerator=v1-8 is unknown"),
        ("create", "--accelerator=v6e-16", "no slices of v6e"),
        ("start", "--accelerator=v3", "--accelerator=v3 is not like v3-8"),
        ("create", "--accelerator=v3-08", "--accelerator=v3-08 is not like v3-8"),
        ("start", "--config_file=typo.yaml", "--config_file=typo.yaml is neither in experiments/"),
        ("resume", "--config_file=experiments/typo.yaml", "is neither in experiments/ here nor in"),
        ("start", "--config_file=docs/gcp.md", "is neither in experiments/ here nor in"),
        ("start", "--config_file=experiments/../README.md", "is neither in experiments/ here nor"),
        ("export", "--output_dir=~/e", "--output_dir=~/e: no shell expands '~' there; write the"),
        ("fetch", "--export_dir=~/e", "--export_dir=~/e: no shell expands '~' there; write the"),
        ("resume", "--model_dir=runs/x", "--model_dir=runs/x would go with the TPU"),
        ("resume", "--accelerator=v3", "--accelerator=v3 is not like v3-8"),
        ("resume", "--accelerator=v7x-8", "--accelerator=v7x-8 is unknown"),
        ("start", "--model_dir=runs/x", "--model_dir=runs/x would go with the TPU"),
        ("search", "--model_dir=gs://bucket/run", "no budget; give --budgets_mflops or --budget"),
        ("search", "--output_dir=runs/x", "--output_dir=runs/x would go with the TPU"),
        ("export", "--output_dir=gs://bucket/e", "exports are written to the host's disk"),
        ("follow", "--tool=server", "--tool=server is unknown; name one such as train, search"),
        ("follow", "--tool=../tools/train", "is unknown; name one such as"),
        (
            "start",
            "--params_override=a=1 --params_override=b=2",
            "--params_override is given twice",
        ),
        ("search", "--budgets_mflops=1 --budgets_mflops=4", "--budgets_mflops is given twice"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(name: str, flag: str, named: str) -> None:
    given = [*PLACE, *NEEDED.get(name, ())]
    wrong = flag.split()
    others = [each for each in given if each.partition("=")[0] not in flag]
    done = script(name, *others, "--dry_run", *wrong)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: ")
    assert named in done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_without_gcloud_a_run_exits_2_and_a_dry_run_does_not(
    name: str, tmp_path: pathlib.Path
) -> None:
    for tool in ("bash", "dirname"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    flags = PLACE + NEEDED.get(name, ()) + (BUDGETS if name == "search" else ())
    done = script(name, *flags, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: gcloud is not installed; see https://")
    assert script(name, *flags, "--dry_run", PATH=str(tmp_path)).returncode == 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_names_every_flag_and_the_script_is_executable(name: str) -> None:
    assert os.access(ROOT / "tools" / "gcp" / f"{name}.sh", os.X_OK)
    done = script(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    known = script(name, "--nmae=x").stderr.partition("there are ")[2].split()
    helps = [done.stdout]
    if "the other flags of create.sh and start.sh" in done.stdout:
        helps += [script(other, "--help").stdout for other in ("create", "start")]
    assert known[0] == "--name"
    assert [flag for flag in known if flag not in "".join(helps)] == []
