"""Bundles judged again by the real harness: honest ones, edited ones, and a stranger's."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rocm_pipeline.bundle import clean
from rocm_pipeline.bundle.claims import Kind, Reproduction, Verdict
from rocm_pipeline.bundle.clean import verify_clean
from rocm_pipeline.bundle.contents import LineageLink
from rocm_pipeline.bundle.failing import failing_arrays
from rocm_pipeline.bundle.folder import BundleRefused, write_folder
from rocm_pipeline.cli import app
from rocm_pipeline.lab.evidence import Evidence, Status
from tests.bundle.conftest import Check, Judged, row
from tests.conftest import home_with_builds
from tests.fakes.values import a_reproduction

EMPTY = Path("/nonexistent")
SPEED_UP = "speed-up on gfx942"


def test_a_kernel_s_own_bundle_is_reproduced_and_reaches_t5_of_t2(
    judged: Judged, check: Check
) -> None:
    found = check()
    assert found.broken == (), found.words
    assert found.is_t5
    assert found.status is Status.PASSED
    for origin in {record.origin for record in judged.evidence.cases}:
        assert row(found, f"{origin} cases").verdict is Verdict.REPRODUCED
    assert row(found, "compiled for gfx942").recorded == row(found, "compiled for gfx942").found
    baseline = [r for r in found.rows if r.about_baseline and r.kind is Kind.OUTCOME]
    assert [r.verdict for r in baseline] == [Verdict.UNCHECKED], "it was left out, and says so"


def test_a_whole_check_repeats_the_baseline_and_runs_cases_that_nobody_has_seen(
    check: Check,
) -> None:
    found = check(whole=True)
    assert found.broken == (), found.words
    assert row(found, "outcome", about_baseline=True).verdict is Verdict.REPRODUCED
    (fresh,) = (r for r in found.rows if r.kind is Kind.FRESH)
    assert fresh.verdict is Verdict.REPRODUCED


def edited(judged: Judged, **changes: object) -> Evidence:
    """Return evidence with other figures, as a forger would write it: every hash made anew."""
    return Evidence.model_validate({**judged.evidence.model_dump(), **changes})


def test_a_speed_up_that_was_raised_everywhere_is_not_reproduced(
    judged: Judged, check: Check
) -> None:
    raised = [
        speedup.model_copy(update={"high": 2 * speedup.high})
        for speedup in judged.evidence.speedups
    ]
    found = check(evidence=edited(judged, speedups=raised))
    assert row(found, SPEED_UP).verdict is Verdict.NOT_REPRODUCED
    assert not found.holds
    assert not found.is_t5


def test_an_error_that_was_lowered_everywhere_is_not_reproduced(
    judged: Judged, check: Check
) -> None:
    lowered = [record.model_copy(update={"worst_ratio": 0.0}) for record in judged.evidence.cases]
    found = check(evidence=edited(judged, cases=lowered))
    assert row(found, "public cases").verdict is Verdict.NOT_REPRODUCED
    assert not found.is_t5


def test_a_kernel_that_was_exchanged_is_not_the_one_that_was_judged(
    judged: Judged, check: Check
) -> None:
    source = judged.bundle.candidate.source.replace("2.0f *", "3.0f *")
    assert source != judged.bundle.candidate.source
    found = check(candidate=judged.bundle.candidate.model_copy(update={"source": source}))
    assert row(found, "source of the kernel").verdict is Verdict.NOT_REPRODUCED
    outcome = row(found, "outcome")
    assert (outcome.verdict, outcome.found[:11]) == (Verdict.NOT_REPRODUCED, "WRONG_VALUE")


def test_a_target_made_easier_under_an_installed_name_is_found_out(
    judged: Judged, check: Check
) -> None:
    loose = {
        dtype: tolerance.model_copy(update={"relative": 1.5 * tolerance.relative})
        for dtype, tolerance in judged.target.tolerance.items()
    }
    target = judged.target.model_copy(update={"tolerance": loose})
    found = check(target=target)
    assert row(found, "it is the target small as installed here").verdict is Verdict.NOT_REPRODUCED
    assert not found.holds


def test_with_another_toolchain_objects_cannot_be_checked_and_the_kernel_still_can(
    judged: Judged, check: Check
) -> None:
    identity = judged.evidence.identity.model_copy(update={"toolchain": "clang 99.0"})
    compiles = [
        record.model_copy(update={"object_sha256": "1" * 64}) for record in judged.evidence.compiles
    ]
    found = check(evidence=edited(judged, identity=identity, compiles=compiles))
    assert row(found, "toolchain").verdict is Verdict.UNCHECKED
    compiled = row(found, "compiled for gfx942")
    assert compiled.verdict is Verdict.UNCHECKED
    assert "clang 99.0" in compiled.reason
    assert row(found, "outcome").verdict is Verdict.REPRODUCED
    assert found.holds
    assert not found.is_t5, "T5 is for the very same experiment"


def test_a_lineage_about_another_kernel_is_refuted(check: Check) -> None:
    link = LineageLink(kind="candidate", id="k-0", facts={"source": "0"})
    found = check(lineage=(link,))
    assert row(found, "lineage to the commit").verdict is Verdict.NOT_REPRODUCED


def test_a_failing_kernel_s_failure_is_reproduced_with_its_arrays(
    judged: Judged, check: Check
) -> None:
    source = judged.bundle.candidate.source.replace("+ 1.0f", "+ 1.5f")
    candidate, evidence = judged.judge(source)
    assert evidence.status is Status.WRONG_VALUE
    arrays = failing_arrays(candidate, judged.target, evidence, judged.harness.emulator)
    assert arrays == failing_arrays(candidate, judged.target, evidence, judged.harness.emulator)
    found = check(candidate=candidate, evidence=evidence, failing=arrays)
    assert found.broken == (), found.words
    assert found.holds
    assert not found.is_t5, "a failure that is reproduced is no tier"
    assert row(found, "arrays of the failing cases").verdict is Verdict.REPRODUCED
    forged = {**arrays, next(p for p in arrays if "output" in p): npy(np.zeros(3))}
    few = dict(list(arrays.items())[1:])
    for other, said in ((forged, "has other values"), (few, "is left out")):
        found = check(candidate=candidate, evidence=evidence, failing=other)
        refuted = row(found, "arrays of the failing cases")
        assert (refuted.verdict, found.holds) == (Verdict.NOT_REPRODUCED, False)
        assert said in refuted.found
    case = sorted({path.split("/")[0] for path in arrays})[0]
    loaded = {
        path.split("/")[1]: np.load(io.BytesIO(content), allow_pickle=False)
        for path, content in arrays.items()
        if path.startswith(case)
    }
    assert set(loaded) == {"input_x.npy", "expected_y.npy", "output_y.npy"}
    np.testing.assert_allclose(loaded["expected_y.npy"], 2.0 * loaded["input_x.npy"] + 1)
    np.testing.assert_allclose(loaded["output_y.npy"] - loaded["expected_y.npy"], 0.5, atol=1e-4)


def npy(array: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def test_what_contained_the_run_and_who_exported_it_are_never_left_without_a_row(
    judged: Judged, check: Check
) -> None:
    found = check()
    for about_baseline in (False, True):
        contained = row(found, "contained by", about_baseline=about_baseline)
        assert contained.verdict is Verdict.REPRODUCED
        assert contained.recorded == judged.evidence.sandbox
    assert row(found, "machine that exported it").verdict is Verdict.UNCHECKED
    found = check(evidence=edited(judged, sandbox="landlock 99 + seccomp + no cgroup"))
    other = row(found, "contained by")
    assert (other.verdict, other.recorded[:11]) == (Verdict.UNCHECKED, "landlock 99")
    assert other.reason
    assert found.is_t5, "what a machine is called says nothing of the kernel"


def test_a_scope_that_was_made_larger_is_not_reproduced(judged: Judged, check: Check) -> None:
    candidate, evidence = judged.judge(judged.bundle.candidate.source.replace("+ 1.0f", "+ 1.5f"))
    assert evidence.scope is not None
    scope = evidence.scope.model_copy(update={"executions": 10**6})
    found = check(candidate=candidate, evidence=evidence.model_copy(update={"scope": scope}))
    assert row(found, "what was to be done").verdict is Verdict.NOT_REPRODUCED


ATTACK = """\
import os


