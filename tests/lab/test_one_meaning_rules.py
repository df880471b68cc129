"""Each word and each edge of the rules about one meaning: what is accepted, what is not, where."""

import pytest

from rocm_pipeline.lab.one_meaning import breaches
from rocm_pipeline.lab.source_tokens import tokens

LANGUAGE = """
    __attribute __extension__ __func__ __inline __inline__ __restrict __restrict__ __signed__
    __typeof __typeof__ __alignof __alignof__ __volatile__ __const __const__ _Float16
    _Static_assert
"""
BUILTINS = """
    fma fmaf fabs fabsf fmin fmax sqrt floor ceil trunc rint round copysign exp exp2 log log2
    log10 ldexp ldexpf isnan isinf isfinite signbit inf inff nan nanf huge_val huge_valf
    clz clzl clzll ctz ffs popcount parity bitreverse8 bitreverse16 bitreverse32 bitreverse64
    bswap16 bswap32 bswap64 abs expect assume assume_aligned unreachable trap bit_cast memcpy
    memset memmove nontemporal_load nontemporal_store convertvector shufflevector
    elementwise_max reduce_add add_overflow sub_overflow mul_overflow offsetof
"""
ATTRIBUTES = """
    aligned always_inline cold const deprecated ext_vector_type fallthrough flatten hot likely
    may_alias maybe_unused nodiscard noinline packed pure unlikely unused vector_size
"""
NOT_TO_DEFINE = """
    aligned always_inline alignas asm char const constant constexpr device extern global
    host inline int long nodebug noinline reinterpret_cast section shared short static
    static_cast unsigned used void volatile amdgpu_flat_work_group_size amdgpu_waves_per_eu
    bool double float if else for while return sizeof decltype template class struct typename
    namespace using operator public private auto true false
"""


def found(source: str) -> list[tuple[str, int]]:
    return list(breaches(tokens(source)))


def words(source: str) -> str:
    return "; ".join(message for message, _ in found(source))


@pytest.mark.parametrize("name", LANGUAGE.split())
def test_a_word_of_the_language_is_accepted(name: str) -> None:
    assert found(f"{name} ((unused)) a;") == []


@pytest.mark.parametrize("name", BUILTINS.split())
def test_a_builtin_that_computes_the_same_is_accepted(name: str) -> None:
    assert found(f"a = __builtin_{name}(b);") == []
    assert "no builtin that both sides have" in words(f"a = __builtin_amdgcn_{name}(b);")


@pytest.mark.parametrize("name", ATTRIBUTES.split())
def test_an_attribute_that_changes_no_meaning_is_accepted(name: str) -> None:
    assert found(f"__attribute__(({name})) int a; [[{name}]] int b;") == []


@pytest.mark.parametrize("name", NOT_TO_DEFINE.split())
def test_a_word_that_the_headers_macros_use_is_not_to_be_defined(name: str) -> None:
    refusal = f"'{name}' is not yours to define: the header's macros use it"
    assert refusal in words(f"#define {name} x")
    assert refusal in words(f"#undef {name}")
    assert refusal not in words(f"#define my_{name} x")


@pytest.mark.parametrize("name", ["FP_FAST_FMA", "FP_FAST_FMAF", "FP_FAST_FMAL", "__VA_OPT__"])
def test_a_name_that_differs_between_the_compilers_is_refused(name: str) -> None:
    assert f"'{name}': it differs between the compilers" in words(f"a = {name};")


@pytest.mark.parametrize(
    "source",
    [
        "__device__ __host__ int g();",
        "#undef A\n#include <hip/hip_runtime.h>\nint f();",
        "#define",
        "#",
        "#define A 1\n#if !A\n#error far too long\n#endif",
        "#include",
        "kernel normal = model.el;",
        "#define A\n#if defined(A)\n#endif\n#if defined A\n#endif",
        "#define A-1\nint b = A;",
        "#define 1(a) a\nint b = 1;",
        "#define F(a) a\nint b = F(",
        "int __attribute__; f((weak));",
        "[[unused; int a;",
        "[[unused { int a;",
    ],
)
def test_an_edge_that_is_no_breach(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("int include;\n#include <hip/hip_runtime.h>", "code before the header", 1),
        ("int\nf();\n#include <hip/hip_runtime.h>", "code before the header", 1),
        ("\n__attribute__((unused)(weak)) int a;", "attribute 'weak' is not accepted", 2),
        ("__attribute__((aligned(a[1]), weak)) int b;", "attribute 'weak' is not accepted", 1),
        ("#define U unsigned long", "begins or ends with 'long'", 1),
        ("#define U long unsigned", "begins or ends with 'long'", 1),
        ("#undef long", "begins or ends with 'long'", 1),
        ("#define F(\nint b = F;", "'F': a macro with parameters must be called", 2),
    ],
)
def test_an_edge_that_is_a_breach(source: str, message: str, line: int) -> None:
    assert [at for said, at in found(source) if message in said] == [line]


@pytest.mark.parametrize(
    "question",
    [
        "#ifdef F\n#endif",
        "#ifndef F\n#endif",
        "#if 0\n#elifdef F\n#endif",
        "#if 0\n#elifndef F\n#endif",
        "#if defined F\n#endif",
        "#if defined(F)\n#endif",
        "#if 0\n#elif 1 && defined(F)\n#endif",
        "#undef F",
        "#undef F\n#define F 1",
    ],
)
def test_a_directive_may_ask_for_a_macro_or_define_it(question: str) -> None:
    assert found(f"#define F(a) a\n{question}") == []


@pytest.mark.parametrize(
    "use",
    [
        "#define X F\nint b = X __device__ (1);",
        "typedef int undef;\nundef F __device__ (1);",
        "typedef int defined;\ndefined F __device__ (1);",
        "#if defined X || F\n#endif",
        "#if X (F)\n#endif",
        "#pragma F",
        "#ifdef X\nF __device__ (1);\n#endif",
        "int b = F",
    ],
)
def test_words_like_a_directives_hide_no_use_of_a_macro(use: str) -> None:
    """A macro's alias, or a type named as a directive, would stand where no call is seen."""
    assert "'F': a macro with parameters must be called" in words(f"#define F(a) a\n{use}")


def test_a_macro_without_a_line_of_its_own_is_asked_for_by_nothing() -> None:
    assert "must be called" in words("F\n#define F(a) a")
    assert "must be called" in words("int F\n#define F(a) a")
    assert "'if': a macro with parameters" in words("#if 1\n#endif\n#define if(a) a")


def test_a_list_of_attributes_has_at_most_100_tokens() -> None:
    def listed(count: int) -> str:
        return f"__attribute__(({', '.join(['unused'] * count)})) int a; [[weak]] int b;"

    assert words(listed(47)) == "attribute 'weak' is not accepted"
    assert words(listed(48)) == "a list of attributes that is too long, or never ends"
