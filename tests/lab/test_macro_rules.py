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

OWN = (
    *("BLOCK", "WIDTH", "CEILDIV", "scale", "tile", "M_TILE", "NVEC", "FP_TYPE", "INT_TILE", "A"),
    *("DBL_BUFFER", "EPS", "ELEMS", "PRINT", "FE", "SIGMOID", "TILE_MAX", "ATOMIC_ADD", "island"),
    *("ROWS_MIN", "INT4_PACK", "UNROLL_C", "my_hip", "LC_ROWS", "SEEK", "chip"),
)
OF_INTEGERS = """
    CHAR SCHAR UCHAR SHRT USHRT INT UINT LONG ULONG LLONG ULLONG WCHAR WINT SIG_ATOMIC SIZE PTRDIFF
"""
EXACT_INTEGERS = ("8", "16", "32", "64", "MAX", "PTR", "_LEAST8", "_LEAST16", "_FAST32", "_FAST64")
OF_FLOATS = """
    DIG MANT_DIG DECIMAL_DIG EPSILON MAX MAX_EXP MAX_10_EXP MIN MIN_EXP MIN_10_EXP TRUE_MIN
    HAS_SUBNORM
"""
ELSEWHERE = (
    *(f"{t}_{end}" for t in OF_INTEGERS.split() for end in ("MAX", "MIN", "WIDTH")),
    *("CHAR_BIT", "LONG_BIT"),
    *(f"{u}INT{t}_{end}" for u in ("", "U") for t in EXACT_INTEGERS for end in ("MAX", "WIDTH")),
    *("INT8_MIN", "INTPTR_MIN", "INT_FAST16_MIN", "INT64_C", "UINT64_C", "UINTMAX_C"),
    *(f"{io}{kind}{t}" for io in ("PRI", "SCN") for kind in "diouxX" for t in ("32", "LEAST8")),
    *(f"{t}_{what}" for t in ("FLT", "DBL", "LDBL") for what in OF_FLOATS.split()),
    *("FLT_EVAL_METHOD", "FLT_RADIX", "FLT_ROUNDS", "DECIMAL_DIG"),
    *("HUGE_VAL", "HUGE_VALL", "FP_NAN", "FP_INFINITE", "FP_ZERO", "FP_SUBNORMAL", "FP_NORMAL"),
    *("FP_ILOGB0", "FP_ILOGBNAN", "M_E", "M_LOG10E", "M_LN10", "M_LN2f", "M_PI_2", "M_PIf"),
    *("M_1_PI", "M_2_PI", "M_SQRT2f", "M_SQRT1_2f", "signbit", "fpclassify", "isfinite", "isinf"),
    *("isnan", "isnormal", "isgreater", "isgreaterequal", "isless", "islessgreater"),
    *("isunordered", "math_errhandling", "MATH_ERRNO", "MATH_ERREXCEPT"),
    *("FE_ALL_EXCEPT", "FE_TONEAREST", "FE_DFL_ENV"),
    *("ATOMIC_INT_LOCK_FREE", "ATOMIC_CHAR16_T_LOCK_FREE", "ATOMIC_FLAG_INIT", "ATOMIC_VAR_INIT"),
    *("hipLaunch", "HIP_VERSION", "cuda_x", "CUDA_VERSION", "ROCM_VERSION", "gfx942", "GFX9"),
    *("amdgcn_x", "amdgpu", "AMDGPU_X", "NVCC_X"),
    *"""
    BIG_ENDIAN BUFSIZ BYTE_ORDER CLOCKS_PER_SEC EOF EXIT_FAILURE EXIT_SUCCESS FILENAME_MAX
    FOPEN_MAX LC_ALL LC_COLLATE LC_CTYPE LC_MONETARY LC_NUMERIC LC_TIME LITTLE_ENDIAN L_tmpnam
    MB_CUR_MAX MB_LEN_MAX NDEBUG NULL PATH_MAX RAND_MAX SEEK_CUR SEEK_END SEEK_SET SIGABRT SIGFPE
    SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_ERR SIG_IGN TIME_UTC TMP_MAX WEOF assert errno i386
    linux offsetof setjmp stderr stdin stdout unix va_arg va_copy va_end va_start
    E2BIG EACCES EAGAIN EDOM EEXIST EILSEQ EINTR EINVAL EIO ENOENT ENOMEM EOVERFLOW ERANGE EXDEV
    """.split(),  # noqa: SIM905
)

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
    amdgpu_flat_work_group_size amdgpu_waves_per_eu constant convergent device enable_if global host
    nodebug section shared used
