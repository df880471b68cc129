"""Numbers in documents come from evidence."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rocm_pipeline.agents.embedded.document import write_document
from rocm_pipeline.agents.embedded.question import Question
from rocm_pipeline.agents.roles import DOCUMENTATION_FILE
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.reporting.numbers import numbers_without_source
from rocm_pipeline.targets import library
from tests.scale import scaled

SOURCE = (
    '{"cols": 1000, "speedup": "2.5x", "head_dim": [32, 64], "eps": 1e-05, "half": 0.5, '
    '"kernel": "row_softmax_f32"} nearest 2x upsampling, rocm 6.4.1'
)


@pytest.mark.parametrize(
    "text",
    [
        "Rows of 1000 columns.",
        "Nearest 2x upsampling, then a 3x3 convolution in float32 on gfx1100.",
        "It is {{ speedup_table }} faster.",
        "Use `block[256]` here.\n\n```\nfor (i = 0; i < 77; ++i)\n```",
        "1. First\n2. Second",
        "The estimate is 2.5x.",
        "```python\ncausal = 1\nx = f(causal)\n```",
        "For gfx90a and gfx1201, wave64, float16, bf16, f32, int8 and float4, at tier T3.",
        "The kernel row_softmax_f32 in rocm 6.4.1, as the source has it.",
        "A 2d convolution of 16x16 tiles, 3\u00d73 and conv2d; O(n\u00b2).",
        "Rows of 1,000 columns, or 1e3, or \uff11\uff10\uff10\uff10, or 1_000, or 10\u00b3.",
        "Heads of `[32, 64]`, with an eps of 1e-5 or 0.00001, and \u00bd.",
        "Use `x50`, `wave[7]` and `5e3f` here.",
        "1. First\n1. Again\n2) Third\n\nText.\n\n1. New\n2. List",
        "It runs two passes, half of them twice.",
        "It is x 2.5 faster.",
    ],
)
def test_numbers_of_the_sources_code_and_names_are_accepted(text: str) -> None:
    assert numbers_without_source(text, SOURCE) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("It is 3x faster.", "3x"),
        ("It is 3 times faster.", "3 times"),
        ("It saves 40 % of the time.", "40 %"),
        ("It takes 12 us.", "12 us"),
        ("It takes 12 \u00b5s.", "12 \u00b5s"),
        ("It reaches 900 GB/s.", "900 GB/s"),
        ("Only 17 registers.", "17"),
        ("A speed-up of 1.75 was seen.", "1.75"),
        ("1000x faster", "1000x"),
        ("It is 7\ntimes faster.", "7\ntimes"),
        ("```python\ny = f(x)  # 3x faster\n```", "3x"),
        ("It is 5e3 faster.", "5e3"),
        ("It is 5E+3 faster.", "5E+3"),
        ("It is x50 faster.", "x50"),
        ("It is \u00d7 50 faster.", "\u00d7 50"),
        ("It is X32 faster.", "X32"),
        ("It is v50 now.", "50"),
        ("The 50th percentile.", "50"),
        ("It is 5_0 times faster.", "5_0 times"),
        ("Only 5_0 registers.", "5_0"),
        ("Version 1.5.7 is faster.", "1.5.7"),
        ("Faster by 10\u2075.", "10^5"),
        ("Faster by 10^5.", "10^5"),
        ("It is 5\u2070 faster.", "5^0"),
        ("It takes \u00bc the time.", "1\u20444"),
        ("It takes 1/4 the time.", "1/4"),
        ("It takes 3\u00bd steps.", "3"),
        ("It is 0x2A times faster.", "0x2A times"),
        ("It has 0x2A registers.", "0x2A"),
        ("It has 0b111 registers.", "0b111"),
        ("It is \uff15\uff10 times faster.", "50 times"),
        ("Only \u0665\u0660 registers.", "50"),
        ("Only \u2464 registers.", "5"),
        ("Only \U0001d7d3\U0001d7d8 registers.", "50"),
        ("It is 5\u200b0x faster.", "50x"),
        ("It is 5**0**x faster.", "50x"),
        ("It is &#53;0x faster.", "50x"),
        ("It is 5\\.5x faster.", "5.5x"),
        ("It takes .7 of the time.", ".7"),
        ("It is 1,500 wide.", "1,500"),
        ("It is `50` times faster.", "50 times"),
        ("```\n50\n```", "50"),
        ("```\n\uff15\uff10 \u00b5s\n```", "50 \u00b5s"),
        ("It is 50-fold faster.", "50-fold"),
        ("It takes 12 milliseconds.", "12 milliseconds"),
        ("It does 9 TFLOPS.", "9 TFLOPS"),
        ("It is fifty times faster.", "fifty times"),
        ("It is twenty-five percent faster.", "twenty-five percent"),
        ("It is a tenfold gain.", "tenfold"),
        ("It is twice as fast.", "twice as fast"),
        ("It takes half the time.", "half the time"),
        ("The gain is by\n70) times.", "70"),
        ("It reads row_17 first.", "17"),
    ],
)
def test_a_number_without_a_source_is_found(text: str, number: str) -> None:
    assert numbers_without_source(text, SOURCE) == [number]


@pytest.mark.parametrize("name", library.builtin_names())
def test_honest_documentation_of_a_built_in_target_has_nothing_without_a_source(
    name: str,
) -> None:
    target = library.load(name, Path("no user targets"))
    task = next(t for t in make_plan(target, "c0ffee", ()).tasks if t.role is Role.DOCS_WRITER)
    baseline = target.baseline
    question = Question(task, target, (), baseline.source, baseline.launch_plan, None)
    text = write_document(question, 0).file(DOCUMENTATION_FILE) or ""
    assert "## Kernel design" in text
    source = target.model_dump_json() + target.title
    assert numbers_without_source(text, source) == []
    assert numbers_without_source(f"{text}\nIt is v987 now.", source) == ["987"]


@settings(max_examples=scaled(short=300, long=10_000), deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    assert numbers_without_source(text, text) is not None


@pytest.mark.parametrize(
    "unit", ["1", "1.", "1_", "1,000", "1e", "0x", "5 -", "two ", "1/", "2^", "`", "a1.", "9 "]
)
def test_no_text_makes_it_slow(unit: str) -> None:
    text = unit * (60_000 // len(unit))
    started = time.process_time()
    numbers_without_source(text, text)
    assert time.process_time() - started < 2.0
