"""Each entry of the policy's lists: a source that breaks it alone, and a near one that passes."""

from collections.abc import Callable

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.policy import HEADERS, check_source
from rocm_pipeline.targets.spec import Target
from tests.lab.test_policy import KERNEL, MakeCandidate

Messages = Callable[..., list[tuple[int | None, str]]]

OWN = [
    "global",
    "device",
    "shared",
    "constant",
    "forceinline",
    "noinline",
    "inline",
    "restrict",
    "volatile",
    "const",
    "align",
    "attribute",
    "launch_bounds",
    "typeof",
    "alignof",
    "extension",
    "signed",
    "func",
    "VA_ARGS",
    "AMDGCN_WAVEFRONT_SIZE",
    "aligned",
    "always_inline",
    "packed",
    "unused",
    "vector_size",
    "ext_vector_type",
    "may_alias",
]
LIMITS = [f"__{kind}_{end}__" for kind in ("FLT", "DBL") for end in ("MAX", "MIN", "EPSILON")]
HONEST_WORDS = (
    *(f"__{name}__" for name in OWN),
    *LIMITS,
    "__INT_MAX__",
    *(
        "hipThreadIdx_x",
        "hipBlockIdx_y",
        "hipBlockDim_z",
        "hipGridDim_x",
        "hipster",
        "domain",
        "chip",
    ),
    *("assembly", "_asm", "mains", "sections", "LP64", "__shfl_xor", "__AMDGCN_WAVEFRONT_SIZE"),
    *("__builtin_fmaf", "__builtin_expect", "_Float16"),
)
PLACED = (
    "constructor",
    "destructor",
    "init_priority",
    "ifunc",
    "weakref",
    "section",
    "alias",
    "allocate",
)
FORBIDDEN = {
    "inline assembly": ("asm", "__asm", "__asm__"),
    "main()": ("main",),
    "host call": ("hipMalloc", "hipX", "hipGridDim", "hipLaunchKernelGGL"),
    "placed for the loader": tuple(
        a + n + b for n in PLACED for a in ("", "__") for b in ("", "__")
    ),
    "not part of the HIP subset": ("__declspec", "_Pragma"),
    "the same wherever it is compiled": (
        "__has_include",
        "__has_x",
        "__is_identifier",
        "__is_target_arch",
    ),
    "must not ask where": (
        *("_LP64", "_GNU_SOURCE", "_REENTRANT", "_OPENMP", "__CUDA_ARCH__", "__CUDACC", "__HIP_X"),
        *(
            "__HIPCC__",
            "__AMDGCN__",
            "__AMDGCN_X",
            "__gfx942__",
            "__FLT_DIG__",
            "__INT_WIDTH__",
            "__globals__",
        ),
        *("__FLT_MAX_EXP__", "__CUDA", "__HIP", "__AMDGCN"),
    ),
    "reaches behind": tuple(
        f"__builtin_{name}"
        for name in (
            "ia32_x",
            "return_address",
            "frame_address",
            "setjmp",
            "longjmp",
            "unwind",
            "unwind_init",
            "eh_x",
        )
    ),
    "a name of the harness": (
        *(
            "hip_detail",
            "hip_emulator_x",
            "hip_lds",
            "HIP_DETAIL",
            "HIP_EMULATOR_X",
            "rocm_pipeline",
        ),
        *(
            "ROCM_pipeline_x",
            "__tsan_x",
            "__asan_x",
            "__ubsan_x",
            "__sanitizer_x",
            "hip_detail_a",
            "hip_emulator",
        ),
    ),
}
DIRECTIVES = (
    "#define A 1",
    "#define A 1\n#undef A",
    "#define A\n#ifdef A\n#error no\n#endif",
    "#define A\n#ifdef A\n#warning no\n#endif",
    "#define A\n#ifndef A\n#else\n#endif",
    "#if 0\n#elif 1\n#endif",
    "#define A\n#define B\n#define C\n#ifdef A\n#elifdef B\n#elifndef C\n#endif",
    "#pragma unroll",
    "#pragma nounroll",
    "#pragma once",
    "#pragma clang loop unroll(full)",
    "#pragma clang fp contract(fast)",
    "#define ON 1\n#if !ON\n#error scale_f32 is off\n#endif",
    "#pragma",
    "#include <hip/hip_runtime.h>",
    "#include <hip/hip_fp16.h>",
    "#include <hip/hip_bf16.h>",
    "#include <hip/hip_bfloat16.h>",
    '#include "hip/hip_runtime.h"',
)
REFUSED_DIRECTIVES = {
    "#line 1": "#line is not accepted",
    "#import <a>": "#import is not accepted",
    "#include <cmath>": f"#include cmath: only {', '.join(HEADERS)} exist",
    "#pragma omp parallel": "#pragma omp parallel is not accepted",
    "#pragma clang fp exceptions(on)": "#pragma clang fp exceptions is not accepted",
    "#pragma clang other": "#pragma clang other is not accepted",
    "#pragma clang": "#pragma clang is not accepted",
}


