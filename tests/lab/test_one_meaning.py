"""Code that could tell the emulator's compiler from the GPU's, each beside an honest twin."""

import time

import pytest

from rocm_pipeline.lab.one_meaning import amdgpu_builtins, breaches, header_names
from rocm_pipeline.lab.source_tokens import tokens

PAIRS = {
    # rule: (breach, honest twin)
    "short macro of the system": ("#ifdef __linux\n#endif", "#define LINUX\n#ifdef LINUX\n#endif"),
    "macro of the processor": ("int a = __k8;", "int a = k8;"),
    "capital reserved name": ("int a = _Pack;", "int a = _pack; _Float16 b;"),
    "unknown HIP name": ("int a = __my_helper(1);", "int a = __popc(1);"),
    "feature by arithmetic": ("#ifdef FP_FAST_FMA\n#endif", "#define FAST_FMA 1"),
    "builtin of one side": ("long a = __builtin_amdgcn_s_memtime();",
                            "float a = __builtin_fmaf(1, 2, 3); int b = __builtin_clz(1);"),
    "builtin of the GPU that is asked for": (
        "#define ASK(x) sizeof(x)\nint a = __builtin_amdgcn_mbcnt_lo(1, 0), b = ASK(a);",
        "int a = __builtin_amdgcn_mbcnt_lo(1, 0) + sizeof(float);"),
    "type of a builtin of the GPU": (
        "int a = __builtin_amdgcn_mbcnt_lo(1, 0); decltype(a) b;", "int a; decltype(a) b;"),
    "builtin that asks": ("int a = __builtin_constant_p(1);", "int a = __builtin_expect(1, 1);"),
    "clock": ("long a = __builtin_readcyclecounter();", "long a = readcyclecounter;"),
    "host alone": ("__host__ int f();",
                   "__host__ __device__ int f(); __device__ __host__ int g();"),
    "host in a macro's argument": ("A(__host__, __device__)", "A(__host__ __device__)"),
    "attribute of a side": ("__attribute__((device)) int f();",
                            "__attribute__((noinline)) int f();"),
    "attribute in underscores": ("__attribute__((__host__)) int f();",
                                 "__attribute__((__aligned__(16))) int a;"),
    "second attribute": ("__attribute__((aligned(16), weak)) int a;",
                         "__attribute__((aligned(16), unused)) int a;"),
    "attribute in brackets": ("[[gnu::weak]] int a;",
                              "[[gnu::unused]] int a; [[nodiscard]] int f();"),
    "attribute by macro": ("#define A weak\n__attribute__((A)) int a;",
                           "#define A 16\n__attribute__((aligned(A))) int a;"),
    "qualifier redefined": ("#define __device__", "#define DEVICE __device__"),
    "qualifier taken away": ("#undef __shared__", "#undef SHARED"),
    "keyword redefined": ("#define static", "#define STATIC static"),
    "header's macro redefined": ("#define HIP_DYNAMIC_SHARED(t, n)", "#define SHARED(t, n)"),
    "attribute redefined": ("#define hot weak", "#define HOT 1"),
    "question about others": ("#ifdef NULL\n#endif", "#ifdef INFINITY\n#endif"),
    "header's word before it": ("#define lane 1\n#include <hip/hip_runtime.h>",
                                "#include <hip/hip_runtime.h>\n#define lane 1"),
    "text of code": ("#define TEXT(a) #a", '#define TEXT(a) "a"'),
    "emptiness": ("#define ANY(...) __VA_OPT__(1)", "#define ANY(...) __VA_ARGS__"),
    "macro before a qualifier": ("#define F(a) a\nint b = F __device__ (1);",
                                 "#define F(a) a\nint b = F (1);\n#ifdef F\n#endif\n#undef F"),
    "macro without parameters": ("#define W(a) a\nint b = W;", "#define W (1)\nint b = W;"),
    "macro as an argument": ("#define F(a) a\n#define G(a, b) a b\nint c = G(F, (1));",
                             "#define F(a) a\n#define G(a, b) a + b\nint c = G(F(1), (1));"),
    "long double": ("long double a;", "long a; double b; double c = (double)(long)b;"),
    "double long": ("double long a;", "double a; long b;"),
    "long double by a macro": ("#define L long\nL double a;", "#define L(a) a\nlong b = L(1);"),
    "long double by arguments": ("#define ID(a) a\nID(long) double a;",
                                 "#define ID(a) a\nID(long) a;"),
    "long literal": ("auto a = 1.0L;", "auto a = 1L + 0xEL + 10LL + 1.0f;"),
    "long literal with an exponent": ("auto a = 1e3l;", "auto a = 1e3;"),
    "long hexadecimal literal": ("auto a = 0x1p3L;", "auto a = 0x1p3f;"),
    "escaped name": ("int \\u0061b;", 'const char* a = "\\u0061";'),
    "code before the header": ("int f() { return 1; }\n#include <hip/hip_runtime.h>",
                               "#pragma once\n#define A 1\n#include <hip/hip_runtime.h>\nint f();"),
    "header in dead code": ("#if 0\n#include <hip/hip_runtime.h>\n#endif\nint f();",
                            "#include <hip/hip_runtime.h>\n#if 0\nint f();\n#endif"),
}  # fmt: skip


