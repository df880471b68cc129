"""The reply parser: what small models really send, and what is refused."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.agents.embedded.writing import as_markdown
from rocm_pipeline.agents.parser import (
    MAX_FILE,
    MAX_REPLY,
    ReplyError,
    kernel_from,
    parse,
)
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.targets.spec import Target

KERNEL = 'extern "C" __global__ void row_softmax_f32(const float* x) {}\n'
PLAN = (
    '{"launches": [{"kernel": "row_softmax_{io}", "grid": ["rows", 1, 1], '
    '"block": [64, 1, 1], "args": ["x"]}]}\n'
)
ALLOWED = allowed_files(Role.KERNEL_DEV)
GOOD = f"""### FILE: kernel.hip
```hip
{KERNEL}```

### FILE: launch_plan.json
```json
{PLAN}```

### EXPLANATION
It is fast.

### CONFIDENCE
0.8

### LIMITATIONS
- Only rows.
- Nothing else.
"""


def test_the_form_that_is_asked_for_is_read() -> None:
    assert parse(GOOD, ALLOWED) == Reply(
        files=(
            ReplyFile(path="kernel.hip", text=KERNEL),
            ReplyFile(path="launch_plan.json", text=PLAN),
        ),
        explanation="It is fast.",
        confidence=0.8,
        limitations=("Only rows.", "Nothing else."),
    )


FORMS = {
    "carriage returns": GOOD.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + GOOD,
    "talk before and after": f"Sure! Here is the kernel:\n\n{GOOD}\n\nLet me know!",
    "thinking first": f"<think>\n```hip\nint wrong;\n```\nhm\n</think>\n{GOOD}",
    "bold headings": GOOD.replace("### FILE: kernel.hip", "**FILE:** kernel.hip"),
    "bold all through": GOOD.replace("### FILE: kernel.hip", "**FILE: `kernel.hip`**"),
    "deeper headings": GOOD.replace("### ", "##### "),
    "a colon after": GOOD.replace("### FILE: kernel.hip", "### FILE: kernel.hip:"),
    "lower case": GOOD.replace("### FILE:", "### file:"),
    "file name wording": GOOD.replace("### FILE:", "Filename:"),
    "name alone as heading": GOOD.replace("### FILE: ", "### "),
    "name alone in code": GOOD.replace("### FILE: kernel.hip", "`kernel.hip`:"),
    "numbered names": GOOD.replace("### FILE: kernel.hip", "1. **kernel.hip**"),
    "a folder before the name": GOOD.replace("FILE: kernel", "FILE: ./kernels/kernel"),
    "four backticks": GOOD.replace("```", "````"),
    "tildes": GOOD.replace("```", "~~~"),
    "other language tags": GOOD.replace("```hip", "```cpp"),
    "no language tags": GOOD.replace("```hip", "```").replace("```json", "```"),
    "a sentence before the block": GOOD.replace(
        "### FILE: kernel.hip\n", "### FILE: kernel.hip\nThe kernel:\n\n"
    ),
    "no heading for the plan": GOOD.replace("### FILE: launch_plan.json\n", ""),
    "no file headings": GOOD.replace("### FILE: kernel.hip\n", "").replace(
        "### FILE: launch_plan.json\n", ""
    ),
    "name in the fence": GOOD.replace("### FILE: kernel.hip\n```hip", "```hip:kernel.hip"),
    "name as fence title": GOOD.replace(
        "### FILE: kernel.hip\n```hip", '```cpp title="kernel.hip"'
    ),
    "the same file twice": GOOD.replace(
        "### EXPLANATION", f"### FILE: kernel.hip\n```hip\n{KERNEL}```\n\n### EXPLANATION"
    ),
    "an example in the explanation": GOOD.replace(
        "It is fast.", f"It is fast.\n```hip\n{KERNEL}// older\n```"
    ),
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_what_small_models_make_of_the_form_is_read(text: str) -> None:
    reply = parse(text, ALLOWED)
    assert reply.file("kernel.hip") == KERNEL
    assert reply.file("launch_plan.json") == PLAN
    assert reply.confidence == 0.8
    assert len(reply.files) == 2
    assert reply.limitations[:2] == ("Only rows.", "Nothing else.")


MALFORMED = {
    "empty": ("  \n", "The reply is empty"),
    "thinking only": ("<think>I wonder</think>", "The reply is empty"),
    "cut off": (GOOD[: GOOD.index("extern") + 20], "cut off"),
    "cut off in the plan": (GOOD[: GOOD.index('"grid"')], "cut off"),
    "heading without a block": (
        "### FILE: kernel.hip\n\n### EXPLANATION\nLater.",
        "No fenced block follows the heading of kernel.hip",
    ),
    "two blocks under one heading": (
        GOOD.replace("### FILE: launch_plan.json", f"```hip\n{KERNEL}// two\n```"),
        "Two blocks follow the heading of kernel.hip",
    ),
    "two different kernels, no headings": (
        f"```hip\n{KERNEL}```\nor\n```hip\n{KERNEL}// other\n```\n",
        "More than one block without a heading could be kernel.hip",
    ),
    "one file twice, different": (
        f"{GOOD}\n### FILE: kernel.hip\n```hip\n// other\n```\n",
        "kernel.hip is there twice with different text",
    ),
    "a file nobody asked for": (
        f"{GOOD}\n### FILE: host.cpp\n```cpp\nint main() {{}}\n```\n",
        "'host.cpp' was not asked for. Send only kernel.hip, launch_plan.json.",
    ),
    "a way out of the folder": (
        GOOD.replace("FILE: kernel.hip", "FILE: ../../etc/passwd"),
        "was not asked for",
    ),
    "an empty file": (GOOD.replace(KERNEL, "\n"), "kernel.hip is empty"),
    "a zero character": (GOOD.replace("const", "co\0nst"), "zero character"),
    "a huge file": (GOOD.replace("{}", "x" * MAX_FILE), "longer than"),
    "a huge reply": ("x" * (MAX_REPLY + 1), "longer than"),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_refused_in_words_for_the_agent(text: str, message: str) -> None:
    with pytest.raises(ReplyError) as error:
        parse(text, ALLOWED)
    assert message in str(error.value)
    assert str(error.value).endswith(".")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.py", "a/../../x", "~/.ssh/id", "C:\\x.py"])
def test_without_a_list_only_plain_relative_paths_are_taken(path: str) -> None:
    with pytest.raises(ReplyError, match="plain relative path"):
        parse(f"### FILE: {path}\n```\ntext\n```\n")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("0.85", 0.85), ("85%", 0.85), ("85 %", 0.85), ("85", 0.85), ("8/10", 0.8),
        ("1", 1.0), ("0", 0.0), (".5", 0.5), ("**0.7**", 0.7), ("Confidence: 0.6", 0.6),
        ("High", 0.75), ("very high", 0.9), ("low", 0.25), ("medium", 0.5),
        ("2", None), ("250%", None), ("3/0", None), ("I do not know", None), ("", None),
    ],
)  # fmt: skip
def test_confidence_is_read_as_figure_or_word(words: str, value: float | None) -> None:
    text = GOOD.replace("0.8\n", f"{words}\n")
    assert parse(text, ALLOWED).confidence == pytest.approx(value)


@pytest.mark.parametrize("line", ["### CONFIDENCE: 0.4", "**Confidence:** 0.4", "Confidence: 40%"])
def test_confidence_may_stand_on_the_line_of_its_heading(line: str) -> None:
    text = GOOD.replace("### CONFIDENCE\n0.8", line)
    assert parse(text, ALLOWED).confidence == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- one\n- two", ("one", "two")),
        ("* one\n  goes on\n* two", ("one goes on", "two")),
        ("1. one\n2) two", ("one", "two")),
        ("one sentence.", ("one sentence.",)),
        ("None.", ()),
        ("- none", ()),
        ("", ()),
    ],
)
def test_limitations_are_bullets_or_lines(text: str, expected: tuple[str, ...]) -> None:
    reply = parse(GOOD.replace("- Only rows.\n- Nothing else.", text), ALLOWED)
    assert reply.limitations == expected


def test_a_refusal_without_files_is_a_reply() -> None:
    reply = parse("### EXPLANATION\nI cannot.\n\n### LIMITATIONS\n- No idea how.\n", ALLOWED)
    assert reply.files == ()
    assert reply.limitations == ("No idea how.",)


def test_prose_alone_becomes_the_explanation() -> None:
    assert parse("I am sorry, I cannot do that.", ALLOWED).explanation.startswith("I am sorry")


def test_a_markdown_file_may_hold_code_blocks_in_equal_fences() -> None:
    inner = "# Title\n\n```python\nprint(1)\n```\n\nEnd.\n"
    for fence in ("```", "````"):
        text = f"### FILE: documentation.md\n{fence}markdown\n{inner}{fence}\n### CONFIDENCE\n1\n"
        reply = parse(text, allowed_files(Role.DOCS_WRITER))
        assert reply.file("documentation.md") == inner
        assert reply.confidence == 1.0


def test_a_reply_as_json_is_read_and_checked_alike() -> None:
    whole = parse(GOOD, ALLOWED)
    assert parse(whole.model_dump_json(), ALLOWED) == whole

    foreign = Reply(files=(ReplyFile(path="host.cpp", text="x"),))
    with pytest.raises(ReplyError, match="not asked for"):
        parse(foreign.model_dump_json(), ALLOWED)


def test_mentioning_a_file_in_prose_is_no_heading() -> None:
    text = GOOD.replace("It is fast.", "Files:\n- kernel.hip\n- launch_plan.json\n")
    assert parse(text, ALLOWED).file("kernel.hip") == KERNEL


def test_a_kernel_reply_becomes_a_candidate(target: Target) -> None:
    candidate = kernel_from(parse(GOOD, ALLOWED), target, parents=("k-1",))
    assert candidate.source == KERNEL
    assert candidate.launch_plan.launches[0].kernel == "row_softmax_{io}"
    assert candidate.target == "row_softmax"
    assert candidate.parents == ("k-1",)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("{'launches': []}", "launch_plan.json is not JSON"),
        ('{"launches": [{"block": [WAVE, 1, 1]}]}', "(char 25), at 'WAVE, 1, 1]}]}"),
        (PLAN.replace("]}]}", "]}],}"), "no trailing commas"),
        ("[]", "launch_plan.json is not a launch plan: the whole file"),
        ('{"launches": []}', "launches: Tuple should have at least 1 item"),
        (PLAN.replace('"rows"', '"rows / 4"'), "allowed are integers, symbols"),
        (PLAN.replace('"grid"', '"grids"'), "launches.0.grid: Field required"),
        (PLAN.replace("row_softmax_{io}", "rm -rf /"), "is not a kernel name"),
        (PLAN.replace('"rows"', '"__import__(1)"'), "allowed are integers, symbols"),
    ],
)
def test_a_bad_launch_plan_is_explained(target: Target, plan: str, message: str) -> None:
    reply = parse(GOOD.replace(PLAN, plan + "\n"), ALLOWED)
    with pytest.raises(ReplyError) as error:
        kernel_from(reply, target)
    assert message in str(error.value)


def test_a_missing_file_is_named_with_the_agents_own_reason(target: Target) -> None:
    with pytest.raises(ReplyError, match=r"lacks kernel\.hip and launch_plan\.json.*No idea"):
        kernel_from(Reply(limitations=("No idea.",)), target)
    only_kernel = Reply(files=(ReplyFile(path="kernel.hip", text=KERNEL),))
    with pytest.raises(ReplyError, match=r"lacks launch_plan\.json:"):
        kernel_from(only_kernel, target)


@given(st.text(max_size=400))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    with contextlib.suppress(ReplyError):
        assert parse(text, ALLOWED).files == () or "```" in text or "~~~" in text


_FENCED = st.lists(
    st.sampled_from(
        ["```", "````", "```hip", "~~~", "### FILE: kernel.hip", "x.md", "### CONFIDENCE", "code",
         "### FILE: launch_plan.json", "### LIMITATIONS", "__global__", '{"launches": []}', "- a"]
    ),
    max_size=14,
).map("\n".join)  # fmt: skip


@given(_FENCED)
def test_no_order_of_headings_and_fences_makes_the_parser_fail_otherwise(text: str) -> None:
    try:
        reply = parse(text, ALLOWED)
    except ReplyError:
        return
    assert {file.path for file in reply.files} <= ALLOWED


@given(st.text(alphabet="`~#\n ab*-:{}", min_size=1, max_size=200).filter(str.strip))
def test_what_is_written_in_the_form_is_read_back(text: str) -> None:
    written = Reply(
        files=(ReplyFile(path="kernel.hip", text=text.rstrip("\n") + "\n"),),
        explanation="why",
        limitations=("one",),
    )
    if not written.files[0].text.strip():
        return
    assert parse(as_markdown(written), ALLOWED) == written


@pytest.mark.parametrize(
    "text",
    [
        "<think>" * 50_000,
        "<think></think>" * 25_000,
        "~" * 390_000 + "`",
        "```" + " " * 390_000 + "`",
        "FILE: " + "a." * 190_000 + "!",
        "### CONFIDENCE\n" + "9" * 390_000,
        "```\n" * 99_999,
        "a.md\n\n" * 60_000,
        "*" * 390_000,
        "\n" * 390_000 + "x",
    ],
    ids=range(10),
)
def test_a_hostile_text_takes_no_more_than_a_moment(text: str) -> None:
    start = time.process_time()
    with contextlib.suppress(ReplyError):
        parse(text, ALLOWED)
    assert time.process_time() - start < 3


def test_deeply_nested_json_is_no_crash() -> None:
    with pytest.raises(ReplyError):
        parse("```json\n" + "[" * 50_000 + '"launches"' + "\n", ALLOWED)
    assert parse("```json\n" + "[" * 50_000 + "\n```", ALLOWED).files == ()