@pytest.fixture
def check(target: Target, candidate_of: MakeCandidate) -> Messages:
    def messages(source: str, kernel: str = "scale_{io}") -> list[tuple[int | None, str]]:
        candidate: Candidate = candidate_of(source, kernel=kernel)
        return [(found.line, found.message) for found in check_source(candidate, target)]

    return messages


@pytest.mark.parametrize("word", HONEST_WORDS)
def test_an_honest_word_is_accepted(check: Messages, word: str) -> None:
    assert check(f"int {word};\n{KERNEL}") == []


@pytest.mark.parametrize(
    ("words", "word"), [(words, word) for words, each in FORBIDDEN.items() for word in each]
)
def test_a_forbidden_word_breaks_its_own_rule(check: Messages, words: str, word: str) -> None:
    found = check(f"\n{word};\n{KERNEL}")
    assert all(line == 2 and message.startswith(f"'{word}': ") for line, message in found)
    assert sum(words in message for _, message in found) == 1


@pytest.mark.parametrize("text", DIRECTIVES)
def test_an_honest_directive_is_accepted(check: Messages, text: str) -> None:
    assert check(f"{text}\n{KERNEL}") == []


@pytest.mark.parametrize(("text", "message"), REFUSED_DIRECTIVES.items())
def test_another_directive_is_named(check: Messages, text: str, message: str) -> None:
    assert check(f"\n{text}\n{KERNEL}") == [(2, message)]


@pytest.mark.parametrize("text", ["import torch", "from a import b", "def f(x):"])
def test_python_is_told_what_is_wanted(check: Messages, text: str) -> None:
    message = "this is Python: candidates are HIP device code and nothing else"
    assert check(f"int a;\n{text};\n{KERNEL}")[0] == (2, message)
    assert check(f"int {text.split()[0]};\n{KERNEL}") == []


@pytest.mark.parametrize("word", ["import", "from", "def"])
def test_a_name_that_is_a_word_of_python_may_begin_a_line(check: Messages, word: str) -> None:
    assert check(f"inline void f(int {word}) {{\n{word} = 1;\n}}\n{KERNEL}") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('const char* a = R"(x)" ;', "raw string literal: a kernel needs none"),
        ('const char* a = ".incbin";', ".incbin reads files"),
        ("int \u00e9;", "'\u00e9' is not an ASCII name"),
        ("f<<<1>>>();", "kernel launch <<<...>>>: use the launch plan"),
        ("int a;\x01\x02", "control character U+0001 in the source"),
        ("// ??=", "trigraph: write the character itself"),
    ],
)
def test_an_odd_literal_is_named(check: Messages, text: str, message: str) -> None:
    found = check(f"\n{text}\n{KERNEL}")
    assert (2, message) in found
    assert {line for line, _ in found} == {2}
    assert len(found) == len({words for _, words in found}) <= 2


@pytest.mark.parametrize(
    "text", ["// .incbin", "int incbin;", "// \u00e9", '"\u00e9";', "int a = 1 << 2;"]
)
def test_the_same_in_a_comment_or_nearly_is_accepted(check: Messages, text: str) -> None:
    assert check(f"{text}\n{KERNEL}") == []


PASTE = "## may only build a kernel name of the launch plan, like name_##type; use a template"


@pytest.mark.parametrize("head", ["scal", "scale_", "scale_f32"])
def test_a_kernel_name_may_be_pasted(check: Messages, head: str) -> None:
    assert check(f"#define K(t) {head}##t\n{KERNEL}") == []
    assert check(f"#define K(t) {head}##t##_x\n{KERNEL}") == []


@pytest.mark.parametrize("head", ["sca", "cale", "other", "x", ""])
def test_nothing_else_may_be_pasted(check: Messages, head: str) -> None:
    assert check(f"\n#define K(t) {head}##t\n{KERNEL}") == [(2, PASTE)]


def test_a_paste_of_underscores_is_refused_even_for_such_a_kernel(check: Messages) -> None:
    kernel = KERNEL.replace("scale_f32", "_scale_f32")
    underscore = "kernel name '_scale_f32' must not begin with an underscore"
    assert check(kernel, "_scale_{io}") == [(None, underscore)]
    found = check(f"#define K(t) _scale##t\n{kernel}", "_scale_{io}")
    assert (1, PASTE) in found


