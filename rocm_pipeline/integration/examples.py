"""The code in an agent's document, run and compiled in the sandbox before anyone may copy it."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from rocm_pipeline.agents.examples import BlockKind, BlockRecord, Examples
from rocm_pipeline.errors import one_line
from rocm_pipeline.integration.code_blocks import CodeBlock, code_blocks
from rocm_pipeline.integration.example_job import (
    ENDINGS_FILE,
    EXAMPLES_FILE,
    ExampleEnding,
    ExampleEndings,
    ExampleJob,
)
from rocm_pipeline.integration.interpreter import LIMITS, interpreter, torch_version
from rocm_pipeline.integration.job import Ended
from rocm_pipeline.integration.package import OperatorPackage
from rocm_pipeline.integration.policy import example_violations
from rocm_pipeline.integration.verify import (
    HOW_TO_ADD_TORCH,
    Subject,
    make_job,
    write_libraries,
)
from rocm_pipeline.lab.emulator import TorchLibrary
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import ResultRefused, Sandbox, read_result, temporary_box
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets.spec import Target

MAX_BLOCKS = 8
"""Blocks of one document that are run or compiled; a document with more has a problem."""
SECONDS_PER_EXAMPLE = 20.0

_MODULE = "rocm_pipeline.integration.inside.examples"
_MAX_ENDINGS = 1 << 20
_LONGEST = 600
_NO_KERNEL = "ended without an answer from the operator's kernels: it never called the operator"

_Finding = tuple[Status, str]


@dataclass(frozen=True)
class Tools:
    """What running and compiling takes; made only for a document that needs it."""

    sandbox: Sandbox
    libraries: Callable[[], TorchLibrary]
    """The build of the package's kernels for the CPU."""
    toolchain: Callable[[], Toolchain]
    seconds_per_example: float = SECONDS_PER_EXAMPLE


def run_examples(
    markdown: str, target: Target, package: OperatorPackage | None, tools: Tools
) -> Examples:
    """Run the Python examples of `markdown` on `package`, compile its kernels, and record it all.

    All examples take one start of the sandbox. Without PyTorch, or without a package, they are
    NOT_RUN; raises for no fault of the document.
    """
    blocks = code_blocks(markdown)
    found: dict[CodeBlock, _Finding] = {}
    tried = [block for block in blocks if block.kind is not BlockKind.SHOWN]
    for block in tried[MAX_BLOCKS:]:
        found[block] = Status.POLICY_VIOLATION, f"the document has more than {MAX_BLOCKS} examples"
    tried = tried[:MAX_BLOCKS]
    found |= _compiled([b for b in tried if b.kind is BlockKind.KERNEL], target, tools)
    found |= _run([b for b in tried if b.kind is BlockKind.PYTHON], target, package, tools)
    return Examples(
        package_sha256=package.sha256 if package else "",
        torch_version=torch_version(),
        blocks=tuple(_record(block, found) for block in blocks),
    )


def _record(block: CodeBlock, found: dict[CodeBlock, _Finding]) -> BlockRecord:
    status, message = found.get(block, (Status.NOT_RUN, "shown, neither run nor compiled"))
    return BlockRecord(
        line=block.line,
        language=block.language,
        kind=block.kind,
        status=status,
        message=one_line(message, _LONGEST),
    )


def _compiled(
    blocks: Sequence[CodeBlock], target: Target, tools: Tools
) -> dict[CodeBlock, _Finding]:
    """Compile for the target's first architecture: it is about the text, not about the machine."""
    if not blocks:
        return {}
    toolchain, architecture = tools.toolchain(), target.architectures[0]
    found: dict[CodeBlock, _Finding] = {}
    for block in blocks:
        build = toolchain.compile(block.text, architecture)
        passed = build.status is Status.PASSED
        found[block] = build.status, "" if passed else build.message.partition("\n")[0]
    return found


def _run(
    blocks: Sequence[CodeBlock], target: Target, package: OperatorPackage | None, tools: Tools
) -> dict[CodeBlock, _Finding]:
    found: dict[CodeBlock, _Finding] = {}
    folder = f"{target.name}_op" if package is None else package.folder
    for block in blocks:
        if broken := example_violations(folder, target.name, block.text):
            found[block] = Status.POLICY_VIOLATION, "; ".join(broken)
    kept = [block for block in blocks if block not in found]
    if torch_version() is None:
        return found | dict.fromkeys(kept, (Status.NOT_RUN, HOW_TO_ADD_TORCH))
    if package is None:
        return found | dict.fromkeys(kept, (Status.NOT_RUN, "there is no operator package"))
    if not kept:
        return found
    endings = _in_the_sandbox(kept, Subject(package, target, tools.libraries(), ()), tools)
    return found | {block: _judged(ending) for block, ending in zip(kept, endings, strict=True)}


def _in_the_sandbox(
    blocks: Sequence[CodeBlock], subject: Subject, tools: Tools
) -> tuple[ExampleEnding, ...]:
    job = ExampleJob(
        job=make_job(subject, [], tools.seconds_per_example),
        sources=tuple(block.text for block in blocks),
    )
    python = interpreter()
    with tempfile.TemporaryDirectory(prefix="examples-") as folder, temporary_box() as box:
        places = _write_inputs(Path(folder), job, subject)
        completed = tools.sandbox.run(
            python.argv(_MODULE, *places),
            box=box,
            readonly={**python.readonly, **places},
            environment=python.environment,
            limits=replace(
                LIMITS, wall_seconds=LIMITS.wall_seconds + len(blocks) * job.job.seconds_per_check
            ),
        )
        endings = _endings(box)
    if len(endings) == len(blocks):
        return endings
    ended = Ended.TIMEOUT if completed.timed_out else Ended.SILENT
    said = f"exit code {completed.returncode}; {completed.stderr.strip()[-300:]}"
    message = f"the whole run ended early: {said}"
    return (ExampleEnding(ended=ended, message=message, reached=False),) * len(blocks)


def _write_inputs(folder: Path, job: ExampleJob, subject: Subject) -> dict[str, Path]:
    """Write what the run reads below `folder`; return where it is seen inside, in order."""
    places = {f"/{name}": folder / name for name in ("job", "packages", "libraries")}
    for place in places.values():
        place.mkdir()
    jobs, packages, libraries = places.values()
    (jobs / EXAMPLES_FILE).write_text(job.model_dump_json(), encoding="utf-8")
    subject.package.write(packages)
    write_libraries(subject.libraries, libraries)
    return places


def _endings(box: Path) -> tuple[ExampleEnding, ...]:
    try:
        content = read_result(box.parent, f"{box.name}/{ENDINGS_FILE}", _MAX_ENDINGS)
        return ExampleEndings.model_validate_json(content).endings
    except (ResultRefused, ValidationError):
        return ()


def _judged(ending: ExampleEnding) -> _Finding:
    if ending.ended is Ended.TIMEOUT:
        return Status.TIMEOUT, f"{ending.message}; the CPU runs examples, so keep inputs small"
    if ending.ended is not Ended.RAN:
        return Status.CRASHED, ending.message or ending.ended.value
    if not ending.reached:
        return Status.POLICY_VIOLATION, _NO_KERNEL
    return Status.PASSED, ""
