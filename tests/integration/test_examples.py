"""What a document shows of an operator's use is run in the sandbox; only what works passes."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from rocm_pipeline.agents.embedded.example import write_example
from rocm_pipeline.agents.examples import BlockKind, BlockRecord, Examples
from rocm_pipeline.integration import examples
from rocm_pipeline.integration.examples import MAX_BLOCKS, Tools, run_examples
from rocm_pipeline.integration.job import Check, CheckResult, Ended
from rocm_pipeline.integration.verify import HOW_TO_ADD_TORCH
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import Target
from tests.scale import only_long

from .conftest import LibrariesOf, builtin, changed, package_of

GOOD = """\
import torch
from row_softmax_op import row_softmax

torch.manual_seed(0)
x = torch.randn(3, 5)
y = row_softmax(x)
torch.testing.assert_close(y.sum(dim=-1), torch.ones(3))
print("PASSED")
"""
CALL = "y = row_softmax(x)\n"
KERNEL = "#include <hip/hip_runtime.h>\n__global__ void k(int* x) { x[0] = 1; }\n"

RunAll = Callable[..., list[tuple[Status, str]]]


def fenced(*sources: str, language: str = "python") -> str:
    return "# Title\n\n" + "\n".join(f"```{language}\n{source}```\n" for source in sources)


@pytest.fixture(scope="session")
def tools_of(
    libraries_of: LibrariesOf, sandbox: Sandbox, builds: Path
) -> Callable[[Target], Tools]:
    return lambda target: Tools(
        sandbox=sandbox,
        libraries=lambda: libraries_of(target),
        toolchain=lambda: Toolchain(sandbox, builds / "device"),
        seconds_per_example=6,
    )


@pytest.fixture
def run_all(softmax: Target, tools_of: Callable[[Target], Tools]) -> RunAll:
    """Run examples of the honest softmax operator in one document."""

    def run(*sources: str) -> list[tuple[Status, str]]:
        found = run_examples(fenced(*sources), softmax, package_of(softmax), tools_of(softmax))
        assert found.blocks[0].line == 3
        assert found.passed == tuple(b for b in found.blocks if b.status is Status.PASSED)
        assert found.problems == tuple(b.words for b in found.blocks if b not in found.passed)
        return [(block.status, block.message) for block in found.blocks]

    return run


@pytest.fixture
def blind_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything run: what is behind the policy must hold without it."""

    def nothing(_package: str, _operator: str, _source: str) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr(examples, "example_violations", nothing)


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "torch_version", lambda: None)


def unused(*_: object) -> object:
    raise AssertionError("nothing of this document needs it")


IDLE = Tools(unused, unused, unused)  # pyright: ignore[reportArgumentType]


def written_for(target: Target) -> str:
    """Return the example that the embedded agent writes."""
    return "\n".join(write_example(target)) + "\n"


@only_long
@pytest.mark.torch
@pytest.mark.parametrize("name", ["flash_attention", "vae_decoder_block"])
def test_the_example_that_the_embedded_agent_writes_runs(
    name: str, tools_of: Callable[[Target], Tools]
) -> None:
    """That of row_softmax runs among the several examples below."""
    target = builtin(name)
    source = written_for(target)
    found = run_examples(fenced(source), target, package_of(target), tools_of(target))
    assert found.problems == ()
    assert [block.line for block in found.passed] == [3]


@pytest.mark.torch
def test_of_several_examples_each_ends_for_its_own_reason(softmax: Target, run_all: RunAll) -> None:
    good, wrong, unused_operator, printing, endless, doubled, late, mistaken = run_all(
        written_for(softmax),
        changed(GOOD, ("torch.ones(3)", "torch.zeros(3)")),
        changed(GOOD, (CALL, "y = torch.softmax(x, dim=-1)\n")),
        "print('PASSED')\nassert True\n",
        changed(GOOD, ("print(", "while True:\n    print(")),
        changed(GOOD, (CALL, CALL + CALL)),
        changed(GOOD, ("torch.randn(3, 5)", "torch.randn(3, 5, device='meta')")),
        changed(GOOD, ("row_softmax(x)", "row_softmax(x, 1)")),
    )
    assert good == (Status.PASSED, "")
    assert doubled == (Status.PASSED, "")
    assert wrong[0] is Status.CRASHED
    assert "`torch.testing.assert_close(y.sum(dim=-1), torch.zeros(3))` raised" in wrong[1]
    assert "AssertionError: Tensor-likes are not close!" in wrong[1]
    for status, message in (unused_operator, printing):
        assert status is Status.POLICY_VIOLATION
        assert "never called the operator" in message
    assert endless[0] is Status.TIMEOUT
    assert "took more than 6 s" in endless[1]
    assert late[0] is Status.CRASHED
    assert mistaken[0] is Status.CRASHED
    assert "TypeError" in mistaken[1]


FORGED = CheckResult(check=Check.LOAD, ended=Ended.RAN).model_dump_json().encode()
FRAME = struct.pack(">cI", b"z", len(FORGED)) + FORGED
FORGING = f"""\
import os
for number in range(3, 64):
    try:
        os.write(number, {FRAME!r})
    except OSError:
        pass
os._exit(0)
"""


