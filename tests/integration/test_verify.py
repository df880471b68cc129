"""Honest operators pass; each planted defect is found by the check that is there for it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest

from rocm_pipeline.integration import interpreter, policy
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.integration.job import NEEDS_BACKWARD, Check
from rocm_pipeline.integration.verify import Subject, verify, verify_all
from rocm_pipeline.lab.emulator import TorchLibrary
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.spec import Target
from tests.scale import only_long

from .conftest import LibrariesOf, builtin, changed, honest_operator, package_of

FAKE = """@forward.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


"""
FAKE_BODY = FAKE.splitlines()[2] + "\n"
IMPORT = "import torch\n"
LAUNCH = '    launch({"x": x}, {}, {}, {"y": y})\n'
PUBLIC = "    return forward(x)\n"
OUTPUT = "    y = torch.empty_like(x, memory_format=torch.contiguous_format)\n"
WRONG_BACKWARD = ("y * (dy - (dy * y).sum(dim=-1, keepdim=True))", "y * dy")
TAMPERING = (
    "from rocm_pipeline.integration.inside import tools\n"
    "from rocm_pipeline.integration.inside.guard import Guard\n\n"
    # or else that would notice first
    "Guard.changes = lambda self: []\n"
    "tools.gradcheck = lambda *a, **k: True\n"
    'tools.opcheck = lambda o, a, test_utils, **k: {test_utils: "SUCCESS"}\n'
)


class Bad(NamedTuple):
    """Replacements in the honest softmax operator, and the checks to make on what comes of them."""

    replacements: tuple[tuple[str, str], ...]
    only: tuple[Check, ...]
    against_policy: bool = False
    """Let through nevertheless: what is behind the policy must hold without it."""


def other_fake(body: str) -> tuple[str, str]:
    return FAKE, FAKE.replace(FAKE_BODY, body)


def fallback(condition: str) -> Bad:
    used = (PUBLIC, condition + "        return torch.softmax(x, -1)\n" + PUBLIC)
    return Bad((used,), (Check.KERNEL_USED, Check.FORWARD), against_policy=True)


BAD = {
    "wrong backward": Bad((WRONG_BACKWARD,), (Check.FORWARD, Check.BACKWARD, Check.GRADCHECK)),
    "no backward": Bad(
        (("forward.register_autograd(backward, setup_context=setup_context)\n", ""),),
        (Check.BACKWARD,),
    ),
    "no fake": Bad(((FAKE, ""),), (Check.FAKE,)),
    "fake of another shape": Bad(
        (other_fake("    return x.new_empty((x.shape[0], x.shape[1] + 1))\n"),), (Check.FAKE,)
    ),
    "fake of another type": Bad(
        (other_fake("    return x.new_empty(x.shape, dtype=torch.float64)\n"),), (Check.FAKE,)
    ),
    "fallback, plain": Bad(
        ((PUBLIC, "    return torch.softmax(x, -1)\n"),),
        (Check.KERNEL_USED, Check.FORWARD),
        against_policy=True,
    ),
    "fallback, differentiable": fallback("    if x.requires_grad:\n"),
    "fallback, compiled": fallback("    if torch.compiler.is_compiling():\n"),
    "changed input": Bad(
        ((LAUNCH, "    x.add_(1)\n" + LAUNCH),),
        (Check.FORWARD, Check.STRIDES, Check.SCHEMA),
        against_policy=True,
    ),
    "strides of the input": Bad(
        ((OUTPUT, "    y = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype)\n"),),
        (Check.FORWARD, Check.STRIDES),
    ),
    "wrong input answered": Bad(((PUBLIC, "    return forward(x.float())\n"),), (Check.BAD_INPUT,)),
    "crash": Bad(
        (
            (IMPORT, "import ctypes\n\nimport torch\n"),
            ("    (y,) = ctx.saved_tensors\n", "    ctypes.string_at(0)\n"),
        ),
        (Check.FORWARD, Check.BACKWARD, Check.BAD_INPUT),
        against_policy=True,
    ),
    "leaves with zero": Bad(
        ((IMPORT, 'import os\n\nimport torch\n\nprint("PASSED", flush=True)\nos._exit(0)\n'),),
        tuple(Check),
        against_policy=True,
    ),
    "tampered with the checker": Bad(
        (
            (IMPORT, IMPORT + TAMPERING),
            other_fake("    return x.new_empty(x.shape).t().contiguous().t()\n"),
            WRONG_BACKWARD,
        ),
        (Check.SCHEMA, Check.BACKWARD, Check.GRADCHECK),
        against_policy=True,
    ),
}
"""What cannot end the whole run, so that one start of the sandbox does for all."""

Judged = Mapping[str, OperatorEvidence]
VerifyBad = Callable[..., OperatorEvidence]


@pytest.fixture
def verify_bad(softmax: Target, libraries_of: LibrariesOf, sandbox: Sandbox) -> VerifyBad:
    """Verify the honest softmax operator after replacements, with the checks `only`."""

    def run(
        *replacements: tuple[str, str], only: tuple[Check, ...], seconds: float = 60
    ) -> OperatorEvidence:
        package = package_of(softmax, changed(honest_operator("row_softmax"), *replacements))
        libraries = libraries_of(softmax)
        return verify(
            package, softmax, libraries, sandbox, seed=3, seconds_per_check=seconds, only=only
        )

    return run


@pytest.fixture(scope="module")
def judged(libraries_of: LibrariesOf, sandbox: Sandbox) -> Judged:
    """Verify all of `BAD` in one start of the sandbox, because PyTorch takes seconds to load."""
    target = builtin("row_softmax")
    sources = {
        name: changed(honest_operator("row_softmax"), *bad.replacements)
        for name, bad in BAD.items()
    }
    for name, bad in BAD.items():
        assert bad.against_policy or not policy.violations(target, sources[name]), name
    subjects = [
        Subject(package_of(target, sources[name]), target, libraries_of(target), bad.only)
        for name, bad in BAD.items()
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "violations", nothing)
        found = verify_all(subjects, sandbox, seed=3)
    return dict(zip(BAD, found, strict=True))


def nothing(_target: Target, _source: str) -> tuple[str, ...]:
    return ()


@pytest.fixture
def blind_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything run: what is behind the policy must hold without it."""
    monkeypatch.setattr(policy, "violations", nothing)