@pytest.mark.parametrize(("breach", "twin"), PAIRS.values(), ids=PAIRS)
def test_a_breach_is_found_on_its_line_and_its_twin_is_not(breach: str, twin: str) -> None:
    found = list(breaches(tokens(breach)))

    assert found
    assert all(1 <= line <= breach.count("\n") + 1 for _, line in found)
    assert list(breaches(tokens(twin))) == []


def test_the_header_offers_hips_names_and_none_of_the_emulators() -> None:
    names = header_names()

    assert {"__syncthreads", "__shfl_xor", "__expf", "__half2float", "__launch_bounds__"} <= names
    assert not {name for name in names if "emulator" in name}


@pytest.mark.parametrize(
    "unit", ["__attribute__((", "[[", "#define A(", "A(", "__host__ ", "long )", "1.", "# "]
)
def test_it_takes_linear_time(unit: str) -> None:
    stream = tokens("#define A(b) b\n" + unit * (100_000 // len(unit)))
    began = time.perf_counter()
    for _ in breaches(stream):
        pass
    assert time.perf_counter() - began < 5


USES = "int a = __builtin_amdgcn_mbcnt_lo(1, 0); "


@pytest.mark.parametrize(
    "word",
    ["decltype", "typeof", "__typeof", "__typeof__", "alignof", "__alignof", "__alignof__",
     "_Alignof", "noexcept", "requires"],
)  # fmt: skip
def test_no_word_may_ask_what_an_expression_with_a_builtin_of_the_gpu_is(word: str) -> None:
    assert any(f"by '{word}'" in said for said, _ in breaches(tokens(f"{USES}{word}(a);")))


@pytest.mark.parametrize(
    "asked",
    [
        "(a + 1)",
        "(1)",
        " a",
        "(__builtin_amdgcn_mbcnt_lo)",
        "(pair<int, int, int, int, int, int, int>)",
    ],
)
def test_sizeof_may_only_ask_about_types_beside_builtins_of_the_gpu(asked: str) -> None:
    asking = breaches(tokens(f"{USES}int b = sizeof{asked};"))
    assert any("by 'sizeof'" in said for said, _ in asking)
    assert not list(breaches(tokens(f"{USES}int b = sizeof(pair<int, float*>);")))


@pytest.mark.parametrize("order", ["RELAXED", "ACQUIRE", "RELEASE", "ACQ_REL", "SEQ_CST"])
def test_orders_of_atomics_may_be_named(order: str) -> None:
    assert not list(breaches(tokens(f"int a = __ATOMIC_{order};")))
    assert list(breaches(tokens(f"int a = __ATOMIC_{order}_X;")))


FIVE, SIX = "int,int,int,int,int", "int,int,int,int,int,int"


@pytest.mark.parametrize("tail", ["int b = f(sizeof a);", "int b = sizeof", f"sizeof(p<{SIX}>);"])
def test_what_is_no_short_type_in_parentheses_is_an_expression_to_sizeof(tail: str) -> None:
    assert any("by 'sizeof'" in said for said, _ in breaches(tokens(USES + tail)))


@pytest.mark.parametrize("kind", ["int[N]", "float*", f"p<{FIVE}>*"])
def test_sizeof_a_type_may_stand_beside_builtins_of_the_gpu(kind: str) -> None:
    assert not list(breaches(tokens(f"{USES}int b = sizeof({kind});")))


def test_only_macros_with_sizeof_could_ask_about_a_builtin_of_the_gpu() -> None:
    assert not list(breaches(tokens(f"{USES}\n#define TWO 2\n")))
    said = [found for found in breaches(tokens(f"{USES}\n#sizeof\n")) if "in a macro" in found[0]]
    assert [line for _, line in said] == [2]


def test_every_builtin_that_the_emulator_has_is_known() -> None:
    for name in sorted(amdgpu_builtins()):
        assert not list(breaches(tokens(f"auto a = {name}();"))), name
