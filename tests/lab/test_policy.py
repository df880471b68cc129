"""T0 rules, each with an honest twin that must pass."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.policy import MAX_SOURCE_BYTES, check_source, missing_kernels
from rocm_pipeline.targets.library import builtin_names, load
from rocm_pipeline.targets.spec import Target

MakeCandidate = Callable[..., Candidate]
Check = Callable[[str], tuple[Finding, ...]]

KERNEL = """\
extern "C" __global__ void scale_f32(const float* x, float* y, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = factor * x[i];
}
"""


@pytest.fixture
def policy(target: Target, candidate_of: MakeCandidate) -> Check:
    def check(source: str) -> tuple[Finding, ...]:
        return check_source(candidate_of(source), target)

    return check


RULES = {
    # rule: (breaks it, honest twin); both are put before the kernel
    "launch": ("void go() { scale_f32<<<1, 1>>>(0, 0, 0, 0); }", "// <<<1, 64>>>\nint a = 1 << 3;"),
    "host call": ("void* p = hipMalloc;", "__device__ int chip = 1; // never hipMalloc"),
    "another header": ("#include <cmath>", "#include <hip/hip_runtime.h>"),
    "relative header": ('#include "../secret.h"', '#include "hip/hip_fp16.h"'),
    "absolute header": ('#include "/etc/passwd"', "#include <hip/hip_bf16.h> // types"),
    "header by macro": ("#define H <cmath>\n#include H", "#define H 4\n#include <hip/hip_fp16.h>"),
    "header by digraph": ("%:include <cmath>", "int a = 7 %1;"),
    "spliced include": ("#inc\\\nlude <cmath>", "#def\\\nine A 1"),
    "asm": ('__device__ void f() { asm volatile("s_nop 0"); }', "__device__ int asm_width = 1;"),
    "__asm__": ('__asm__("");', "// __asm__ is refused"),
    "asm by splice": ('__device__ void f() { as\\\nm("s_nop 0"); }', "__device__ int as\\\nx = 1;"),
    "asm by comment": ('/* */ asm("");', '/* asm("") */'),
    "pragma": ('#pragma comment(lib, "x")', "#pragma unroll 4"),
    "clang pragma": ("#pragma clang section text=x", "#pragma clang loop unroll(full)"),
    "pragma operator": ('_Pragma("comment(lib, 1)")', "#pragma once"),
    "constructor": ("__attribute__((constructor)) int f();", "__attribute__((noinline)) int f();"),
    "constructor, C++": ("[[gnu::constructor]] void f() {}", "[[maybe_unused]] const int a = 1;"),
    "section": ('__attribute__((section("x"))) int a;', "__attribute__((aligned(16))) int a;"),
    "incbin": ('const char* a = ".incbin \\"/etc/passwd\\"";', 'const char* a = "incbin";'),
    "main": ("int main() { return 0; }", "__device__ int domain(int a) { return a; }"),
    "has_include": ("#if __has_include(</etc/passwd>)\n#endif",
                    "#define WIDTH 1\n#if defined(WIDTH)\n#endif"),
    "embed": ('const char a[] = {\n#embed "/etc/passwd"\n};', "#define embed 1"),
    "type of arithmetic": ("#pragma clang fp eval_method(double)",
                           "#pragma clang fp contract(off) reassociate(on)"),
    "kernel by macro": ("#define scale_f32 other", "#define scale_f64 other"),
    "kernel taken away": ("#undef scale_f32", "#undef scale_f64"),
    "parameter pasted": ("#define A(scale_, b) scale_##b", "#define A(a, b) scale_##b"),
    "line": ('#line 4 "other"', "const int line = 4;"),
    "harness": ("namespace hip_emulator {}", "namespace emulation {}"),
    "harness symbol": ("extern int __tsan_read4;", "__device__ int tsan = 1;"),
    "where it runs": ("#ifdef __AMDGCN__\n#endif", "#if __AMDGCN_WAVEFRONT_SIZE == 64\n#endif"),
    "which chip": ("#if defined(__gfx942__)\n#endif", "__device__ int gfx = 942;"),
    "which CPU": ("#ifdef __x86_64__\n#endif", "__device__ float f(const float* __restrict__ a);"),
    "any compiler macro": ("int a = __LDBL_MANT_DIG__;", "#define WIDTH 4\n#if WIDTH > 2\n#endif"),
    "macro of the system": ("#ifdef _LP64\n#endif", "typedef _Float16 half_t;"),
    "time of build": ("const char* a = __TIME__;", "const int time = 1;"),
    "stack": ("__device__ void* f() { return __builtin_frame_address(0); }",
              "__device__ float f(float a) { return __builtin_fmaf(a, a, a); }"),
    "trigraph": ("// ??/", "// what??"),
    "raw string": ('const char* a = R"(asm)";', 'const char* aR = "asm";'),
    "open quote": ("#if 0\ndon't\n#endif", "#if 0\ndo not\n#endif"),
    "open comment": ("int a; /* never closed", "int a; /* closed */"),
    "direction mark": ("// \u202e hidden", "// grey \u2192 black, 3\u00d73"),
    "control character": ("int a;\x0b", "int\ta;"),
    "other alphabet": ("int \u0430sm;", "// \u0430sm"),
    "pasting": ("#define GLUE(a, b) a##b\nGLUE(as, m)(\"\");", "#define LIST(...) __VA_ARGS__"),
    "pasting a prefix": ("#define A(b) as##b", "#define A(T) kernel_of<T>"),
    "pasting at the end": ("#define A(b) b##scale_f32", "#define A(T) scale_##T##_part"),
}  # fmt: skip


@pytest.mark.parametrize(("breach", "twin"), RULES.values(), ids=RULES)
def test_a_rule_refuses_its_breach_and_lets_its_twin_pass(
    policy: Check, breach: str, twin: str
) -> None:
    findings = policy(f"{breach}\n{KERNEL}")

    assert findings, breach
    assert all(finding.status is Status.POLICY_VIOLATION for finding in findings)
    assert any(finding.line and finding.line <= breach.count("\n") + 1 for finding in findings)
    assert policy(f"{twin}\n{KERNEL}") == ()


def test_a_finding_names_its_line_after_comments_and_splices(policy: Check) -> None:
    source = f'/* one\n two */\n#define A \\\n  1 \\\n  + 2\n{KERNEL}asm("");\n'

    (finding,) = policy(source)

    assert source.splitlines()[(finding.line or 0) - 1] == 'asm("");'


def test_a_lone_carriage_return_ends_a_comment_here_as_it_does_for_clang(policy: Check) -> None:
    assert policy(f'// harmless\rasm("");\n{KERNEL}')


def test_a_digit_separator_opens_no_literal(policy: Check) -> None:
    assert policy(f"const int a = 1'000'000;\n{KERNEL}") == ()
    (finding,) = policy(f"const int a = 1'000; asm(\"'\");\n{KERNEL}")
    assert finding.line == 1


def test_quotes_inside_literals_hide_nothing(policy: Check) -> None:
    assert policy("const char a = '\"'; asm(\"\"); const char b = '\"';\n" + KERNEL)
    assert policy('const char* a = "\\""; asm(""); const char* b = "\\"";\n' + KERNEL)
    assert policy('const char* a = "/*"; asm(""); const char* b = "*/";\n' + KERNEL)


def test_source_of_200_kilobytes_is_too_much(policy: Check) -> None:
    room = MAX_SOURCE_BYTES - len(KERNEL)

    assert policy(KERNEL + "/" * room) == ()
    (finding,) = policy(KERNEL + "/" * (room + 1))
    assert f"{MAX_SOURCE_BYTES + 1} bytes" in finding.message


@pytest.mark.parametrize(
    "unit",
    [
        "/*",
        '"\\',
        "'",
        "a##",
        "scale_f32 ",
        "__global__ scale_f32(",
        "\\\n",
        "#",
        "{",
        "asm;",
        "\u202e",
    ],
)
def test_a_hostile_source_of_full_length_is_read_in_linear_time(policy: Check, unit: str) -> None:
    began = time.process_time()
    findings = policy(unit * (MAX_SOURCE_BYTES // len(unit.encode())))

    assert len(findings) <= 50
    assert time.process_time() - began < 10  # 0.1 to 0.7 s; minutes if it were quadratic


def test_every_kernel_of_the_plan_must_be_there(policy: Check) -> None:
    (finding,) = policy(KERNEL.replace("scale_f32", "scale_f64"))

    assert finding.kernel == "scale_f32"
    assert "which the source lacks" in finding.message


def test_a_kernel_named_in_a_comment_only_is_not_there(policy: Check) -> None:
    assert policy("// scale_f32\n" + KERNEL.replace("scale_f32", "scale_f64"))


def test_a_kernel_needs_its_plain_name(policy: Check) -> None:
    (finding,) = policy(KERNEL.replace('extern "C" ', ""))

    assert finding.kernel == "scale_f32"
    assert finding.line == 1


def test_a_c_block_gives_plain_names_too(policy: Check) -> None:
    plain = KERNEL.replace('extern "C" ', "")

    assert policy(f'__device__ int f() {{ return 1; }}\nextern "C" {{\n{plain}}}\n') == ()
    assert policy(f'extern "C" {{ int f(); }}\n{plain}')


def test_kernels_may_be_written_by_macro(policy: Check) -> None:
    source = """\
#define SCALE(name, T)                                                   \\
  extern "C" __global__ void name(const T* x, T* y, int n, float a) {   \\
    if (threadIdx.x < n) y[threadIdx.x] = a * x[threadIdx.x];           \\
  }
SCALE(scale_f32, float)
"""
    pasted = source.replace("void name(", "void scale_##name(").replace("SCALE(scale_", "SCALE(")

    assert policy(source) == ()
    assert policy(pasted) == ()


@pytest.mark.parametrize("name", builtin_names())
def test_the_baseline_of_every_built_in_target_is_in_order(name: str) -> None:
    target = load(name, Path("nowhere"))
    baseline = Candidate(
        target=name, source=target.baseline.source, launch_plan=target.baseline.launch_plan
    )

    assert check_source(baseline, target) == ()


def test_a_definition_of_nothing_names_no_kernel(policy: Check) -> None:
    assert policy(f"#define\n{KERNEL}") == ()


def test_kernels_that_stand_nowhere_in_a_source_are_missing() -> None:
    source = 'extern "C" __global__ void here() {}'
    assert missing_kernels(source, ("here",)) == ()
    assert missing_kernels(source, ("gone", "here", "lost")) == ("gone", "lost")