def found(evidence: OperatorEvidence, check: Check) -> tuple[Status, str]:
    record = evidence.record(check)
    return record.status, record.message


@pytest.mark.torch
@pytest.mark.parametrize(
    "name",
    [
        "row_softmax",
        pytest.param("flash_attention", marks=only_long),
        pytest.param("vae_decoder_block", marks=only_long),
    ],
)
def test_an_honest_operator_passes_every_check(
    name: str, libraries_of: LibrariesOf, sandbox: Sandbox
) -> None:
    target = builtin(name)
    evidence = verify(package_of(target), target, libraries_of(target), sandbox, seed=3)
    assert evidence.failures == ()
    assert evidence.status is Status.PASSED
    assert {record.status for record in evidence.checks} == {Status.PASSED}
    assert evidence.torch_version is not None


@pytest.mark.torch
def test_a_wrong_backward_is_found_twice(judged: Judged) -> None:
    evidence = judged["wrong backward"]
    assert found(evidence, Check.FORWARD)[0] is Status.PASSED
    status, message = found(evidence, Check.BACKWARD)
    assert status is Status.WRONG_VALUE
    assert "gradient of x" in message
    assert found(evidence, Check.GRADCHECK)[0] is Status.WRONG_VALUE


@pytest.mark.torch
def test_a_missing_backward_is_found(judged: Judged) -> None:
    status, message = found(judged["no backward"], Check.BACKWARD)
    assert status is Status.CRASHED
    assert "autograd" in message


@pytest.mark.torch
def test_a_missing_fake_is_found(judged: Judged) -> None:
    status, message = found(judged["no fake"], Check.FAKE)
    assert status is Status.POLICY_VIOLATION
    assert "register_fake" in message


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("fake of another shape", Status.WRONG_SHAPE, "shape"),
        ("fake of another type", Status.WRONG_DTYPE, "float64"),
    ],
)
def test_a_fake_that_differs_from_the_operator_is_found(
    judged: Judged, name: str, status: Status, words: str
) -> None:
    evidence = judged[name]
    assert found(evidence, Check.FAKE)[0] is status
    assert words in found(evidence, Check.FAKE)[1]


def test_a_fallback_in_forward_is_found_without_running_it(verify_bad: VerifyBad) -> None:
    evidence = verify_bad((LAUNCH, LAUNCH + "    y = torch.softmax(x, -1)\n"), only=tuple(Check))
    assert found(evidence, Check.POLICY)[0] is Status.POLICY_VIOLATION
    assert "softmax" in found(evidence, Check.POLICY)[1]
    assert evidence.status is Status.POLICY_VIOLATION
    assert found(evidence, Check.FORWARD)[0] is Status.NOT_RUN


@pytest.mark.torch
@pytest.mark.parametrize("way", ["plain", "differentiable", "compiled"])
def test_a_fallback_outside_forward_gives_itself_away_when_the_kernel_is_taken_out(
    judged: Judged, way: str
) -> None:
    evidence = judged[f"fallback, {way}"]
    status, message = found(evidence, Check.KERNEL_USED)
    assert status is Status.CHEAT
    assert f"the {way} call" in message
    # right values alone would have let it pass, and a plain call is no help against the other two
    expected = Status.CHEAT if way == "plain" else Status.PASSED
    assert found(evidence, Check.FORWARD)[0] is expected


