"""Instruction classes, over every generation's spelling."""

import pytest

from rocm_pipeline.lab.instruction_mix import instruction_mix, total
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import ARCHITECTURES

EXAMPLES = {
    "v_add_f32_e32 v0, v1, v2": "valu",
    "v_pk_fma_f16 v0, v1, v2, v3": "valu packed fp16",
    "v_pk_mul_f32 v[0:1], v[2:3], v[4:5]": "valu packed fp32",
    "v_dual_mov_b32 v0, 0 :: v_dual_mov_b32 v1, 0": "valu dual",
    "v_exp_f32_e32 v0, v1": "transcendental",
    "v_s_exp_f32 s0, s1": "transcendental",
    "v_rcp_f32_e32 v0, v1": "transcendental",
    "v_expand_made_up v0": "valu",
    "v_mfma_f32_16x16x16_f16 a[0:3], v[0:1], v[2:3], a[0:3]": "matrix",
    "v_wmma_f32_16x16x16_f16 v[0:7], v[8:15], v[16:23], v[0:7]": "matrix",
    "global_load_dwordx4 v[0:3], v4, s[0:1]": "vmem load 128",
    "global_load_b128 v[0:3], v4, s[0:1]": "vmem load 128",
    "global_load_dword v0, v1, s[0:1]": "vmem load 32",
    "global_load_ushort v0, v1, s[0:1]": "vmem load 16",
    "global_load_u16 v0, v1, s[0:1]": "vmem load 16",
    "global_load_d16_b16 v0, v1, s[0:1]": "vmem load 16",
    "flat_load_ubyte v0, v[0:1]": "vmem load 8",
    "buffer_store_dwordx2 v[0:1], v2, s[0:3], 0 offen": "vmem store 64",
    "global_store_b16 v0, v1, s[0:1]": "vmem store 16",
    "global_atomic_add_f32 v0, v1, s[0:1]": "vmem atomic",
    "scratch_load_b32 v0, off, s0": "scratch",
    "s_load_dwordx4 s[0:3], s[4:5], 0x0": "smem",
    "ds_bpermute_b32 v0, v1, v2": "lds",
    "ds_read_b128 v[0:3], v4": "lds",
    "s_barrier": "barrier",
    "s_barrier_wait -1": "barrier",
    "s_barrier_signal -1": "salu",
    "s_cbranch_scc1 .LBB0_7": "branch",
    "s_waitcnt lgkmcnt(0)": "waitcnt",
    "s_wait_alu depctr_sa_sdst(0)": "salu",
    "s_mul_i32 s0, s1, s2": "salu",
    "buffer_gl0_inv": "cache control",
}


def _function(*lines: str) -> str:
    body = "".join(f"\t{line}\n" for line in lines)
    return f"\t.type\tk,@function\nk:    ; @k\n{body}\ts_endpgm\n.Lfunc_end0:\n\ts_code_end\n"


@pytest.mark.parametrize(("line", "kind"), EXAMPLES.items())
def test_an_instruction_has_its_class(line: str, kind: str) -> None:
    mix = instruction_mix(_function(line))["k"]

    assert mix.get(kind, 0) - (kind == "salu") == 1  # s_endpgm is the other scalar one


@pytest.mark.parametrize("line", ["s_waitcnt vmcnt(0) lgkmcnt(0)", "s_wait_loadcnt 0x0"])
def test_waits_for_loads_are_counted_apart(line: str) -> None:
    mix = instruction_mix(_function(line))["k"]

    assert (mix["waitcnt"], mix["vmem wait"]) == (1, 1)


def test_padding_and_hints_do_no_work() -> None:
    mix = instruction_mix(_function("s_nop 0", "s_delay_alu instid0(VALU_DEP_1)", "s_clause 0x1"))

    assert mix == {"k": {"salu": 1}}


def test_all_generations_agree_on_what_a_kernel_moves(
    toolchain: Toolchain, scale_source: str
) -> None:
    for build in toolchain.compile_each(scale_source, ARCHITECTURES):
        name = build.architecture
        mix = instruction_mix(build.assembly)["scale_f32"]
        assert mix["vmem load 32"] == 1, name
        assert mix["vmem store 32"] == 1, name
        assert total(mix, "vmem") - mix["vmem wait"] == 2, name
        assert "lds" not in mix
        assert "other" not in mix
