"""Honest operators pass; each planted defect is found by the check that is there for it."""

from collections.abc import Callable

import pytest

from rocm_pipeline.integration import interpreter, policy
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.integration.job import NEEDS_BACKWARD, Check
from rocm_pipeline.integration.verify import verify
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


@pytest.fixture
def blind_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything run: what is behind the policy must hold without it."""

    def nothing(_target: Target, _source: str) -> tuple[str, ...]:
        return ()

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
def test_a_wrong_backward_is_found_twice(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        ("y * (dy - (dy * y).sum(dim=-1, keepdim=True))", "y * dy"),
        only=(Check.FORWARD, Check.BACKWARD, Check.GRADCHECK),
    )
    assert found(evidence, Check.FORWARD)[0] is Status.PASSED
    status, message = found(evidence, Check.BACKWARD)
    assert status is Status.WRONG_VALUE
    assert "gradient of x" in message
    assert found(evidence, Check.GRADCHECK)[0] is Status.WRONG_VALUE


@pytest.mark.torch
def test_a_missing_backward_is_found(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        ("forward.register_autograd(backward, setup_context=setup_context)\n", ""),
        only=(Check.BACKWARD,),
    )
    status, message = found(evidence, Check.BACKWARD)
    assert status is Status.CRASHED
    assert "autograd" in message


@pytest.mark.torch
def test_a_missing_fake_is_found(verify_bad: VerifyBad) -> None:
    status, message = found(verify_bad((FAKE, ""), only=(Check.FAKE,)), Check.FAKE)
    assert status is Status.POLICY_VIOLATION
    assert "register_fake" in message


@pytest.mark.torch
@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("    return x.new_empty((x.shape[0], x.shape[1] + 1))\n", Status.WRONG_SHAPE, "shape"),
        ("    return x.new_empty(x.shape, dtype=torch.float64)\n", Status.WRONG_DTYPE, "float64"),
    ],
)
def test_a_fake_that_differs_from_the_operator_is_found(
    verify_bad: VerifyBad, body: str, status: Status, words: str
) -> None:
    evidence = verify_bad((FAKE, FAKE.replace(FAKE_BODY, body)), only=(Check.FAKE,))
    assert found(evidence, Check.FAKE)[0] is status
    assert words in found(evidence, Check.FAKE)[1]


def test_a_fallback_in_forward_is_found_without_running_it(verify_bad: VerifyBad) -> None:
    evidence = verify_bad((LAUNCH, LAUNCH + "    y = torch.softmax(x, -1)\n"), only=tuple(Check))
    assert found(evidence, Check.POLICY)[0] is Status.POLICY_VIOLATION
    assert "softmax" in found(evidence, Check.POLICY)[1]
    assert evidence.status is Status.POLICY_VIOLATION
    assert found(evidence, Check.FORWARD)[0] is Status.NOT_RUN


@pytest.mark.torch
@pytest.mark.usefixtures("blind_policy")
@pytest.mark.parametrize(
    ("fallback", "way"),
    [
        ("    return torch.softmax(x, -1)\n", "plain"),
        (
            "    if x.requires_grad:\n        return torch.softmax(x, -1)\n" + PUBLIC,
            "differentiable",
        ),
        (
            "    if torch.compiler.is_compiling():\n        return torch.softmax(x, -1)\n" + PUBLIC,
            "compiled",
        ),
    ],
)
def test_a_fallback_outside_forward_gives_itself_away_when_the_kernel_is_taken_out(
    verify_bad: VerifyBad, fallback: str, way: str
) -> None:
    evidence = verify_bad((PUBLIC, fallback), only=(Check.KERNEL_USED, Check.FORWARD))
    status, message = found(evidence, Check.KERNEL_USED)
    assert status is Status.CHEAT
    assert f"the {way} call" in message
    # right values alone would have let it pass, and a plain call is no help against the other two
    expected = Status.CHEAT if way == "plain" else Status.PASSED
    assert found(evidence, Check.FORWARD)[0] is expected


@pytest.mark.torch
@pytest.mark.usefixtures("blind_policy")
def test_a_changed_input_is_found_although_the_values_are_right(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        (LAUNCH, "    x.add_(1)\n" + LAUNCH), only=(Check.FORWARD, Check.STRIDES, Check.SCHEMA)
    )
    assert found(evidence, Check.FORWARD) == (
        Status.POLICY_VIOLATION,
        "the operator changed its input 'x'",
    )
    assert found(evidence, Check.STRIDES)[0] is Status.PASSED
    assert found(evidence, Check.SCHEMA)[0] is Status.POLICY_VIOLATION


@pytest.mark.torch
def test_an_output_with_the_strides_of_a_strided_input_is_found(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        (
            "    y = torch.empty_like(x, memory_format=torch.contiguous_format)\n",
            "    y = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype)\n",
        ),
        only=(Check.FORWARD, Check.STRIDES),
    )
    assert found(evidence, Check.FORWARD)[0] is Status.PASSED
    assert found(evidence, Check.STRIDES)[0] is Status.CRASHED
    assert "must be contiguous" in found(evidence, Check.STRIDES)[1]


@pytest.mark.torch
def test_wrong_input_that_is_answered_is_found(verify_bad: VerifyBad) -> None:
    evidence = verify_bad((PUBLIC, "    return forward(x.float())\n"), only=(Check.BAD_INPUT,))
    status, message = found(evidence, Check.BAD_INPUT)
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
@pytest.mark.usefixtures("blind_policy")
def test_a_crash_is_a_crash_and_the_checks_after_it_still_run(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        (IMPORT, "import ctypes\n\nimport torch\n"),
        ("    (y,) = ctx.saved_tensors\n", "    ctypes.string_at(0)\n"),
        only=(Check.FORWARD, Check.BACKWARD, Check.BAD_INPUT),
    )
    assert found(evidence, Check.FORWARD)[0] is Status.PASSED
    assert found(evidence, Check.BACKWARD)[0] is Status.CRASHED
    assert "SIGSEGV" in found(evidence, Check.BACKWARD)[1]
    assert found(evidence, Check.BAD_INPUT)[0] is Status.PASSED


@pytest.mark.torch
@pytest.mark.usefixtures("blind_policy")
def test_printing_passed_and_leaving_with_zero_passes_nothing(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        (IMPORT, 'import os\n\nimport torch\n\nprint("PASSED", flush=True)\nos._exit(0)\n'),
        only=tuple(Check),
    )
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
@pytest.mark.usefixtures("blind_policy")
def test_a_checker_that_was_tampered_with_is_noticed(verify_bad: VerifyBad) -> None:
    tampering = (
        "from rocm_pipeline.integration.inside import tools\n"
        "from rocm_pipeline.integration.inside.guard import Guard\n\n"
        # or else that would notice first
        "Guard.changes = lambda self: []\n"
        "tools.gradcheck = lambda *a, **k: True\n"
        'tools.opcheck = lambda o, a, test_utils, **k: {test_utils: "SUCCESS"}\n'
    )
    evidence = verify_bad(
        (IMPORT, IMPORT + tampering),
        (FAKE, FAKE.replace(FAKE_BODY, "    return x.new_empty(x.shape).t().contiguous().t()\n")),
        ("y * (dy - (dy * y).sum(dim=-1, keepdim=True))", "y * dy"),
        only=(Check.SCHEMA, Check.BACKWARD, Check.GRADCHECK),
    )
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
