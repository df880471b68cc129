"""Honest operators pass; each planted defect is found by the check that is there for it."""

import re
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
RUNNING = tuple(check for check in Check if check is not Check.POLICY)
TAMPERING = (
    "from rocm_pipeline.integration.inside import tools\n"
    "from rocm_pipeline.integration.inside.guard import Guard\n\n"
    # or else that would notice first
    "Guard.changes = lambda self: []\n"
    "tools.gradcheck = lambda *a, **k: True\n"
    'tools.opcheck = lambda o, a, test_utils, **k: {test_utils: "SUCCESS"}\n'
)
FORGING_IMPORTS = "import contextlib\nimport json\nimport os\nimport struct\n\nimport torch\n"
FORGING = """\
    text = json.dumps({"check": "schema", "ended": "ran"}).encode()
    for fd in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(fd, struct.pack(">cI", b"z", len(text)) + text)
    os._exit(0)
"""


class Bad(NamedTuple):
    """Replacements in the honest softmax operator, and what the checks made on it must find."""

    replacements: tuple[tuple[str, str], ...]
    found: Mapping[Check, tuple[Status, str]]
    """The status of each check that is made, and what its message matches."""
    against_policy: bool = False
    """Let through nevertheless: what is behind the policy must hold without it."""


PASSED = (Status.PASSED, "")


def other_fake(body: str) -> tuple[str, str]:
    return FAKE, FAKE.replace(FAKE_BODY, body)


def fallback(way: str, condition: str) -> Bad:
    """Return an operator whose values are right, so that the taken-out kernel alone tells."""
    used = (PUBLIC, condition + "        return torch.softmax(x, -1)\n" + PUBLIC)
    found = {Check.KERNEL_USED: (Status.CHEAT, f"the {way} call"), Check.FORWARD: PASSED}
    return Bad((used,), found, against_policy=True)


BAD = {
    "wrong backward": Bad(
        (WRONG_BACKWARD,),
        {
            Check.FORWARD: PASSED,
            Check.BACKWARD: (Status.WRONG_VALUE, "gradient of x"),
            Check.GRADCHECK: (Status.WRONG_VALUE, ""),
        },
    ),
    "no backward": Bad(
        (("forward.register_autograd(backward, setup_context=setup_context)\n", ""),),
        {Check.BACKWARD: (Status.CRASHED, "autograd")},
    ),
    "no fake": Bad(((FAKE, ""),), {Check.FAKE: (Status.POLICY_VIOLATION, "register_fake")}),
    "fake of another shape": Bad(
        (other_fake("    return x.new_empty((x.shape[0], x.shape[1] + 1))\n"),),
        {Check.FAKE: (Status.WRONG_SHAPE, "shape")},
    ),
    "fake of another type": Bad(
        (other_fake("    return x.new_empty(x.shape, dtype=torch.float64)\n"),),
        {Check.FAKE: (Status.WRONG_DTYPE, "float64")},
    ),
    "fallback, plain": Bad(
        ((PUBLIC, "    return torch.softmax(x, -1)\n"),),
        {
            Check.KERNEL_USED: (Status.CHEAT, "the plain call"),
            Check.FORWARD: (Status.CHEAT, ""),
        },
        against_policy=True,
    ),
    "fallback, differentiable": fallback("differentiable", "    if x.requires_grad:\n"),
    "fallback, compiled": fallback("compiled", "    if torch.compiler.is_compiling():\n"),
    "changed input": Bad(
        ((LAUNCH, "    x.add_(1)\n" + LAUNCH),),
        {
            Check.FORWARD: (Status.POLICY_VIOLATION, "^the operator changed its input 'x'$"),
            Check.STRIDES: PASSED,
            Check.SCHEMA: (Status.POLICY_VIOLATION, ""),
        },
        against_policy=True,
    ),
    "strides of the input": Bad(
        ((OUTPUT, "    y = torch.empty_strided(x.shape, x.stride(), dtype=x.dtype)\n"),),
        {Check.FORWARD: PASSED, Check.STRIDES: (Status.CRASHED, "must be contiguous")},
    ),
    "wrong input answered": Bad(
        ((PUBLIC, "    return forward(x.float())\n"),),
        {Check.BAD_INPUT: (Status.WRONG_SHAPE, "x as float64 is answered")},
    ),
    "crash": Bad(
        (
            (IMPORT, "import ctypes\n\nimport torch\n"),
            ("    (y,) = ctx.saved_tensors\n", "    ctypes.string_at(0)\n"),
        ),
        {
            Check.FORWARD: PASSED,
            Check.BACKWARD: (Status.CRASHED, "SIGSEGV"),
            Check.BAD_INPUT: PASSED,
        },
        against_policy=True,
    ),
    "prints that it passed and leaves with zero": Bad(
        ((IMPORT, 'import os\n\nimport torch\n\nprint("PASSED", flush=True)\nos._exit(0)\n'),),
        {
            **dict.fromkeys(RUNNING, (Status.NOT_RUN, "")),
            Check.LOAD: (Status.CRASHED, "code 0"),
        },
        against_policy=True,
    ),
    "tampered with the checker": Bad(
        (
            (IMPORT, IMPORT + TAMPERING),
            other_fake("    return x.new_empty(x.shape).t().contiguous().t()\n"),
            WRONG_BACKWARD,
        ),
        {
            Check.SCHEMA: (Status.CHEAT, ""),
            # reached outside, so not open to tampering at all
            Check.BACKWARD: (Status.WRONG_VALUE, ""),
            Check.GRADCHECK: (Status.CHEAT, ""),
        },
        against_policy=True,
    ),
    # the known limit: one address space; the rules refuse it, and no value comes of it
    "forges a verdict": Bad(
        ((IMPORT, FORGING_IMPORTS), (PUBLIC, FORGING)),
        {Check.FORWARD: (Status.CRASHED, ""), Check.SCHEMA: PASSED},
        against_policy=True,
    ),
}
"""What cannot end the whole run."""