@pytest.mark.torch
@pytest.mark.usefixtures("blind_policy")
def test_what_is_behind_the_policy_holds_without_it(run_all: RunAll) -> None:
    passwd, network, leaving, quitting, forging, writing, good = run_all(
        "open('/etc/passwd').read()\n" + GOOD,
        "import socket\nsocket.create_connection(('127.0.0.1', 80), timeout=2)\n" + GOOD,
        GOOD + "import os\nos._exit(0)\n",
        GOOD + "raise SystemExit(0)\n",
        FORGING,
        "import os\nos.mkdir('endings.json')\nopen('/packages/x', 'w')\n" + GOOD,
        GOOD,
    )
    assert passwd[0] is network[0] is leaving[0] is quitting[0] is writing[0] is Status.CRASHED
    assert "`open('/etc/passwd').read()` raised" in passwd[1]
    assert "`socket.create_connection" in network[1]
    assert "ended by itself with code 0" in leaving[1]
    assert "SystemExit: 0" in quitting[1]
    assert forging[0] is Status.POLICY_VIOLATION
    assert "never called the operator" in forging[1]
    assert "OSError" in writing[1]
    assert good == (Status.PASSED, "")


@pytest.mark.torch
@pytest.mark.usefixtures("blind_policy")
def test_an_example_that_ends_its_judge_leaves_no_pass(run_all: RunAll) -> None:
    found = run_all(GOOD, "import os\nos.kill(os.getppid(), 9)\n")
    assert [status for status, _ in found] == [Status.CRASHED] * 2
    assert all("ended early" in message for _, message in found)


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("open('/etc/passwd').read()\n" + GOOD, "line 1: uses 'open'"),
        ("import socket\n" + GOOD, "line 1: imports 'socket'"),
        (GOOD + "import os\nos._exit(0)\n", "line 9: imports 'os'"),
        (changed(GOOD, ("torch.testing.assert_close", "print")), "asserts nothing"),
        ("In words.\n" + GOOD, "the example is not Python"),
    ],
)
def test_what_breaks_a_rule_is_never_run_and_is_a_problem_even_without_torch(
    softmax: Target, source: str, reason: str
) -> None:
    found = run_examples(fenced(source), softmax, package_of(softmax), IDLE)
    (block,) = found.blocks
    assert block.status is Status.POLICY_VIOLATION
    assert reason in block.message
    assert found.problems == (block.words,)


@pytest.mark.usefixtures("without_torch")
def test_without_torch_an_example_is_not_run_and_no_problem(softmax: Target) -> None:
    found = run_examples(fenced(GOOD), softmax, package_of(softmax), IDLE)
    assert [(b.status, b.message) for b in found.not_run] == [(Status.NOT_RUN, HOW_TO_ADD_TORCH)]
    assert found.problems == ()
    assert found.passed == ()


def test_without_a_package_nothing_is_run(softmax: Target) -> None:
    found = run_examples(fenced(GOOD), softmax, None, IDLE)
    assert [b.status for b in found.blocks] == [Status.NOT_RUN]
    assert found.package_sha256 == ""


@pytest.mark.parametrize("text", ["", "In words.\n", fenced("ls\n", language="bash")])
def test_a_document_without_an_example_has_a_problem(softmax: Target, text: str) -> None:
    found = run_examples(text, softmax, package_of(softmax), IDLE)
    assert found.problems == ("there is no python example of the operator's use",)
    assert all(b.message == "shown, neither run nor compiled" for b in found.blocks)


@pytest.mark.usefixtures("without_torch")
def test_more_examples_than_are_run_are_a_problem(softmax: Target) -> None:
    found = run_examples(fenced(*[GOOD] * (MAX_BLOCKS + 1)), softmax, package_of(softmax), IDLE)
    assert [b.status for b in found.blocks[:-1]] == [Status.NOT_RUN] * MAX_BLOCKS
    assert found.blocks[-1].status is Status.POLICY_VIOLATION
    assert f"more than {MAX_BLOCKS}" in found.blocks[-1].message


@pytest.mark.usefixtures("without_torch")
def test_a_kernel_that_is_shown_must_compile(
    softmax: Target, tools_of: Callable[[Target], Tools]
) -> None:
    text = fenced(KERNEL, changed(KERNEL, ("= 1;", "= 1")), "int x\n", language="cpp")
    found = run_examples(text, softmax, package_of(softmax), tools_of(softmax))
    good, bad, fragment = found.blocks
    assert (good.kind, good.status) == (BlockKind.KERNEL, Status.PASSED)
    assert bad.status is Status.COMPILE_ERROR
    assert "expected ';'" in bad.message
    assert bad.words in found.problems
    assert fragment.status is Status.NOT_RUN


def test_a_record_cannot_say_that_something_passed_which_could_not() -> None:
    block = BlockRecord(line=1, language="python", kind=BlockKind.PYTHON, status=Status.PASSED)
    for package, version in (("", "2.6"), ("0" * 64, None)):
        with pytest.raises(ValidationError, match="without PyTorch and an operator package"):
            Examples(package_sha256=package, torch_version=version, blocks=(block,))
    with pytest.raises(ValidationError, match="a message belongs"):
        BlockRecord(line=1, language="", kind=BlockKind.PYTHON, status=Status.CRASHED)
    with pytest.raises(ValidationError, match="only shown"):
        BlockRecord(line=1, language="", kind=BlockKind.SHOWN, status=Status.PASSED)
