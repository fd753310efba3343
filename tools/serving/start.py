"""Starts TensorFlow Serving on what tools.export wrote: this machine's server, or Docker's.

  python -m tools.serving.start --export_dir=runs/fashion_mnist/export [--docker] [--batching]

Serves every model of the folder's models.config, and new versions as they appear. Prints the
command line first; with --show it only prints it.
"""

from __future__ import annotations

import csv
import io
import os
import pathlib
import shlex
import shutil
import sys

from absl import flags

import bignas_tf as bignas
from bignas_tf import files, run_folder

from ..cli import launch

_EXPORT_DIR = flags.DEFINE_string(
    "export_dir",
    None,
    "The folder that versions were exported to.",
    required=True,
)
_PORT = flags.DEFINE_integer("port", 8500, "Port for gRPC.", 1, 65535)
_REST_PORT = flags.DEFINE_integer("rest_port", 8501, "Port for REST.", 1, 65535)
_BATCHING = flags.DEFINE_bool(
    "batching", False, "Batch requests in the server; batching.config lists the drawbacks."
)
_DOCKER = flags.DEFINE_bool("docker", False, "Run the server in Docker.")
_IMAGE = flags.DEFINE_string("image", "tensorflow/serving", "Docker image.")
_SHOW = flags.DEFINE_bool("show", False, "Only print the command line.")


@flags.multi_flags_validator(["image", "docker"], message="--image is for --docker")
def _has_docker(values: dict[str, object]) -> bool:
    return bool(values["docker"]) or not flags.FLAGS["image"].present


@flags.multi_flags_validator(
    ["port", "rest_port"], message="--port and --rest_port are the same; each needs its own"
)
def _has_two_ports(values: dict[str, object]) -> bool:
    return values["port"] != values["rest_port"]


def main() -> None:
    if files.is_remote(_EXPORT_DIR.value):
        raise bignas.UsageError(
            f"--export_dir={_EXPORT_DIR.value} is remote; copy it to this machine first: "
            f"gcloud storage rsync --recursive {_EXPORT_DIR.value} FOLDER"
        )
    base = pathlib.Path(_EXPORT_DIR.value).resolve()
    _check(base)
    command = _docker(base) if _DOCKER.value else _server(base)
    print(shlex.join(command), flush=True)
    if _SHOW.value:
        return
    if shutil.which(command[0]) is None:
        raise bignas.UsageError(
            f"{command[0]} is not on the PATH; install it, or start the server "
            f"{'without' if _DOCKER.value else 'with'} --docker"
        )
    os.execvp(command[0], command)


def _check(base: pathlib.Path) -> None:
    """Checks models.config, which an export that was killed or moved may still have to get.

    The server would wait forever for a missing folder, and Docker sees none outside the base.
    """
    from bignas_tf.exports import serving_configs, versions

    if not base.is_dir():
        raise bignas.UsageError(f"--export_dir={base} is no folder")
    if (base / versions.GRAPH_FILE).is_file():
        raise bignas.UsageError(
            f"{base} is one version; give the folder of versions, {base.parent}"
        )
    if run_folder.is_run(str(base)):
        raise bignas.UsageError(
            f"{base} is the folder of a training run; give that of an export, such as "
            f"{base / 'export'}"
        )
    serving_configs.check(base)
    bignas.finish_exports(base)
    if not serving_configs.models(base):
        raise bignas.UsageError(f"{base} holds no exported version; export again")
    if serving_configs.update(base):
        print(
            f"{base}: models.config is written anew, for the models that are there", file=sys.stderr
        )
    serving_configs.check_pins(base)


def _server(base: pathlib.Path) -> list[str]:
    ports = [f"--port={_PORT.value}", f"--rest_api_port={_REST_PORT.value}"]
    return ["tensorflow_model_server", *ports, *_configuration(base)]


def _docker(base: pathlib.Path) -> list[str]:
    """The folder has the same path inside, because models.config has absolute paths."""
    ports = [f"--publish={_PORT.value}:8500", f"--publish={_REST_PORT.value}:8501"]
    fields = ["type=bind", f"source={base}", f"target={base}", "readonly"]
    # Docker reads this value as a line of CSV.
    mount = io.StringIO()
    csv.writer(mount, lineterminator="").writerow(fields)
    run = ["docker", "run", "--rm", *ports, f"--mount={mount.getvalue()}"]
    return [*run, _IMAGE.value, *_configuration(base)]


def _configuration(base: pathlib.Path) -> list[str]:
    from bignas_tf.exports import serving_configs

    chosen = [f"--model_config_file={base / serving_configs.MODELS_FILE}"]
    if _BATCHING.value:
        batching = base / serving_configs.BATCHING_FILE
        chosen += ["--enable_batching", f"--batching_parameters_file={batching}"]
    return chosen


if __name__ == "__main__":
    launch(main)