@pytest.mark.torch
def test_a_changed_input_is_found_although_the_values_are_right(judged: Judged) -> None:
    evidence = judged["changed input"]
    assert found(evidence, Check.FORWARD) == (
        Status.POLICY_VIOLATION,
        "the operator changed its input 'x'",
    )
    assert found(evidence, Check.STRIDES)[0] is Status.PASSED
    assert found(evidence, Check.SCHEMA)[0] is Status.POLICY_VIOLATION


@pytest.mark.torch
def test_an_output_with_the_strides_of_a_strided_input_is_found(judged: Judged) -> None:
    evidence = judged["strides of the input"]
    assert found(evidence, Check.FORWARD)[0] is Status.PASSED
    assert found(evidence, Check.STRIDES)[0] is Status.CRASHED
    assert "must be contiguous" in found(evidence, Check.STRIDES)[1]


@pytest.mark.torch
def test_wrong_input_that_is_answered_is_found(judged: Judged) -> None:
    status, message = found(judged["wrong input answered"], Check.BAD_INPUT)
    assert status is Status.WRONG_SHAPE
    assert "x as float64 is answered" in message


@pytest.mark.torch
def test_an_endless_loop_ends_with_its_own_check(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        (LAUNCH, "    while True:\n        pass\n" + LAUNCH),
        only=(Check.LOAD, Check.FORWARD, Check.BACKWARD),
        seconds=4,
    )
    assert found(evidence, Check.LOAD)[0] is Status.PASSED
    assert found(evidence, Check.FORWARD)[0] is Status.TIMEOUT
    assert "case0" in found(evidence, Check.FORWARD)[1]
    assert found(evidence, Check.BACKWARD)[0] is Status.NOT_RUN


def test_a_forbidden_import_is_found_without_running_it(verify_bad: VerifyBad) -> None:
    evidence = verify_bad((IMPORT, "import torch\nimport subprocess\n"), only=tuple(Check))
    assert found(evidence, Check.POLICY)[0] is Status.POLICY_VIOLATION
    assert "subprocess" in found(evidence, Check.POLICY)[1]


@pytest.mark.torch
def test_a_crash_is_a_crash_and_the_checks_after_it_still_run(judged: Judged) -> None:
    evidence = judged["crash"]
    assert found(evidence, Check.FORWARD)[0] is Status.PASSED
    assert found(evidence, Check.BACKWARD)[0] is Status.CRASHED
    assert "SIGSEGV" in found(evidence, Check.BACKWARD)[1]
    assert found(evidence, Check.BAD_INPUT)[0] is Status.PASSED


@pytest.mark.torch
def test_printing_passed_and_leaving_with_zero_passes_nothing(judged: Judged) -> None:
    evidence = judged["leaves with zero"]
    assert found(evidence, Check.LOAD)[0] is Status.CRASHED
    assert "code 0" in found(evidence, Check.LOAD)[1]
    rest = [r.status for r in evidence.checks if r.check not in (Check.POLICY, Check.LOAD)]
    assert set(rest) == {Status.NOT_RUN}


@pytest.mark.torch
@pytest.mark.usefixtures("blind_policy")
def test_killing_the_whole_run_passes_nothing(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        (IMPORT, "import os\n\nimport torch\n\nos.kill(os.getppid(), 9)\n"), only=tuple(Check)
    )
    assert found(evidence, Check.LOAD)[0] is Status.CRASHED
    assert evidence.status is Status.CRASHED


@pytest.mark.torch
def test_a_checker_that_was_tampered_with_is_noticed(judged: Judged) -> None:
    evidence = judged["tampered with the checker"]
    assert found(evidence, Check.SCHEMA)[0] is Status.CHEAT
    assert found(evidence, Check.GRADCHECK)[0] is Status.CHEAT
    # reached outside, so not open to tampering at all
    assert found(evidence, Check.BACKWARD)[0] is Status.WRONG_VALUE


@only_long
@pytest.mark.torch
def test_a_target_without_a_backward_leaves_its_checks_unsupported(
    softmax: Target, libraries_of: LibrariesOf, sandbox: Sandbox
) -> None:
    pytorch = softmax.pytorch.model_copy(update={"backward": None, "gradcheck": None})
    target = softmax.model_copy(update={"pytorch": pytorch})
    evidence = verify(package_of(target), target, libraries_of(target), sandbox, seed=3)
    assert evidence.status is Status.PASSED
    assert {evidence.record(check).status for check in NEEDS_BACKWARD} == {Status.UNSUPPORTED}


def test_without_pytorch_nothing_runs_and_nothing_fails(
    softmax: Target, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(_name: str) -> None:
        return None

    monkeypatch.setattr(interpreter, "find_spec", not_there)
    libraries = TorchLibrary(b"", b"")
    evidence = verify(package_of(softmax), softmax, libraries, sandbox)
    assert evidence.status is Status.NOT_RUN
    assert evidence.torch_version is None
    for record in evidence.checks[1:]:
        assert record.status is Status.NOT_RUN
        assert "pip install" in record.message
