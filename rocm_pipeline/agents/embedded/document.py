"""docs_writer: documentation from target and kernel, with a placeholder for every figure."""

from rocm_pipeline.agents.embedded.example import write_example
from rocm_pipeline.agents.embedded.question import Question
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import DOCUMENTATION_FILE
from rocm_pipeline.targets.spec import Target

_TRAITS = (
    ("__shared__", "Blocks exchange data through LDS."),
    ("__shfl", "Lanes of a wave exchange values by shuffles, without LDS."),
    ("float4", "Loads and stores move several neighbouring elements at once where aligned."),
    ("atomic", "Partial results are combined by atomic operations."),
    (
        "__launch_bounds__",
        "The block size is known to the compiler, which budgets registers by it.",
    ),
)
"""What a source text shows about a kernel, in words."""


def write_document(question: Question, _seed: int) -> Reply:
    """Return the documentation of the question's kernel."""
    target = question.target
    sections = {
        "What it does": _what(target),
        "Usage": [
            f"The operator is `torch.ops.rocm_pipeline.{target.name}`; the module's function "
            f"`{target.name}` calls it.",
            "",
            "{{ usage }}",
            "",
            "For example, with small inputs:",
            "",
            "```python",
            *write_example(target),
            "```",
            "",
            "Tensors on the CPU need the kernels built for the CPU, in the folder that "
            '`ROCM_PIPELINE_EMULATOR` names; on an AMD GPU make them with `device="cuda"`.',
        ],
        "Kernel design": _design(question),
        "Correctness": [
            "Verified to tier {{ tier }}, recorded as evidence {{ evidence_id }} about kernel "
            "{{ kernel_id }}.",
            "",
            "{{ correctness_table }}",
        ],
        "Performance": [
            "Estimates are ranges from a model of the machine and are labelled so; they are not "
            "measurements. Compiled for {{ architectures }}.",
            "",
            "{{ speedup_table }}",
            "",
            "{{ resources_table }}",
        ],
        "Limits": ["{{ limits }}"],
    }
    lines = [f"# {target.title}", ""]
    for heading, body in sections.items():
        lines += [f"## {heading}", "", *body, ""]
    return Reply(
        files=(ReplyFile(path=DOCUMENTATION_FILE, text="\n".join(lines)),),
        explanation="Written from the target and from what the kernel's source shows.",
        limitations=("The design section is recognised from the source, not understood.",),
    )


def _what(target: Target) -> list[str]:
    lines = [f"{target.title.rstrip('.')}.", f"In PyTorch it is `{target.pytorch.equivalent}`.", ""]
    for name, spec in target.tensors.items():
        types = [t.value for t in target.dtypes.get(spec.dtype, ())] or [spec.dtype]
        known = " or ".join(f"`{name}`" for name in types)
        lines.append(f"- `{name}`: {spec.role.value}, `[{', '.join(spec.shape)}]`, {known}")
    lines += [f"- `{name}`: scalar, `{spec.dtype}`" for name, spec in target.scalars.items()]
    return lines


def _design(question: Question) -> list[str]:
    plan = question.launch_plan
    names = ", ".join(f"`{launch.kernel}`" for launch in plan.launches)
    lines = [f"- Launches, in order: {names}."]
    if plan.workspace:
        scratch = ", ".join(f"`{entry.name}`" for entry in plan.workspace)
        lines.append(f"- Scratch in device memory: {scratch}.")
    lines += [f"- {text}" for mark, text in _TRAITS if mark in question.kernel]
    return lines