def reference(inputs, symbols, scalars):
    for path in ({first!r}, "/box/../../{name}"):
        try:
            with open(path, "w") as file:
                file.write(str(os.environ))
        except OSError:
            pass
    return {{"y": 2.0 * inputs["x"] + 1.0}}
"""


def test_a_stranger_s_reference_runs_in_the_sandbox_alone(
    judged: Judged, check: Check, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    source = ATTACK.format(first=str(mark), name="mark")
    own: dict[str, object] = {}
    exec(source, own)  # noqa: S102 - the control: outside the sandbox the attack works
    own["reference"]({"x": np.zeros(1)}, {}, {})  # type: ignore[operator]
    assert mark.exists()
    mark.unlink()
    target = judged.target.model_copy(update={"reference": source})
    found = check(target=target, targets=EMPTY)
    assert not mark.exists()
    stranger = row(found, "it is the target small as installed here")
    assert stranger.verdict is Verdict.UNCHECKED
    assert "sandbox" in stranger.reason
    assert row(found, "public cases").verdict is Verdict.REPRODUCED
    assert not found.is_t5


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    raise SystemExit(0)\n", "fails on"),
        ("    raise ValueError('first\\nlast \\x1b[2J')\n", "it said 'last'"),
        ("    return {}\n", "KeyError"),
        ("    import numpy as np\n    return {'y': np.array([object()])}\n", "allow_pickle"),
    ],
)
def test_a_stranger_s_reference_that_gives_nothing_is_an_error_of_one_line(
    judged: Judged, check: Check, body: str, said: str
) -> None:
    source = f"def reference(inputs, symbols, scalars):\n{body}"
    with pytest.raises(BundleRefused, match=said) as refused:
        check(target=judged.target.model_copy(update={"reference": source}), targets=EMPTY)
    told = str(refused.value)
    assert "\n" not in told
    assert "Traceback" not in told
    assert "Mend" not in told, "whoever checks a bundle does not own its target"
    assert "Ask its author" in told


def test_the_command_says_what_came_of_it_by_its_exit_status(
    judged: Judged, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_with_builds(tmp_path / "home", builds)
    (home / "targets").symlink_to(judged.targets)
    folder = tmp_path / "bundle"
    write_folder(folder, judged.bundle.files())
    command = ["evidence", "verify", str(folder), "--json", "--home", str(home)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert {r["verdict"] for r in json.loads(done.output)["rows"]} == {
        "reproduced",
        "cannot be checked here",
    }
    (folder / "kernel.hip").write_text("// nothing\n")
    refused = CliRunner().invoke(app, command)
    assert isinstance(refused.exception, BundleRefused), refused.output

    broken = a_reproduction(judged.target, judged.bundle.candidate, judged.evidence, broken=True)

    def verify_broken(_: Path, *, targets: Path) -> Reproduction:
        assert targets.name == "targets"
        return broken

    monkeypatch.setattr(clean, "verify_clean", verify_broken)
    told = CliRunner().invoke(app, ["evidence", "verify", str(folder)])
    assert told.exit_code == 1
    assert "not reproduced" in told.output


def test_a_clean_workspace_hands_on_why_a_bundle_was_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="holds no SHA256SUMS"):
        verify_clean(tmp_path, targets=EMPTY)