def test_a_paste_at_the_very_beginning_has_no_head(check: Messages) -> None:
    assert (1, PASTE) in check(f"##scale\n{KERNEL}")
    assert (1, PASTE) in check(f"a##scale_f32\n{KERNEL}")


def test_hashes_in_a_string_paste_nothing(check: Messages) -> None:
    assert check(f'const char* a = "##";\n{KERNEL}') == []


def test_fifty_findings_are_told_and_no_more(check: Messages) -> None:
    assert len(check("asm;\n" * 50 + KERNEL)) == 50
    assert len(check("asm;\n" * 51 + KERNEL)) == 50
    assert len(check("asm;\n" * 49 + KERNEL)) == 49


def test_the_same_finding_on_a_line_is_told_once(check: Messages) -> None:
    assert len(check(f"asm; asm;\n{KERNEL}")) == 1


def test_200_000_bytes_are_read(check: Messages) -> None:
    room = 200_000 - len(KERNEL)
    assert check(KERNEL + "/" * room) == []
    assert check(KERNEL + "/" * (room + 1)) == [
        (None, "200001 bytes of source; at most 200000 are read")
    ]


PLAIN = "kernel 'scale_f32' must be declared extern \"C\" __global__"


def test_a_kernel_is_declared_with_its_plain_name(check: Messages) -> None:
    mangled = KERNEL.replace('extern "C" ', "")
    assert check(mangled) == [(1, PLAIN)]
    assert check(f'extern "C" {{\n{mangled}}}\n') == []
    for before in (
        'extern "C" { int f(); }',
        'extern "C" int f();',
        'extern "C" int f() { return 1; }',
        'const char* a = "C";',
        'extern "C" {{ }}',
        "}",
    ):
        assert check(f"{before}\n{mangled}") == [(2, PLAIN)], before
    assert check(f'extern "C" {{ void f() {{ }}\n{mangled}}}\n') == []
    assert check(f"void f() {{ scale_f32; }}\n{KERNEL}") == []


def test_a_kernel_that_is_built_by_pasting_is_there(check: Messages) -> None:
    assert check("#define K(t) scale_##t\n") == []
    lacking = "the launch plan starts 'scale_f32', which the source lacks"
    assert check("int a;\n") == [(None, lacking)]


@pytest.mark.parametrize("word", ["__VA_OPT__", "__FLT16_MAX__"])
def test_a_name_that_one_rule_refuses_is_refused_once(check: Messages, word: str) -> None:
    ((line, message),) = check(f"\nint {word};\n{KERNEL}")
    assert line == 2
    assert "must not ask where" not in message


def test_host_beside_device_is_accepted(check: Messages) -> None:
    assert check(f"__host__ __device__ int f();\n{KERNEL}") == []


def test_only_the_first_control_character_of_a_line_is_told(check: Messages) -> None:
    found = [words for _, words in check(f"int a;\x01\x02\n{KERNEL}") if "control" in words]
    assert found == ["control character U+0001 in the source"]


def test_a_character_literal_reads_no_file(check: Messages) -> None:
    assert check(f"int a = '.incbin';\n{KERNEL}") == []


@pytest.mark.parametrize("text", ["#bogus", "#include \\\n<cmath>", "#pragma \\\nomp parallel"])
def test_a_directive_is_told_on_the_line_where_it_begins(check: Messages, text: str) -> None:
    assert [line for line, _ in check(f"\n{text}\n{KERNEL}")] == [2]


def test_a_chain_of_pastes_at_the_very_beginning_has_no_head(check: Messages) -> None:
    found = check(f"##scale_\\\n##t\n{KERNEL}")
    assert [line for line, words in found if words == PASTE] == [1, 2]


def test_a_paste_at_the_end_does_not_reach_round_to_the_beginning(check: Messages) -> None:
    assert check(f"scale_##t\n{KERNEL}scale_##") == []


def test_the_last_64_tokens_of_a_declaration_are_looked_at(check: Messages) -> None:
    mangled = KERNEL.replace('extern "C" __global__ void ', "")
    for more, found in ((62, []), (63, [(1, PLAIN)])):
        declared = f'extern "C" __global__ {"const " * more}{mangled}'
        assert check(declared) == found, more


def test_a_brace_ends_a_declaration(check: Messages) -> None:
    mangled = KERNEL.replace('extern "C" ', "")
    assert check(f'#pragma once\nextern "C" {{\n{mangled}}}\n') == []
    assert check(f"__global__ void other() {{ scale_f32; }}\n{KERNEL}") == []
    assert check(f'void f() {{ g("C") }}\n{mangled}') == [(2, PLAIN)]
