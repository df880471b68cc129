"""Numbers in documents come from evidence."""

import pytest

from rocm_pipeline.reporting.document import numbers_without_source

SOURCE = '{"cols": 1000, "speedup": "2.5x", "head_dim": [32, 64]} nearest 2x upsampling'


@pytest.mark.parametrize(
    "text",
    [
        "Rows of 1000 columns.",
        "Nearest 2x upsampling, then a 3x3 convolution in float32 on gfx1100.",
        "It is {{ speedup_table }} faster.",
        "Use `block[256]` here.\n\n```\nfor (i = 0; i < 77; ++i)\n```",
        "1. First\n2. Second",
        "The estimate is 2.5x.",
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
    ],
)
def test_a_number_without_a_source_is_found(text: str, number: str) -> None:
    assert numbers_without_source(text, SOURCE) == [number]
