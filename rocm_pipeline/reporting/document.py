"""Documentation: an agent's draft, with every figure filled in from evidence.

Agents write prose, the harness writes numbers: a number in the draft that neither the evidence nor
the target holds is a problem, and so is a missing section.
"""

import re
from collections.abc import Iterator

from rocm_pipeline.agents.outcome import ChosenKernel, Document, Exchange
from rocm_pipeline.agents.placeholders import unknown_placeholders
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.reporting import tables
from rocm_pipeline.reporting.numbers import CODE, PLACEHOLDER, numbers_without_source
from rocm_pipeline.targets.spec import Target

SECTIONS = (
    "What it does",
    "Usage",
    "Kernel design",
    "Correctness",
    "Performance",
    "Limits",
)
MAX_CHARACTERS = 60_000

_LINK = re.compile(r"!\[|\]\(|https?://|<[a-zA-Z/!]")


def render_document(
    draft: str, target: Target, kernel: ChosenKernel, usage: str, exchange: Exchange | None
) -> Document:
    """Fill in the draft's placeholders and say what is wrong with it."""
    draft = draft[:MAX_CHARACTERS].replace("\r\n", "\n")
    problems = [*_problems(draft, target, kernel.evidence)]
    values = _values(kernel, usage)
    markdown = PLACEHOLDER.sub(lambda m: values.get(m.group(1), m.group(0)), draft)
    return Document(
        target=target.name,
        markdown=markdown.rstrip() + "\n",
        problems=tuple(problems),
        exchange=exchange,
    )


def _problems(draft: str, target: Target, evidence: Evidence) -> Iterator[str]:
    if not draft.strip():
        yield "the agent sent no documentation"
        return
    for name in unknown_placeholders(draft):
        yield f"placeholder '{name}' does not exist"
    for section in SECTIONS:
        if not re.search(rf"^##\s+{re.escape(section)}\s*$", draft, re.MULTILINE | re.IGNORECASE):
            yield f"section '{section}' is missing"
    source = target.model_dump_json() + target.title
    for number in numbers_without_source(draft, source, evidence.model_dump_json()):
        yield f"the number '{number}' is not in the evidence"
    if _LINK.search(CODE.sub("", draft)):
        yield "links, images and HTML are not allowed"


def _values(kernel: ChosenKernel, usage: str) -> dict[str, str]:
    evidence = kernel.evidence
    return {
        "tier": tables.tier_words(evidence),
        "architectures": ", ".join(evidence.architectures_compiled) or "none",
        "speedup_table": tables.speedup_table(evidence),
        "resources_table": tables.resources_table(evidence),
        "correctness_table": tables.correctness_table(evidence),
        "usage": usage,
        "kernel_id": kernel.candidate.id,
        "evidence_id": evidence.id,
        "limits": tables.limits(evidence),
    }
