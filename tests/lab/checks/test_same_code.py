"""A candidate whose machine code is the baseline's is told so, and claims no speed-up."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.evidence import CompileRecord, Estimate, Evidence, Identity, Status
from rocm_pipeline.lab.same_code import noted, same_code, speedups_over
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.lab.verification import verify
from rocm_pipeline.targets.spec import ARCHITECTURES, Case
from tests.lab.conftest import SCALE_SOURCE
from tests.lab.verification.folders import VECTOR_ADD, write
from tests.scale import only_long

TABLE = SCALE_SOURCE.replace(
    "  const int i =", "  const float table[4] = {1, 2, 3, 5};\n  const int i ="
).replace("x[i]", "x[i] + table[(n + threadIdx.x) % 4]")


def codes(toolchain: Toolchain, source: str) -> list[str]:
    builds = toolchain.compile_each(source, ARCHITECTURES)
    return [build.content.code_sha256 for build in builds]


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        (SCALE_SOURCE, "factor * x[i];", "x[i] * factor;  // faster"),
        (SCALE_SOURCE, "factor", "a_name_so_long_that_it_moves_all_that_stands_behind_it"),
        (SCALE_SOURCE, "const int i =", "volatile const int* none = nullptr; (void)none; int i ="),
    ],
)
def test_what_changes_no_instruction_leaves_the_machine_code(
    toolchain: Toolchain, source: str, before: str, after: str
) -> None:
    changed = source.replace(before, after)
    assert changed != source
    assert codes(toolchain, changed) == codes(toolchain, source)
    objects = [toolchain.compile(each, "gfx942").object_sha256 for each in (source, changed)]
    assert objects[0] != objects[1], "objects always differ, by the hash of their source"


@pytest.mark.parametrize(
    ("source", "before", "after"),
    [
        (SCALE_SOURCE, "factor * x", "factor + x"),
        (TABLE, "5}", "7}"),  # the same instructions, another constant
        (
            SCALE_SOURCE,
            "  const int i",
            "  __shared__ volatile float s[9]; s[0] = n;\n  const int i",
        ),
    ],
)
def test_a_real_change_is_another_machine_code_everywhere(
    toolchain: Toolchain, source: str, before: str, after: str
) -> None:
    changed = source.replace(before, after)
    assert changed != source
    pairs = zip(codes(toolchain, source), codes(toolchain, changed), strict=True)
    assert all(one != other for one, other in pairs)


NAMES = ("gfx942", "gfx1100")
CASE = Case.model_validate({"symbols": {"n": 1000}, "dtypes": {"io": "float32"}, "scalars": {}})


def records(*codes: str | None) -> list[CompileRecord]:
    """Return a record for each of NAMES, with these codes and no more than is compared."""
    pairs = zip(NAMES, codes, strict=True)
    return [
        CompileRecord.model_construct(architecture=name, message="", code_sha256=code)
        for name, code in pairs
    ]


def estimates(microseconds: float) -> list[Estimate]:
    return [
        Estimate(
            architecture=name,
            case=CASE,
            low_microseconds=microseconds,
            high_microseconds=2 * microseconds,
            bottleneck="device memory",
            terms={},
        )
        for name in NAMES
    ]


PLAN = "p" * 64
BASELINE = Evidence.model_construct(
    identity=Identity(
        target="scale",
        target_sha256="t",
        source_sha256="s",
        plan_sha256=PLAN,
        harness="h",
        toolchain="c",
    ),
    compiles=tuple(records("a", "b")),
    estimates=tuple(estimates(8.0)),
)


def test_only_where_code_and_plan_are_the_same_is_the_estimate_left_out() -> None:
    after, faster = records("a", "another"), estimates(4.0)

    def ranges(plan: str) -> list[tuple[str, float, float]]:
        found = speedups_over(BASELINE, plan, after, faster)
        return [(each.architecture, each.low, each.high) for each in found]

    assert same_code(BASELINE.compiles, after) == ("gfx942",)
    assert ranges(PLAN) == [("gfx942", 1, 1), ("gfx1100", 2, 2)]
    assert ranges("another plan") == [("gfx942", 2, 2), ("gfx1100", 2, 2)]
    assert speedups_over(None, PLAN, after, faster) == ()


def test_the_note_stands_where_the_code_is_the_same_and_says_what_is_not() -> None:
    after = records("a", "another")
    after[0] = after[0].model_copy(update={"message": "a note"})
    same_plan, other_plan = noted(after, BASELINE, PLAN), noted(after, BASELINE, "another plan")
    assert same_plan[0].message == (
        "the machine code is the baseline's, and so is the launch plan: no speed-up is claimed "
        "here\na note"
    )
    assert "only the launch plan is another\n" in other_plan[0].message
    assert same_plan[1].message == other_plan[1].message == ""
    assert noted(after, None, PLAN) == tuple(after)


def test_code_that_is_not_known_is_never_the_same() -> None:
    unknown = records(None, None)
    assert same_code(unknown, unknown) == same_code(BASELINE.compiles, unknown) == ()
    assert same_code(unknown, BASELINE.compiles) == ()


@pytest.mark.parametrize(
    ("after", "status", "words"),
    [
        ("y[i] = (a[i] + b[i])", Status.INCONCLUSIVE, "that of kernel.hip on gfx1100: "),
        pytest.param(
            "y[i] = b[i] + 1.0f * a[i] + 0.0f",
            Status.PASSED,
            "other than that of kernel.hip",
            marks=only_long,
        ),
    ],
)
def test_verify_says_whether_another_file_is_another_kernel(
    tmp_path: Path,
    builds: Path,
    after: str,
    status: Status,
    words: str,
) -> None:
    folder = write(tmp_path / "add", VECTOR_ADD.files())
    changed = tmp_path / "changed.hip"
    changed.write_text(VECTOR_ADD.files()["kernel.hip"].replace("y[i] = a[i] + b[i]", after))
    verdict = verify(folder, builds, kernel=changed, architectures=("gfx1100",), waves=(32,))
    (found,) = (check for check in verdict.checks if check.name == "machine code")
    assert verdict.passed, verdict.finding
    assert (found.status, found.detail[: len(words)]) == (status, words)


def test_a_failed_build_has_no_machine_code() -> None:
    with pytest.raises(ValueError, match="TIMEOUT has no machine code"):
        CompileRecord(architecture="gfx942", status=Status.TIMEOUT, message="slow", code_sha256="a")
