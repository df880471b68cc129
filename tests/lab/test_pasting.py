"""`##` builds kernel names and nothing else."""

import pytest

from rocm_pipeline.lab.pasting import pasting
from rocm_pipeline.lab.source_tokens import tokens

KERNELS = ("scale_f32", "longer_f32", "hip_f32", "ROCM_f32", "sections_f32", "main_f32", "_ab_f32")
ONLY = "## may only build a kernel name of the launch plan, like name_##type; use a template"


def told(source: str) -> list[tuple[str, int]]:
    return list(pasting(tokens(source), KERNELS))


@pytest.mark.parametrize(
    "source",
    [
        "#define K(t) scale_##t\nK(f32) K(a b)",
        "#define K(t) scale_##t##_part\nK(f32)",
        "#define K(a, b) scale_##a##b\nK(f, 32)\n#undef K",
        "#define K(a, b) scale_##a##b\nK(\n  f,\n  32)",
        "#define K scale_##f32",
        "#define K(t) scale_##t##_x\nK()",
        "#define K(...) scale_##__VA_ARGS__",
        "#define K(t) longer##t",
        "#define K(t) scal##t",
        "#undef K(a) scale_##a##b\nK(a b)",
        "scale_##t\nscale_##",
        "#define K(args...) scale_##args",
        "#ifndef K\n#define K(a, b) scale_##a##b\n#endif\n#ifdef K\n#endif",
        "#define K(a, b) scale_##a##b\n#if 0\n#elifdef K\n#elifndef K\n#endif",
        "#define K(t) scale_##t\n#define scale_width 4\n#define scal(a) a\n#define my_scale_(a) a",
        "#define K(t) scale_##x##t\nK(a b)\n#define TWO K(c d)",
    ],
)
def test_a_kernels_name_may_be_built(source: str) -> None:
    assert told(source) == []


@pytest.mark.parametrize("head", ["long", "hip_", "ROCM_", "main", "sect", "_ab_", "sca", "other"])
def test_the_beginning_of_another_word_may_not(head: str) -> None:
    assert told(f"\n#define K(t) {head}##t") == [(ONLY, 2)]


def test_a_parameter_is_no_beginning() -> None:
    assert told("\n#define K(scale_, t) scale_##t") == [(ONLY, 2)]
    assert told("\n#define K(a, scale_, t) a(scale_##t##_x)\nK(f, g, h)") == [(ONLY, 2), (ONLY, 2)]


def test_any_number_of_arguments_is_not_pasted_in_the_middle() -> None:
    for call in ("", "\nK(f, 32)"):
        for line in (2, 3):
            name = "\\\n" * (line - 2) + "K\\\n"
            for define in ("(...) scale_##__VA_ARGS__##_x", "(args...) scale_##args##_x"):
                assert told(f"\n#define {name}{define}{call}") == [(ONLY, line)]


@pytest.mark.parametrize("name", ["scale_", "scale_f32", "scale_x"])
def test_what_pasting_builds_is_no_call_of_a_macro(name: str) -> None:
    message = f"'{name}': ## could build this call of a macro; rename it"
    for define in (f"#define {name}(a) a", f"#define {name}()", f"#define {name}\\\n(a)"):
        assert told(f"#define K(t) scale_##t\n{define}") == [(message, 2)]
        assert told(define) == []
    assert told(f"#define K(t) scale_##t\n#define {name} 4\n#define {name} (4)") == []


@pytest.mark.parametrize(
    "call",
    [
        "K(a b, c)",
        "K(a, b c)",
        "K(a, (b))",
        "K(-a, b)",
        "K(, b)",
        "K",
        "K a",
        "K x)",
        f"K({', '.join('a' * 25)})",
        "K(a, b",
        "#define F(a, b) K(a, b)",
        "define K(a b, c)",
        "x define K(a b, c)",
        "x; undef K(a b, c)",
        "#if define K(a, b)\n#endif",
        "#define x define K(a, b)",
        "#if ifdef K(a, b)\n#endif",
        "#if K(a, b)\n#endif",
    ],
)
def test_an_argument_in_the_middle_is_one_word(call: str) -> None:
    ((message, line),) = told(f"#define K(a, b) scale_##a##b\n{call}")
    assert message == "'K' pastes its arguments: call it outside of macros, each argument one word"
    assert line == 2


def test_a_call_of_24_words_is_read() -> None:
    source = "#define K(a, b) scale_##a##b\nK(" + ", ".join("a" * 24) + ")"
    assert told(source) == []


def test_a_chain_at_the_very_beginning_has_no_beginning() -> None:
    assert told("##scale_##t") == [(ONLY, 1), (ONLY, 1)]


@pytest.mark.parametrize(
    "word",
    """
    alias allocate constructor destructor ifunc init_priority section main weakref FP_FAST_FMA
    long always_inline
    """.split(),  # noqa: SIM905
)
def test_a_word_with_a_meaning_is_no_beginning(word: str) -> None:
    kernels = (f"{word}_f32",)
    assert list(pasting(tokens(f"#define K(t) {word}##t"), kernels)) == [(ONLY, 1)]
    assert list(pasting(tokens(f"#define K(t) {word}_##t"), kernels)) == []
