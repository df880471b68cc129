"""profiler: what the evidence says holds the kernel back, in words and placeholders."""

from collections.abc import Mapping

from rocm_pipeline.agents.brief import EvidenceSummary
from rocm_pipeline.agents.embedded.question import Question
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import ANALYSIS_FILE

_ADVICE: Mapping[str, str] = {
    "device memory": (
        "Read every input once and write every output once; load two or four neighbouring elements "
        "at a time where the address allows; fuse passes that read the same data again."
    ),
    "infinity cache": "Work on smaller tiles, so that data read again is still in a nearer cache.",
    "L2": "Keep tiles that several waves read in LDS, so that the L2 cache is asked once.",
    "L1": "Let each work-item keep what it reads again in registers; widen the loads.",
    "LDS": "Pad rows of LDS tiles against bank conflicts; move exchanges to wave shuffles.",
    "arithmetic": (
        "Hoist index arithmetic out of inner loops, and use packed or matrix instructions where "
        "the element type allows."
    ),
    "transcendental": "Compute each exponential once; use exp2f with the factor folded in.",
    "latency": (
        "Give each work-item independent loads to have in flight, or raise the resident waves by "
        "using fewer registers and less LDS."
    ),
    "launch": "Start fewer kernels, or give each more work; split rows when blocks are too few.",
}
"""By the resource that the estimate names."""
_SPILLS = "Registers spill to scratch memory: lower the unrolling or the tile of a work-item."


def write_analysis(question: Question, _seed: int) -> Reply:
    """Return the analysis; without evidence there is nothing to analyse, and it says so."""
    evidence = question.evidence
    if evidence is None or not evidence.estimates:
        return Reply(
            explanation="There is no evidence with an estimate to analyse.",
            limitations=("Nothing was analysed.",),
        )
    text = "\n".join(
        (
            "# Performance analysis",
            "",
            f"About kernel {{{{ kernel_id }}}} of the target `{question.target.name}`, from "
            "evidence {{ evidence_id }}. Every figure is the harness's own.",
            "",
            "## Bottleneck",
            "",
            *_bottlenecks(evidence),
            "",
            "{{ speedup_table }}",
            "",
            "## Resources",
            "",
            *_resources(evidence),
            "",
            "{{ resources_table }}",
            "",
            "## What to try next",
            "",
            *(f"- {line}" for line in _advice(evidence)),
            "",
        )
    )
    return Reply(
        files=(ReplyFile(path=ANALYSIS_FILE, text=text),),
        explanation="Read from the estimates and the compiled resources of the evidence.",
        limitations=("The advice is general for a bottleneck; the code itself was not read.",),
    )


def _by_bottleneck(evidence: EvidenceSummary) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for estimate in evidence.estimates:
        for name in estimate.bottlenecks:
            grouped.setdefault(name, []).append(estimate.architecture)
    return grouped


def _bottlenecks(evidence: EvidenceSummary) -> list[str]:
    return [
        f"- {name} limits it on {_listed(architectures)} (estimated)."
        for name, architectures in _by_bottleneck(evidence).items()
    ]


def _resources(evidence: EvidenceSummary) -> list[str]:
    lines: dict[str, list[str]] = {}
    for compile_ in evidence.compiles:
        for limit in dict.fromkeys(kernel.limited_by for kernel in compile_.kernels):
            lines.setdefault(limit, []).append(compile_.architecture)
    text = [
        f"- the number of resident waves is limited by {limit} on {_listed(architectures)}."
        for limit, architectures in lines.items()
    ]
    spilling = _spilling(evidence)
    text.append(
        f"- registers spill on {_listed(spilling)}." if spilling else "- no register spills."
    )
    return text


def _advice(evidence: EvidenceSummary) -> list[str]:
    advice = [_SPILLS] if _spilling(evidence) else []
    for bottleneck in _by_bottleneck(evidence):
        advice.extend(text for name, text in _ADVICE.items() if name.lower() in bottleneck.lower())
    return list(dict.fromkeys(advice)) or ["Measure on a device: the estimate names no resource."]


def _spilling(evidence: EvidenceSummary) -> list[str]:
    return [
        c.architecture
        for c in evidence.compiles
        if any(kernel.vgpr_spills + kernel.sgpr_spills for kernel in c.kernels)
    ]


def _listed(names: list[str]) -> str:
    return ", ".join(names)