"""


FORMS = ("#define {}", "#define {} x", "#define {}(a) a", "#undef {}", "#undef {} x")


def lines(source: str) -> list[tuple[Token, ...]]:
    return list(directives(tokens(source)))


def test_the_lists_hold_these_words() -> None:
    assert sorted(ATTRIBUTES) == NO_ATTRIBUTES_BUT.split()
    assert sorted(KEYWORDS) == NO_KEYWORDS_BUT.split()


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *(*NO_ATTRIBUTES_BUT.split(), *NO_KEYWORDS_BUT.split(), *OF_THE_HEADER.split()),
            *(*words_of_macros(), "__my", "_My", "HIP_MY", "HIP_"),
        }
    ),
)
def test_a_word_with_a_meaning_is_not_to_be_defined(name: str) -> None:
    for directive in FORMS:
        ((message, line),) = definitions(lines(f"\n{directive.format(name)}"))
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
    for directive in FORMS:
        ((message, line),) = before_the_header(lines(f"\n{directive.format(name)}\n{include}"))
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
    assert not list(questions(lines(f"#define OTHER\n{question.format('OTHER')}")))
    assert not list(questions(lines(f"{question.format('OTHER')}\n#define OTHER 1")))
    for known in ("INFINITY", "__AMDGCN_WAVEFRONT_SIZE__", *WORDS_OF_QUESTIONS):
        assert not list(questions(lines(question.format(known))))


def test_a_name_that_others_define_is_not_asked_for_even_when_the_source_defines_it() -> None:
    source = "".join(f"#ifndef {name}\n#define {name} 1\n#endif\n" for name in ELSEWHERE)
    told = [message.split(" may ask")[0] for message, _ in questions(lines(source))]
    common = macros_of_both_sides()
    assert told == [f"'{name}': #ifndef" for name in ELSEWHERE if name not in common]


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


INDIRECT = (
    "#define Q {}\n#if Q\n#endif",
    "#define Q defined({})\n#if Q\n#endif",
    "#define P Q\n#define Q(a) (a) + {}\n#if 0\n#elif P(1)\n#endif",
    "#if Q\n#endif\n#undef Q\n#define Q {}\n",
    "#define INFINITY {}\n#if INFINITY\n#endif",
    "#define Q(a) a\n#define P {}\n#if Q(defined(P))\n#endif",
    "#define P {}\n#define Q 1\n#if Q && defined P\n#endif",
    "#define P 1\n#define Q Q + P\n#define P {}\n#if Q\n#elif Q\n#endif",
)


@pytest.mark.parametrize("source", INDIRECT)
def test_a_macro_asks_what_it_stands_for(source: str) -> None:
    ((message, line),) = questions(lines(source.format("EOF")))
    directive = "elif" if "elif P" in source else "if"
    assert message.startswith(f"'EOF': #{directive} may ask")
    assert "EOF" in source.format("EOF").splitlines()[line - 1]
    for own in ("1", "(OWN + 1u)", "OWN", "INFINITY"):
        assert not list(questions(lines(f"#define OWN 2\n{source.format(own)}"))), own


@pytest.mark.parametrize(
    "question",
    [
        *("#ifdef T", "#ifndef T", "#if 0\n#elifdef T", "#if 0\n#elifndef T", "#if defined T"),
        *("#if defined(T) && !defined(T)", "#if 0\n#elif 1 > 2 or defined(T)", "#define E T"),
        *("#if true and not defined(T)", "#pragma unroll T", "#error T"),
    ],
)
def test_a_macro_that_is_not_replaced_may_stand_for_anything(question: str) -> None:
    assert not list(questions(lines(f"#define T blockIdx.x * EOF\n{question}\n#endif")))


def test_parameters_are_no_words_of_a_macro() -> None:
    source = "#define AT_LEAST(value, low, ...) (value >= low && __VA_ARGS__)\n{}\n#endif"
    assert not list(questions(lines(source.format("#define N 1\n#if AT_LEAST(N, 2, 1)"))))
    assert list(questions(lines(source.format("#if AT_LEAST(N, 2, 1)"))))


def test_no_question_uses_what_pasting_builds() -> None:
    source = "\n#define J(a) scale_##a\n{}\n#endif"
    for question in ("#if J(1)", "#define K J\n#if K(1)", "#define scale_ 1\n#if J()"):
        told = [(m, line) for m, line in questions(lines(source.format(question))) if "##" in m]
        assert told == [("#if must not use what ## builds", 2)]
    for question in ("#ifdef J", "#if defined(J)", "#if 1"):
        assert not list(questions(lines(source.format(question))))
