"""The cycles that libtpu expects, read from the text of a compiled module."""

from __future__ import annotations

import pytest

from tools.tpu import cycles, report

# As libtpu 0.0.52 prints it, shortened.
_HLO = """HloModule jit_f, is_scheduled=true, entry_computation_layout={(bf16[16,28,28,64])->bf16[]}

%fused_computation.6 (param_0.60: bf16[5,5,1,64], param_1.47: bf16[16,28,28,64]) -> bf16[16] {
  %param_1.47 = bf16[16,28,28,64]{3,2,1,0:T(8,128)(2,1)} parameter(1)
  ROOT %conv.7 = bf16[16]{0:T(256)} convolution(%param_1.47, %param_1.47), window={size=5x5}
}

%body (arg: (s32[], bf16[16,28,28,64], s32[])) -> (s32[], bf16[16,28,28,64], s32[]) {
  %arg = (s32[]{:T(256)}, bf16[16,28,28,64]{3,2,1,0}, s32[]{:T(256)}) parameter(0)
  %fusion.24 = bf16[16]{0} fusion(%arg), kind=kOutput, calls=%fused_computation.6, metadata={op_name="while/supernet/stage1_block2/depthwise_conv/depthwise" stack_frame_id=8}, backend_config={"flag_configs":[],"window_config":{"kernel_window_bounds":["5","5","1","1"],"estimated_cycles":"93768","iteration_bounds":["1","2"]},"scoped_memory_configs":[]}
  %fusion.25 = f32[64]{0} fusion(%fusion.24), kind=kLoop, calls=%fused_computation.3, metadata={op_name="gradient_tape/while/supernet/stage1_block2/depthwise_norm/Sum"}, backend_config={"window_config":{"estimated_cycles":"26405"}}
  %cond.1 = f32[64]{0} conditional(%fusion.25, %fusion.24, %fusion.24), branch_computations={%small, %large}
  ROOT %tuple.23 = (s32[], bf16[16,28,28,64], s32[]) tuple(%arg, %fusion.24, %cond.1)
}

%small (p.1: bf16[16]) -> f32[64] {
  ROOT %fusion.1 = f32[64]{0} fusion(%p.1), kind=kLoop, metadata={op_name="while/einsum/Einsum"}, backend_config={"window_config":{"estimated_cycles":"10"}}
}

%large (p.2: bf16[16]) -> f32[64] {
  ROOT %fusion.2 = f32[64]{0} fusion(%p.2), kind=kLoop, metadata={op_name="while/einsum_1/Einsum"}, backend_config={"window_config":{"estimated_cycles":"100"}}
}

%condition (arg.1: (s32[], bf16[16,28,28,64], s32[])) -> pred[] {
  %constant.72 = s32[]{:T(256)} constant(4)
  %get-tuple-element.60 = s32[]{:T(256)} get-tuple-element(%arg.1), index=0
  ROOT %lt.3 = pred[]{:T(1024)} compare(%get-tuple-element.60, %constant.72), direction=LT
}

ENTRY %main.11 (x.1: bf16[16,28,28,64]) -> bf16[] {
  %x.1 = bf16[16,28,28,64]{3,0,2,1:T(8,128)(2,1)} parameter(0)
  %copy.2 = bf16[16,28,28,64]{3,2,1,0} copy(%x.1), backend_config={"window_config":{"estimated_cycles":"33688"}}
  %while.2 = (s32[]{:T(256)}, bf16[16,28,28,64]{3,2,1,0}, s32[]{:T(256)}) while(%copy.2), condition=%condition, body=%body, metadata={op_name="while"}
  ROOT %convert_fusion = bf16[]{:T(512)} fusion(%while.2), kind=kOutput, calls=%fused_computation.13, metadata={op_name="supernet/stage1_block2/project_conv/Conv2D"}, backend_config={"window_config":{"estimated_cycles":"29087"}}
}
"""  # noqa: E501
_CYCLES = {
    "depthwise": 4 * 93768,
    "norm": 4 * 26405,
    "other": 33688,
    "1x1": 29087,
    "resize": 4 * 100,  # of a conditional the dearer branch
}


def test_cycles_are_summed_by_kind_and_loops_counted_as_often_as_they_run() -> None:
    found = cycles.describe(_HLO, "TPU v3")
    assert list(found["cycles_by_kind"].items()) == list(_CYCLES.items())
    assert found["estimated_cycles"] == sum(_CYCLES.values())
    assert found["estimated_ms"] == pytest.approx(sum(_CYCLES.values()) / 940e3)
    dearest = found["dearest_operations"]
    assert dearest[0]["name"] == "while/supernet/stage1_block2/depthwise_conv/depthwise"
    assert [each["cycles"] for each in dearest] == sorted(_CYCLES.values(), reverse=True)
    assert dearest[2]["name"] == "copy.2"  # the compiler's own


def test_a_loop_says_itself_how_often_it_runs() -> None:
    known = _HLO.replace(
        "body=%body,", 'body=%body, backend_config={"known_trip_count":{"n":"7"}},'
    )
    assert cycles.describe(known, "TPU v3")["cycles_by_kind"]["depthwise"] == 7 * 93768
    unknown = _HLO.replace("constant(4)", "parameter(1)")
    assert cycles.describe(unknown, "TPU v3")["cycles_by_kind"]["depthwise"] == 93768


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("supernet/stem_conv/Conv2D", "stem"),
        ("DepthwiseConv2dNativeBackpropFilter_12", "depthwise"),
        ("gradient_tape/supernet/stage1_block1/AvgPool2D_3/AvgPoolGrad", "skip_pool"),
        ("supernet/stage2_block1/skip_conv/EnsureShape", "1x1"),
        ("gradient_tape/supernet/head_conv/Conv2D/Conv2DBackpropInput", "1x1"),
        ("gradient_tape/supernet/stage1_block1/squeeze_excite/MatMul_1/MatMul", "squeeze_excite"),
        ("supernet/classifier/MatMul", "classifier"),
        ("supernet/stage1_block1/project_norm/XlaAllReduce_1", "norm"),
        ("RMSprop/RMSprop/update_3/ResourceApplyRMSProp", "optimizer"),
        ("einsum_2/Einsum", "resize"),
        ("softmax_cross_entropy_with_logits/Sub", "other"),
    ],
)
def test_an_operation_belongs_to_the_layer_that_named_it(name: str, kind: str) -> None:
    assert cycles.Operation(name, 1).kind == kind


def test_the_report_says_that_a_time_is_an_estimate_and_at_which_clock() -> None:
    def table(device: str, parts: int) -> str:
        compiled = {"kind": device, "compile_s": 1.0, "all_reduces": 2} | dict.fromkeys(
            ("arguments_bytes", "temporaries_bytes", "peak_bytes", "flops", "bytes_accessed"), 1e9
        )
        compiled |= {"all_reduce_bytes": 10} | cycles.describe(_HLO, device)
        names = ("experiment", "search_space", "compute_type", "topology", "cores")
        result = dict.fromkeys(names, "x") | {"largest_batch": 64, "parts": parts, "side": None}
        host = {"sent": 1, "float32_copies": 4}
        return report.table(result | {"compiled": compiled, "host_bytes": host})

    whole = table("TPU v2", 1)
    assert "0.8 ms, an estimate: 0.5 M cycles of the compiler's at 700 MHz" in whole
    assert "depthwise 69%, norm 19%" in whole
    assert "counted once" not in whole
    divided = table("TPU v9", 4)
    assert "0.5 M cycles; the clock of TPU v9 is not known" in divided
    assert divided.count("the loop of 4 parts counted once") == 3
