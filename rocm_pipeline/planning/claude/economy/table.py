"""The economy as a person reads it."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table

from rocm_pipeline.planning.claude.economy.baselines import Baseline
from rocm_pipeline.planning.claude.economy.intervals import Figure
from rocm_pipeline.planning.claude.economy.report import Economy
from rocm_pipeline.planning.claude.economy.spend import Quantity, Spend

ABSENT = "-"
NO_CLAIM = (
    "Tokens of different models are of different lengths: a sum over several models is a tally and "
    "no measure, and only counts of one model are compared."
)


def economy_table(economy: Economy) -> RenderableType:
    """Return everything of `economy` for a console; one line where there is nothing to count."""
    if economy.nothing:
        return economy.nothing
    parts: list[RenderableType] = [_spending(economy), *_summary(economy), _baselines(economy)]
    return Group(*parts, *_notes(economy), NO_CLAIM)


def _spending(economy: Economy) -> Table:
    table = Table(title="What was spent (failed, refused and unknown calls included)")
    for heading in ("", "kernels", "calls", "fresh", "written 5m / 1h", "read", "out", "USD"):
        table.add_column(heading, overflow="fold", justify="left" if not heading else "right")
    account = economy.account
    for target in account.targets:
        kernels = "\n".join(target.kernels) or "none"
        table.add_row(f"{target.target}: Claude", kernels, *_cells(target.claude))
        table.add_row(f"{target.target}: agents", "", *_cells(target.agents))
    table.add_section()
    for model in account.models:
        table.add_row(f"{model.provider} {model.model}", "", *_cells(model.spend))
    table.add_section()
    table.add_row("Claude in all", str(economy.accepted), *_cells(account.claude))
    for purpose, spend in account.purposes.items():
        table.add_row(f"  for {purpose}", "", *_cells(spend))
    table.add_row("  in batches", "", *_cells(account.claude_in_batches))
    table.add_row("agents in all", "", *_cells(account.agents))
    table.add_row("paired experiments", "", *_cells(account.experiments))
    return table


def _cells(spend: Spend) -> tuple[str, ...]:
    worst = f" ({spend.usd_at_worst:.4f} at worst)" if spend.usd_at_worst else ""
    unknown = f" (+{spend.unknown:.0f} at worst)" if spend.unknown else ""
    return (
        f"{spend.calls:g}" if spend.calls == int(spend.calls) else f"{spend.calls:.2f}",
        f"{spend.fresh:.0f}{unknown}",
        f"{spend.cache_write_5m:.0f} / {spend.cache_write_1h:.0f}",
        f"{spend.cache_read:.0f}",
        f"{spend.out:.0f}",
        f"{spend.usd:.4f}{worst}",
    )


def _summary(economy: Economy) -> Iterator[str]:
    outcomes = ", ".join(f"{name} {count}" for name, count in economy.account.outcomes.items())
    yield f"Claude's calls ended: {outcomes or 'none were made'}."
    if economy.per_kernel is None:
        yield "No kernel was accepted yet: nothing can be said per kernel."
        return
    if economy.plans_cached is not None:
        yield f"Plans from the second target on: {economy.plans_cached:.1%} of the prompt cached."
    each = economy.per_kernel
    yield (
        f"Per accepted kernel ({economy.accepted}, ledger over all targets; intervals over "
        f"targets): Claude ${_range(each.usd, '.4f')}, {_range(each.tokens, '.0f')} tokens, "
        f"{_range(each.calls, '.2f')} calls, {each.review_calls:.2f} review calls."
    )
    for model, tokens in each.agents.items():
        yield f"Per accepted kernel, agents: {tokens:.0f} tokens of {model}."


def _baselines(economy: Economy) -> Table:
    table = Table(title="Against Claude writing the code, per accepted kernel")
    headings = ("baseline", "grade", "work", "USD", "saved", "tokens", "saved", "calls", "saved")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for baseline in economy.baselines:
        table.add_row(
            f"{baseline.arm.value} ({baseline.model})",
            baseline.grade.value,
            baseline.scope,
            *(cell for quantity in Quantity for cell in _compared(baseline, quantity)),
        )
    return table


def _compared(baseline: Baseline, quantity: Quantity) -> tuple[str, str]:
    found = baseline.of(quantity)
    if found is None or found.baseline is None:
        return ABSENT, ABSENT
    digits = {Quantity.USD: ".4f", Quantity.TOKENS: ".0f", Quantity.CALLS: ".1f"}[quantity]
    saved = _range(found.reduction, ".1%") if found.reduction else ABSENT
    return _range(found.baseline, digits), saved


def _range(figure: Figure, digits: str) -> str:
    low = "-inf" if figure.low is None else format(figure.low, digits)
    high = "inf" if figure.high is None else format(figure.high, digits)
    return f"{figure.value:{digits}} [{low}, {high}]"


def _notes(economy: Economy) -> Iterator[str]:
    """Say once each what the figures rest on, and why others are missing."""
    lines: dict[str, list[str]] = {}
    for baseline in economy.baselines:
        reasons = dict.fromkeys(c.reason for c in baseline.comparisons if c.reason)
        for words in (baseline.absent, baseline.note, *reasons):
            if words:
                lines.setdefault(f"{baseline.grade.name}: {words}", []).append(baseline.arm.value)
    for line, arms in lines.items():
        yield f"{line} ({'; '.join(dict.fromkeys(arms))})."
    cheaper = _cheaper(economy)
    if cheaper:
        yield f"Cheaper in dollars than our way: {'; '.join(cheaper)}."


def _cheaper(economy: Economy) -> list[str]:
    """Return the baselines that win, in the point estimate."""
    return [
        f"{baseline.arm.value} ({baseline.grade.name}, {baseline.scope})"
        for baseline in economy.baselines
        if (usd := baseline.of(Quantity.USD)) is not None
        and usd.reduction is not None
        and usd.reduction.value < 0
    ]