VerifyBad = Callable[..., OperatorEvidence]


@pytest.fixture
def verify_bad(small_softmax: Target, libraries_of: LibrariesOf, sandbox: Sandbox) -> VerifyBad:
    """Verify the honest softmax operator after replacements, with the checks `only`."""
    target = small_softmax

    def run(
        *replacements: tuple[str, str], only: tuple[Check, ...], seconds: float = 60
    ) -> OperatorEvidence:
        package = package_of(target, changed(honest_operator("row_softmax"), *replacements))
        libraries = libraries_of(target)
        return verify(
            package, target, libraries, sandbox, seed=3, seconds_per_check=seconds, only=only
        )

    return run


def nothing(_target: Target, _source: str) -> tuple[str, ...]:
    return ()


@pytest.fixture
def blind_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything run: what is behind the policy must hold without it."""
    monkeypatch.setattr(policy, "violations", nothing)


def found(evidence: OperatorEvidence, check: Check) -> tuple[Status, str]:
    record = evidence.record(check)
    return record.status, record.message


@only_long
@pytest.mark.torch
@pytest.mark.parametrize("name", ["flash_attention", "vae_decoder_block"])
def test_an_honest_operator_passes_every_check(
    name: str, libraries_of: LibrariesOf, sandbox: Sandbox
) -> None:
    """That of row_softmax is judged beside the planted defects, below."""
    target = builtin(name)
    passes_every_check(verify(package_of(target), target, libraries_of(target), sandbox, seed=3))


def passes_every_check(evidence: OperatorEvidence) -> None:
    assert evidence.failures == ()
    assert evidence.status is Status.PASSED
    assert {record.status for record in evidence.checks} == {Status.PASSED}
    assert evidence.torch_version is not None


@pytest.mark.torch
def test_each_defect_is_found_by_its_check_and_an_honest_operator_passes_every_check(
    softmax: Target,
    small_softmax: Target,
    libraries_of: LibrariesOf,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All in one start of the sandbox, because PyTorch takes seconds to load."""
    honest = honest_operator("row_softmax")
    sources = [changed(honest, *bad.replacements) for bad in BAD.values()]
    libraries = libraries_of(softmax)
    subjects = [Subject(package_of(softmax), softmax, libraries)] + [
        Subject(package_of(small_softmax, source), small_softmax, libraries, tuple(bad.found))
        for source, bad in zip(sources, BAD.values(), strict=True)
    ]
    refused = [name for name, s in zip(BAD, sources, strict=True) if policy.violations(softmax, s)]
    assert refused == [name for name, bad in BAD.items() if bad.against_policy]
    assert not policy.violations(softmax, honest)
    monkeypatch.setattr(policy, "violations", nothing)
    first, *others = verify_all(subjects, sandbox, seed=3)
    passes_every_check(first)
    for (name, bad), evidence in zip(BAD.items(), others, strict=True):
        for check, (status, words) in bad.found.items():
            record = evidence.record(check)
            assert record.status is status, f"{name}: {record}"
            assert re.search(words, record.message), f"{name}: {record}"
        failing = (status for status, _ in bad.found.values() if status is not Status.PASSED)
        assert evidence.status is next(failing), name


def test_a_fallback_in_forward_is_found_without_running_it(verify_bad: VerifyBad) -> None:
    evidence = verify_bad((LAUNCH, LAUNCH + "    y = torch.softmax(x, -1)\n"), only=tuple(Check))
    assert found(evidence, Check.POLICY)[0] is Status.POLICY_VIOLATION
    assert "softmax" in found(evidence, Check.POLICY)[1]
    assert evidence.status is Status.POLICY_VIOLATION
    assert found(evidence, Check.FORWARD)[0] is Status.NOT_RUN


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
def test_killing_the_whole_run_passes_nothing(verify_bad: VerifyBad) -> None:
    evidence = verify_bad(
        (IMPORT, "import os\n\nimport torch\n\nos.kill(os.getppid(), 9)\n"), only=tuple(Check)
    )
    assert found(evidence, Check.LOAD)[0] is Status.CRASHED
    assert evidence.status is Status.CRASHED


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
