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

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
_CLAIM = re.compile(
    r"(?<![\w.])\d+(?:\.\d+)?\s*(?:%|percent|x\b|\u00d7|times\b|[nµum]?s\b|[GMT]B/s)"
)
_LIST_ITEM = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
_LINK = re.compile(r"!\[|\]\(|https?://|<[a-zA-Z/!]")


def render_document(
    draft: str, target: Target, kernel: ChosenKernel, usage: str, exchange: Exchange | None
) -> Document:
    """Fill in the draft's placeholders and say what is wrong with it."""
    draft = draft[:MAX_CHARACTERS].replace("\r\n", "\n")
    problems = [*_problems(draft, target, kernel.evidence)]
    values = _values(kernel, usage)
    markdown = _PLACEHOLDER.sub(lambda m: values.get(m.group(1), m.group(0)), draft)
    return Document(
        target=target.name,
        markdown=markdown.rstrip() + "\n",
        problems=tuple(problems),
        exchange=exchange,
    )


def numbers_without_source(text: str, *sources: str) -> list[str]:
    """Return the numbers of the prose in `text` that none of `sources` holds.

    Code, placeholders and list numbers are no prose. A number with a unit of speed (times, %, µs)
    must be in the sources with its unit, also where it stands in code: an example is not run, so
    what it shows as output is a claim like any other.
    """
    text = _PLACEHOLDER.sub("", text)
    prose = _LIST_ITEM.sub("", _CODE.sub("", text))
    known = {found.group() for source in sources for found in _NUMBER.finditer(source)}
    claims = {_flat(found.group()) for source in sources for found in _CLAIM.finditer(source)}
    missing = [c.group() for c in _CLAIM.finditer(text) if _flat(c.group()) not in claims]
    rest = _CLAIM.sub("", prose)
    missing += [n.group() for n in _NUMBER.finditer(rest) if n.group() not in known]
    return list(dict.fromkeys(missing))


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
    if _LINK.search(_CODE.sub("", draft)):
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


def _flat(text: str) -> str:
    return "".join(text.split())
