"""What a macro may be called and what `#if` may ask, each rule beside an honest twin."""

import pytest

from rocm_pipeline.lab.header_macros import header_words, macros_of_both_sides, words_of_macros
from rocm_pipeline.lab.macro_rules import (
    ATTRIBUTES,
    KEYWORDS,
    before_the_header,
    definitions,
    not_to_define,
    questions,
)
from rocm_pipeline.lab.source_tokens import Token, directives, tokens

OWN = ("BLOCK", "WIDTH", "CEILDIV", "scale", "tile", "M_TILE", "NVEC", "FP_TYPE", "INT_TILE", "A")
ELSEWHERE = """
    NULL NDEBUG EOF assert errno RAND_MAX BUFSIZ EXIT_SUCCESS EXIT_FAILURE CLOCKS_PER_SEC linux
    unix i386 stdin stdout stderr offsetof va_arg va_start signbit fpclassify CHAR_BIT SCHAR_MAX
    UCHAR_MAX SHRT_MIN USHRT_MAX LONG_MAX ULONG_MAX LONG_BIT ULLONG_BIT WCHAR_MAX INT8_MAX
    UINT64_C INTPTR_MIN UINTMAX_MAX PTRDIFF_MIN WCHAR_MIN DECIMAL_DIG isinf
    INT_LEAST8_MAX INT_FAST16_MIN SIZE_MAX PTRDIFF_MAX HUGE_VAL
    HUGE_VALL FLT_DIG FLT_MANT_DIG DBL_DECIMAL_DIG LDBL_EPSILON FLT_RADIX FLT_ROUNDS DBL_MAX_EXP
    FLT_EVAL_METHOD FP_NAN FP_ILOGB0 M_E M_LN10 M_PI_2 M_1_PI isfinite isgreater hipLaunch cuda_x
    CUDA_VERSION ROCM_VERSION gfx942 amdgcn_x NVCC_X
"""

WORDS_OF_QUESTIONS = ("true", "false", "defined", "and", "or", "not")
NO_ATTRIBUTES_BUT = """
    aligned always_inline cold const deprecated ext_vector_type fallthrough flatten hot likely
    may_alias maybe_unused nodiscard noinline packed pure unlikely unused vector_size
"""
NO_KEYWORDS_BUT = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t
    char8_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
    constinit continue decltype default delete do double dynamic_cast else enum explicit export
    extern false final float for friend goto if inline int long mutable namespace new noexcept not
    not_eq nullptr operator or or_eq override private protected public register reinterpret_cast
    requires return short signed sizeof static static_assert static_cast struct switch template
    this thread_local throw true try typedef typeid typename union unsigned using virtual void
    volatile wchar_t while xor xor_eq
"""
OF_THE_HEADER = """
    amdgpu_flat_work_group_size amdgpu_waves_per_eu constant convergent device enable_if get
    global host nodebug property section shared used weak
"""


def lines(source: str) -> list[tuple[Token, ...]]:
    return list(directives(tokens(source)))


def test_the_lists_hold_these_words() -> None:
    assert sorted(ATTRIBUTES) == NO_ATTRIBUTES_BUT.split()
    assert sorted(KEYWORDS) == NO_KEYWORDS_BUT.split()


@pytest.mark.parametrize(
    "name",
    sorted({*ATTRIBUTES, *KEYWORDS, *OF_THE_HEADER.split(), *words_of_macros(), "__my", "_My"}),
)
def test_a_word_with_a_meaning_is_not_to_be_defined(name: str) -> None:
    for directive in ("define", "undef"):
        ((message, line),) = definitions(lines(f"\n#{directive} {name} x"))
        assert message.startswith(f"'{name}' is not yours to define")
        assert line == 2


@pytest.mark.parametrize("name", OWN)
def test_a_name_of_ones_own_is(name: str) -> None:
    assert not not_to_define(name)
    assert not list(definitions(lines(f"#define {name} 1\n#undef {name}\n#define {name}(a) a")))


def test_a_constant_of_the_header_may_be_defined_again() -> None:
    for name in ("INT_MAX", "FLT_MAX", "M_PI", "INFINITY"):
        assert name in macros_of_both_sides()
        assert not not_to_define(name)


@pytest.mark.parametrize("name", ["in_plane", "read_x", "lane", "threadIdx"])
def test_a_word_of_the_header_is_not_defined_before_it(name: str) -> None:
    assert name in header_words()
    include = "#include <hip/hip_runtime.h>\n"
    for directive in ("define", "undef"):
        ((message, line),) = before_the_header(lines(f"\n#{directive} {name} x\n{include}"))
        assert message == f"'{name}': the header uses this word; define it behind the header"
        assert line == 2
    assert not list(before_the_header(lines(f"#define my_{name} x\n{include}")))
    assert not list(before_the_header(lines(f"{include}#define {name} x")))


QUESTIONS = (
    "#ifdef {}\n#endif",
    "#ifndef {}\n#endif",
    "#if 0\n#elifdef {}\n#endif",
    "#if 0\n#elifndef {}\n#endif",
    "#if {}\n#endif",
    "#if defined {}\n#endif",
    "#if defined({}) && 1\n#endif",
    "#if 0\n#elif 2 > {}\n#endif",
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_about_a_macro_of_the_source_or_the_header(question: str) -> None:
    ((message, line),) = questions(lines(question.format("OTHER")))
    assert message.startswith("'OTHER': #")
    assert line == 1 + question.startswith("#if 0")
    assert not list(questions(lines(f"#define OTHER 1\n{question.format('OTHER')}")))
    assert not list(questions(lines(f"{question.format('OTHER')}\n#define OTHER 1")))
    for known in ("INFINITY", "__AMDGCN_WAVEFRONT_SIZE__", *WORDS_OF_QUESTIONS):
        assert not list(questions(lines(question.format(known))))


@pytest.mark.parametrize("name", ELSEWHERE.split())
def test_a_name_that_others_define_is_not_asked_for_even_when_the_source_defines_it(
    name: str,
) -> None:
    ((message, _),) = questions(lines(f"#ifndef {name}\n#define {name} 1\n#endif"))
    assert message.startswith(f"'{name}': #ifndef may ask")


@pytest.mark.parametrize("name", OWN)
def test_a_default_for_ones_own_macro_is_accepted(name: str) -> None:
    assert not list(questions(lines(f"#ifndef {name}\n#define {name} 1\n#endif")))


def test_a_macro_of_one_side_is_no_macro_of_both() -> None:
    both = macros_of_both_sides()
    assert {"__shared__", "FLT_MAX", "__launch_bounds__"} <= both
    assert not {"HIP_EMULATOR_EXPORT", "HIP_DETAIL_NUMBER", "HIP_DETAIL_BOUNDS_1"} & both


def test_what_is_no_definition_and_no_question_is_passed_over() -> None:
    for source in (
        "#define",
        "#ifdef",
        "#ifdef 1",
        "#undef",
        "#pragma unroll OTHER",
        "#if 1",
    ):
        for rule in (definitions, questions, before_the_header):
            assert not list(rule(lines(source)))


def test_a_line_that_is_no_definition_takes_no_word_of_the_header() -> None:
    assert not list(before_the_header(lines("#pragma lane\n#include <hip/hip_runtime.h>")))
    assert not list(definitions(lines("#ifdef static\n#endif")))
