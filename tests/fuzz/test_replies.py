"""Replies of agents: whatever a model sends, the parser answers with a reply or one clear line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.agents.parser import ReplyError, kernel_from, parse
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import KERNEL_FILE, LAUNCH_PLAN_FILE
from rocm_pipeline.targets.spec import Target
from tests.conftest import RecordFigure
from tests.fuzz.mutations import NASTY_WORDS, mutated_lines, mutated_text
from tests.fuzz.oracle import Oracle, fuzzing

ALLOWED = (KERNEL_FILE, LAUNCH_PLAN_FILE)
MARKUP = (
    *("### FILE: kernel.hip\n", "### FILE: kernel.hip\n```hip\n", "\n```\n", "\n````\n", "~~~\n"),
    *("### EXPLANATION\n", "CONFIDENCE: 1/0", "CONFIDENCE: 1e999 / 1e999", "### LIMITATIONS\n- "),
    *("```json\n", "```md\n", "</think>", "kernel.hip\n", "FILE: ../kernel.hip\n", "FILE: `\n"),
    *("__global__", '{"launches": []}', '{"files": [{"path": "kernel.hip", "text": "\\ud800"}]}'),
)


def replies(target: Target) -> list[str]:
    """Return a reply in Markdown, the same with more around it, and the same as JSON."""
    plan = target.baseline.launch_plan.model_dump_json(indent=1)
    source = target.baseline.source
    markdown = (
        f"### FILE: {KERNEL_FILE}\n```hip\n{source}```\n\n"
        f"### FILE: {LAUNCH_PLAN_FILE}\n```json\n{plan}\n```\n\n"
        "### EXPLANATION\nOne pass.\n\n### CONFIDENCE\n0.8\n\n### LIMITATIONS\n- none known\n"
    )
    files = [{"path": KERNEL_FILE, "text": source}, {"path": LAUNCH_PLAN_FILE, "text": plan}]
    as_json = json.dumps({"files": files, "confidence": 0.5, "limitations": ["slow"]})
    thinking = f"<think>\n{markdown}\n</think>\nHere it is:\n\n```cpp\n{source}```\n{plan}\n"
    return [markdown, as_json, thinking]


def read(text: str, target: Target) -> Reply:
    reply = parse(text, ALLOWED)
    assert {file.path for file in reply.files} <= set(ALLOWED)
    assert reply.confidence is None or 0 <= reply.confidence <= 1
    reply.model_dump_json().encode()
    kernel_from(reply, target)
    return reply


@pytest.mark.parametrize("index", range(3))
def test_the_replies_that_the_hostile_ones_are_made_from_are_read(
    builtins: tuple[Target, ...], index: int
) -> None:
    for target in builtins:
        text = replies(target)[index]
        reply = parse(text, ALLOWED)
        assert reply.file(KERNEL_FILE) is not None


def test_a_hostile_reply_is_read_or_refused_in_one_line(
    builtins: tuple[Target, ...], record_figure: RecordFigure
) -> None:
    oracle = Oracle("replies", (ReplyError,))
    target = next(t for t in builtins if t.name == "row_softmax")
    seeds = [text for each in builtins for text in replies(each)]
    texts = st.one_of(
        mutated_text(seeds, (*NASTY_WORDS, *MARKUP)),
        mutated_lines(seeds),
        st.lists(st.sampled_from((*MARKUP, *NASTY_WORDS)), max_size=30).map("".join),
    )

    @fuzzing()
    @given(texts)
    def fuzz(text: str) -> None:
        oracle.feed(lambda: read(text, target))
        oracle.feed_on(lambda: parse(text).model_dump_json())

    fuzz()
    record_figure("fuzz", oracle.figure())


@pytest.mark.parametrize(
    "unit", ["```\n", "<think>", "a.b\n", "### FILE: x.y\n", "{", "\n", " ", "- \n", "CONFIDENCE "]
)
def test_a_reply_that_repeats_itself_takes_linear_time(unit: str) -> None:
    oracle = Oracle("replies", (ReplyError,))
    oracle.feed(lambda: parse(unit * (390_000 // len(unit))))
