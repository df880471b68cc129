"""Launch plans and their expressions: they come from agents and are evaluated by the harness."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rocm_pipeline.agents.parser import ReplyError, kernel_from
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import KERNEL_FILE, LAUNCH_PLAN_FILE
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.targets.expressions import ExpressionError, evaluate, symbols_of
from rocm_pipeline.targets.launch_plan import LaunchPlan, LaunchPlanError
from rocm_pipeline.targets.spec import Target
from tests.conftest import RecordFigure
from tests.fuzz.mutations import (
    NASTY_VALUES,
    NASTY_WORDS,
    NESTED,
    mutated_document,
    mutated_text,
    nudged_document,
)
from tests.fuzz.oracle import Oracle, fuzzing, require_one_clear_line

SYMBOLS = {"rows": 2**31 - 1, "cols": 1, "zero": 0, "minus": -7}
BITS = 128
"""More than any value that has a meaning needs; an evaluation must never grow beyond."""
HOSTILE = (
    *("9**9**9", "9" * 400, "*".join(["rows"] * 80), "-" * 390 + "1", "(" * 390, "1" + "+1" * 190),
    *("ceildiv(rows, zero)", "rows % zero", "min()", "max(*rows)", "rows\n+1", "rows if 1 else 0"),
    *(
        "lambda: 1",
        "[1][0]",
        "__import__('os')",
        "rows.__class__",
        "f'{rows}'",
        "1e400",
        "0x" + "f" * 390,
    ),
    *("*".join(["9" * 90] * 4), "True", "1_000", "\u0665", "\uff52ows", "1if 1else 0", "min(" * 90),
)

_leaves = st.one_of(
    st.sampled_from([*SYMBOLS, "unknown", "WAVE"]),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(HOSTILE),
)
EXPRESSIONS = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "//", "%", "**", "/", "<<", " "]), inner
        ).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        st.tuples(st.sampled_from(["min", "max", "ceildiv", "pow", ""]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=12,
)


def test_a_hostile_expression_has_a_small_value_or_is_refused_in_one_line(
    record_figure: RecordFigure,
) -> None:
    oracle = Oracle("expressions", (ExpressionError,))
    seeds = ["ceildiv(rows, 4) * max(cols, 1)", "rows * cols % 7 - -3 // 2", *HOSTILE]
    texts = st.one_of(EXPRESSIONS, mutated_text(seeds, (*NASTY_WORDS, *SYMBOLS)))

    def value_of(text: str) -> int:
        symbols_of(text)
        return evaluate(text, SYMBOLS)

    @fuzzing()
    @given(texts)
    def fuzz(text: str) -> None:
        value = oracle.feed(lambda: value_of(text))
        assert value is None or (type(value) is int and value.bit_length() <= BITS)

    fuzz()
    record_figure("fuzz", oracle.figure())


def test_a_hostile_launch_plan_is_read_or_refused_in_one_line(
    builtins: tuple[Target, ...], record_figure: RecordFigure
) -> None:
    oracle = Oracle("launch plans", (ReplyError,))
    seeds = [
        *(target.baseline.launch_plan.model_dump(mode="json") for target in builtins),
        {
            "launches": [{"kernel": "k", "grid": [1, 1, 1], "block": [64, 1, 1], "args": ["w"]}],
            "workspace": [{"name": "w", "dtype": "float32", "shape": ["rows", "4"]}],
        },
    ]
    values = (*NASTY_VALUES, *HOSTILE, [[*HOSTILE[:3]]], ["9" * 90] * 30, ["rows"] * 3000)
    texts = st.one_of(
        mutated_document(seeds, values).map(json.dumps),
        nudged_document(seeds).map(json.dumps),
        st.tuples(mutated_document(seeds, values), EXPRESSIONS).map(_with_grid),
        mutated_text([json.dumps(seed) for seed in seeds], (*NASTY_WORDS, *NESTED)),
    )
    target = next(t for t in builtins if t.name == "row_softmax")

    def read(text: str) -> LaunchPlan:
        file = ReplyFile.model_construct(path=LAUNCH_PLAN_FILE, text=text)
        kernel = ReplyFile(path=KERNEL_FILE, text="//")
        return kernel_from(
            Reply.model_construct(files=(kernel, file), limitations=()), target
        ).launch_plan

    def judge(plan: LaunchPlan) -> None:
        findings = check_plan(plan, target)
        for finding in findings:
            require_one_clear_line(finding.message)
        if not findings:
            assert target.kernel_names(plan)

    @fuzzing()
    @given(texts)
    def fuzz(text: str) -> None:
        plan = oracle.feed(lambda: read(text))
        if plan is not None:
            oracle.feed_on(lambda: judge(plan))

    fuzz()
    record_figure("fuzz", oracle.figure())


def test_names_of_kernels_that_are_no_templates_are_refused(builtins: tuple[Target, ...]) -> None:
    oracle = Oracle("kernel names", (LaunchPlanError, ReplyError))
    target = builtins[0]
    for name in ("{}", "{0}", "{a{b}}", "{", "}", "{{", "{{x}}", "{io}{io}", "_", "k{io"):
        plan = target.baseline.launch_plan.model_dump()
        plan["launches"][0]["kernel"] = name
        reply = Reply(
            files=(
                ReplyFile(path=KERNEL_FILE, text="//"),
                ReplyFile(path=LAUNCH_PLAN_FILE, text=json.dumps(plan)),
            )
        )
        oracle.feed(lambda reply=reply: target.kernel_names(kernel_from(reply, target).launch_plan))
    assert oracle.refused > 5


def _with_grid(parts: tuple[Any, str]) -> str:
    document, expression = parts
    match document:
        case {"launches": [dict() as first, *_]}:
            first["grid"] = [expression, expression, "1"]
        case _:
            pass
    return json.dumps(document)
