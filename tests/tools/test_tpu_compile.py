"""The TPU compiler's tool: mistakes, the search for a batch, and a real compilation."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
from tensorflow.compiler.xla.service import hlo_pb2

from bignas_tf import errors, files
from bignas_tf.selection import spread
from tests.interpreter import python
from tests.selection import digits
from tools.tpu import environment, fitting, lowering

CORES = 8

ROOT = pathlib.Path(__file__).resolve().parents[2]
needs_libtpu = pytest.mark.skipif(
    not (ROOT / ".venv-tpu" / "installed").exists(),
    reason="the TPU compiler is not installed; make it with `make env-tpu`",
)


def _compile(*arguments: str, timeout_s: int = 60) -> subprocess.CompletedProcess[str]:
    small = "--experiment=bignas_small"
    return python("-m", "tools.tpu_compile", small, *arguments, timeout_s=timeout_s)


@needs_libtpu
@pytest.mark.slow
def test_the_small_space_compiles_for_eight_cores(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "result.json"
    done = _compile(
        "--topology=v3:2x2", "--per_core_batch=8", f"--output={output}",
        "--params_override=runtime.mixed_precision_dtype=bfloat16",
        timeout_s=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = files.read_json(output)
    assert (result["cores"], result["largest_batch"], result["out_of_memory"]) == (8, 8, None)
    compiled, parameters = result["compiled"], 437_322
    # Weights, RMSProp's mean square and momentum are float32 arguments; little else is.
    assert 12 * parameters < compiled["arguments_bytes"] < 20 * parameters
    assert compiled["arguments_bytes"] + compiled["temporaries_bytes"] < compiled["peak_bytes"]
    # Every gradient crosses the cores once; the moments of batch norms are less than they.
    assert 4 * parameters < compiled["all_reduce_bytes"] < 8 * parameters
    # Forward and backward of the biggest child alone are 3 x 2 x its multiply-adds an image.
    assert compiled["flops"] > 6 * 8 * 8_553_856
    assert compiled["bytes_accessed"] > compiled["arguments_bytes"]
    assert sum(compiled["cycles_by_kind"].values()) == compiled["estimated_cycles"] > 1e6
    assert {"depthwise", "norm", "1x1", "squeeze_excite", "resize"} <= set(
        compiled["cycles_by_kind"]
    )
    assert len(compiled["dearest_operations"]) == 10
    # 28 x 28 grey pixels and a label; 20, 24, 28 and 32 pixels a side in float32.
    assert result["host_bytes"] == {
        "sent": 8 * (784 + 4),
        "float32_copies": 8 * 4 * (400 + 576 + 784 + 1024 + 1),
    }
    for named in ("v3:2x2", "peak", "all-reduces", "an estimate", str(output)):
        assert named in done.stdout


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What each core runs to evaluate children at 9 px, 64 images at a time."""
    config = digits.parse(tmp_path_factory.mktemp("digits"))
    return {
        graph: lowering.program(config, CORES, graph, side=9).lower(64)
        for graph in (lowering.CALIBRATION, lowering.SCORING)
    }


@pytest.mark.slow
def test_moments_of_all_cores_are_gathered_and_counts_are_summed(
    evaluation: dict[str, bytes],
) -> None:
    channels = digits.supernet().statistics_width
    found = {graph: _all_reduced(lowered) for graph, lowered in evaluation.items()}
    moments = [CORES, spread.MOST_ROUNDS, 2, channels]
    assert found == {lowering.CALIBRATION: [moments], lowering.SCORING: [[]]}


@needs_libtpu
@pytest.mark.slow
@pytest.mark.parametrize("graph", [lowering.CALIBRATION, lowering.SCORING])
def test_an_evaluation_compiles_for_eight_cores(
    graph: str, evaluation: dict[str, bytes], tmp_path: pathlib.Path
) -> None:
    hlo = tmp_path / "lowered.hlo"
    hlo.write_bytes(evaluation[graph])
    found = environment.Compiler(str(ROOT / ".venv-tpu"), "v3:2x2").compile(str(hlo))
    # A chunk of 8 rounds of 64 images with 8 x 8 pixels; weights are less than a MiB.
    assert 8 * 64 * 64 < found["arguments_bytes"] < 2**20
    assert found["all_reduces"] == 1


def _all_reduced(serialised: bytes) -> list[list[int]]:
    """Shapes of all-reduces over all cores."""
    module = hlo_pb2.HloModuleProto.FromString(serialised)
    found = [
        each
        for computation in module.computations
        for each in computation.instructions
        if each.opcode == "all-reduce"
    ]
    assert all(
        list(each.collective_device_list.replica_groups[0].replica_ids) == list(range(CORES))
        for each in found
    )
    return [list(each.shape.dimensions) for each in found]


@pytest.mark.parametrize(
    ("asked", "unit", "largest", "tries"),
    [
        (32, 1, 20, [16, 24, 20]),
        (32, 1, 0, [16, 8, 4]),
        (3, 1, 2, [2]),
        (48, 4, 28, [24, 36, 32, 28]),
    ],
)
def test_the_largest_batch_is_found(asked: int, unit: int, largest: int, tries: list[int]) -> None:
    tried: list[int] = []

    def fits(batch: int) -> bool:
        tried.append(batch)
        return batch <= largest

    assert (fitting.largest_batch(fits, asked, unit), tried) == (largest, tries)


def test_a_batch_that_does_not_fit_can_be_the_only_one_compiled(tmp_path: pathlib.Path) -> None:
    class Program:
        """Of any number of images."""

        def lower(self, images: int) -> bytes:
            return b""

        def host_bytes(self, images: int) -> dict[str, int]:
            return {}

    answer = '{"cores": 8, "kind": "TPU v3", "out_of_memory": "too large"}'
    compiler = environment.Compiler(_environment(tmp_path, f"echo '{answer}'"), "v3:2x2")
    found = fitting.measure(Program(), compiler, 128, search=False)
    assert found == {"out_of_memory": "too large", "largest_batch": None, "compiled": None}


def test_a_folder_is_refused_before_anything_is_compiled(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    # A compiler that nobody may start.
    environment = _environment(tmp_path, f"touch '{tmp_path}/started'; exit 1")
    done = _compile(f"--environment={environment}", f"--output={folder}")
    assert done.returncode == 2
    assert done.stderr == f"error: --output={folder} is a folder; name a file\n"
    assert not (tmp_path / "started").exists()


def _environment(folder: pathlib.Path, script: str) -> str:
    """A compiler's environment whose Python is a shell script."""
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    (folder / "installed").touch()
    return str(folder)


def test_a_compiler_that_is_killed_is_explained(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match=r"v3:2x2.*memory ran out"):
        environment.Compiler(_environment(tmp_path, "kill -KILL $$"), "v3:2x2")


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("--environment=nowhere", "make env-tpu"),
        ("--per_core_batch=0", "per_core_batch"),
        pytest.param("--experiment=unheard_of", "bignas_imagenet", marks=needs_libtpu),
        pytest.param("--graph=scoring --side=27", "children have", marks=needs_libtpu),
        pytest.param("--topology=v3:9x9", "v3:8x8", marks=needs_libtpu),
        pytest.param("--topology=abacus", "v3:8x8", marks=needs_libtpu),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    tmp_path: pathlib.Path, argument: str, named: str
) -> None:
    done = _compile(f"--output={tmp_path}/result.json", *argument.split())
    assert done.returncode == 2
    assert named in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
