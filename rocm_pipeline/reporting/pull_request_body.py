"""The text of a pull request, rendered from evidence alone."""

import re

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.errors import one_line
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.planning.review import Review
from rocm_pipeline.publishing.pull_request import BUNDLE
from rocm_pipeline.reporting import tables
from rocm_pipeline.targets.spec import Target


def render_body(
    target: Target,
    kernel: ChosenKernel,
    operator: OperatorEvidence,
    reviews: tuple[Review, ...],
    reproduction: Reproduction,
    examples: Examples | None,
) -> str:
    """Return the body in Markdown; every number in it comes from the records it names."""
    author = kernel.exchange
    written_by = (
        f"model `{author.model}` (digest `{author.model_digest[:16]}`), prompt "
        f"`{author.prompt_sha256[:16]}`, seed {author.seed}"
        if author
        else "the target's author (baseline)"
    )
    parts = [
        f"# {target.title}",
        f"Kernel `{kernel.candidate.id}`, evidence `{kernel.evidence.id}`, "
        f"tier **{tables.tier_words(kernel.evidence, reproduction)}**.",
        f"Written by {written_by}; judged by the harness `{kernel.evidence.identity.harness}` "
        f"with {kernel.evidence.identity.toolchain}.",
        "## Check it yourself",
        "The folder `evidence` beside this file is the whole evidence: sources, launch plan, "
        "target, reference, records and hashes. With `rocm_pipeline` installed, this judges the "
        "kernel again on your machine and says of each claim whether it was reproduced:",
        f"```\nrocm-pipeline evidence verify kernels/{target.name}/{BUNDLE}\n```",
        f"The pipeline did so in a clean workspace: {tables.reproduction_words(reproduction)}.",
        "## Estimated speed-up",
        tables.speedup_table(kernel.evidence),
        "These are estimates from a model of the machine, not measurements.",
        "## Correctness",
        tables.correctness_table(kernel.evidence),
        "## Resources",
        tables.resources_table(kernel.evidence),
        "## PyTorch operator",
        _operator(operator),
        "## Code in the documentation",
        tables.examples_table(examples),
        "## Reviews",
        *(_review(review) for review in reviews),
        "## Limits",
        tables.limits(kernel.evidence),
    ]
    return "\n\n".join(parts) + "\n"


def _operator(operator: OperatorEvidence) -> str:
    rows = [(r.check.value, r.status.value, _as_code(r.message)) for r in operator.checks]
    return f"Record `{operator.id}`.\n\n" + tables.markdown_table(
        ("check", "status", "message"), rows
    )


def _review(review: Review) -> str:
    alone = f" (no model judged: {review.unasked})" if review.unasked else ""
    lines = [f"**{review.kind} review** by `{review.reviewer}`: **{review.verdict.value}**{alone}"]
    lines += [
        f"- {f.severity} ({f.heading.value}): {_as_code(f.message)} (`{f.cites}`)"
        for f in review.findings
    ]
    return "\n".join(lines)


def _as_code(words: str) -> str:
    """Return others' words so that nothing in them is a heading, a link or a mention.

    A reviewer's may be a model's that obeyed what stood in the kernel; those of a check may quote
    what an agent wrote.
    """
    line = one_line(words)
    if not line:
        return ""
    ticks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{ticks} {line} {ticks}"
