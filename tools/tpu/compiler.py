"""Compiles HLO for a TPU topology with no TPU attached; runs in .venv-tpu, without this project.

  compiler.py TOPOLOGY [HLO COMPILED]

Prints one line of JSON: the topology's cores, and where an HLO file is given what the
compiler says of it. The text of the compiled module goes into the file COMPILED. Uses private
parts of JAX, so requirements-tpu.txt pins it exactly.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import sys
import time

# libtpu asks the machine's metadata server, looks for chips, and takes them for one process.
os.environ |= {
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
}

import jax
import numpy as np
from jax._src.interpreters import mlir
from jax._src.lib import xla_client
from jax.experimental import topologies
from jaxlib import _jax
from jaxlib.mlir import ir

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2}
_BYTES |= {"s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8, "c64": 8}


def main(name: str, hlo: str | None = None, text: str = os.devnull) -> dict[str, object]:
    if name.startswith("v4:"):
        # Only for this generation libtpu must be told what one host has.
        os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v4-8")
    try:
        topology = topologies.get_topology_desc(platform="tpu", topology_name=name)
    except jax.errors.JaxRuntimeError as error:
        if "INVALID_ARGUMENT" not in str(error):
            raise
        return {"unknown_topology": str(error)}
    devices = topology.devices
    found: dict[str, object] = {"cores": len(devices), "kind": devices[0].device_kind}
    if hlo is not None:
        start = time.monotonic()
        try:
            compiled = _compile(devices, pathlib.Path(hlo).read_bytes())
            module = compiled.hlo_modules()[0].to_string()
            pathlib.Path(text).write_text(module)
            found |= _described(compiled, module)
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            found["out_of_memory"] = str(error)
        found["compile_s"] = time.monotonic() - start
    return found


def _compile(devices: list[jax.Device], hlo: bytes) -> _jax.LoadedExecutable:
    """One replica a core."""
    with mlir.make_ir_context():
        module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(hlo))
        options = xla_client.CompileOptions()
        options.num_replicas = len(devices)
        cores = np.arange(len(devices), dtype=np.int32)[:, None]
        options.device_assignment = xla_client.DeviceAssignment.create(cores)
        return devices[0].client.compile(
            module,
            executable_devices=_jax.DeviceList(tuple(devices)),
            compile_options=options,
        )


def _described(compiled: _jax.LoadedExecutable, module: str) -> dict[str, object]:
    memory, costs = compiled.get_compiled_memory_stats(), compiled.cost_analysis()
    reduced = _all_reduces(module)
    fresh = memory.output_size_in_bytes - memory.alias_size_in_bytes  # what no argument holds
    held = memory.argument_size_in_bytes + fresh + memory.generated_code_size_in_bytes
    return {
        "arguments_bytes": memory.argument_size_in_bytes,
        "temporaries_bytes": memory.temp_size_in_bytes,
        "program_bytes": memory.generated_code_size_in_bytes,
        "peak_bytes": held + memory.temp_size_in_bytes,
        "flops": costs["flops"],
        "bytes_accessed": costs["bytes accessed"],
        "all_reduces": len(reduced),
        "all_reduce_bytes": sum(reduced),
    }


def _all_reduces(hlo: str) -> list[int]:
    """Bytes of each all-reduce of a compiled module."""
    results = re.findall(r"= (.*) all-reduce(?:-start)?\(", hlo)
    return [sum(map(_bytes, re.findall(r"(\w+)\[([\d,]*)\]", result))) for result in results]


def _bytes(array: tuple[str, str]) -> int:
    kind, shape = array
    return _BYTES[kind] * int(np.prod([int(side) for side in shape.split(",") if side]))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
