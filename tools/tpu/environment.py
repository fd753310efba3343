"""The compiler as its own process, in the environment that `make env-tpu` makes."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import tempfile
from typing import Any

from bignas_tf import errors

from . import cycles

_COMPILER = pathlib.Path(__file__).with_name("compiler.py")
_EXAMPLES = "v2:2x2, v3:2x2, v3:8x8, v4:2x2x1, v5e:2x2 or v6e:2x2"


class Compiler:
    """Compiles for one topology; see `compiler.py` for what it answers.

    Args:
      environment: folder of the environment that has JAX and libtpu.
      topology: generation and shape, such as "v3:2x2".

    Raises:
      UsageError: the environment is missing, or the topology is unknown.
    """

    def __init__(self, environment: str, topology: str) -> None:
        # The stamp exists only if the whole installation succeeded.
        if not (pathlib.Path(environment) / "installed").exists():
            raise errors.UsageError(
                f"--environment={environment} has no TPU compiler; make it with `make env-tpu`, in "
                "a checkout of this project"
            )
        self._python = pathlib.Path(environment) / "bin" / "python"
        self._topology = topology
        found = self._run()
        if "unknown_topology" in found:
            raise errors.UsageError(
                f"unknown topology {topology!r} ({found['unknown_topology']}); "
                f"give one such as {_EXAMPLES}"
            )
        self.cores: int = found["cores"]
        self.kind: str = found["kind"]

    def compile(self, hlo: str) -> dict[str, Any]:
        """What the compiler says of the HLO file `hlo`, or "out_of_memory" and its message.

        With what `cycles.describe` finds in the compiled module.

        Raises:
          RunError: the compiler refused the program for another reason.
        """
        with tempfile.NamedTemporaryFile("r", suffix=".txt") as module:
            found = self._run(hlo, module.name)
            text = module.read()
        return found | (cycles.describe(text, self.kind) if text else {})

    def _run(self, *files: str) -> dict[str, Any]:
        done = subprocess.run(
            [self._python, _COMPILER, self._topology, *files], capture_output=True, text=True
        )
        if done.returncode == -signal.SIGKILL:
            raise errors.RunError(
                f"the TPU compiler was killed for {self._topology}, most likely because memory ran "
                "out on this machine: a large space takes 16 GB, and more than 21 GB for v4"
            )
        if done.returncode:
            last = done.stderr.strip().rpartition("\n")[2]
            raise errors.RunError(f"the TPU compiler failed for {self._topology}: {last}")
        return json.loads(done.stdout)
