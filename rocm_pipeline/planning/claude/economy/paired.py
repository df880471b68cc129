"""Baselines by a paired run (G1): Claude wrote the same kernels, and the same harness judged them.

What a trial cost is in the ledger under its run id; here is what came of it. Trials of one series
had the same targets, prompts, harness and rounds. The newest series counts, whole.
"""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.economy.account import Account
from rocm_pipeline.planning.claude.economy.baselines import (
    Arm,
    Baseline,
    Comparison,
    Grade,
    Models,
    Outcome,
    Pair,
    compare,
)
from rocm_pipeline.planning.claude.economy.modelled import constants
from rocm_pipeline.planning.claude.economy.spend import NOTHING, Spend

ENOUGH_TARGETS, ENOUGH_REPEATS = 30, 3
"""Fewer make no claim, whatever the interval says."""
SCOPE = "kernels"
NO_RUN = "NOT available: no paired run is recorded (`rocm-pipeline economy --paired N`)"
NOT_RUN = "NOT available: not part of the last paired run (Claude had not planned all its targets)"


class Trial(BaseModel):
    """One arm's work on one target, once, to its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: str
    arm: Arm
    model: str
    target: str
    repeat: int
    run_id: str
    """Of its calls in the ledger."""
    accepted: bool
    """Whether the harness passed a kernel that is worth it, as for the agents' kernels."""
    rounds: int
    cut_off: str = ""
    """Why it ended before its last round, where no answer came."""


def paired(
    account: Account,
    trials: Sequence[Trial],
    spent: Mapping[str, Spend],
    best: str,
    cheapest: str,
) -> tuple[Baseline, ...]:
    """Return the three baselines as measured; `trials` in order of time, `spent` by run id."""
    newest = [trial for trial in trials if trial.series == trials[-1].series]
    return tuple(
        _baseline(account, arm, [t for t in newest if t.arm is arm], spent)
        if any(trial.arm is arm for trial in newest)
        else Baseline(
            arm=arm,
            model=model,
            grade=Grade.G1,
            scope=SCOPE,
            absent=NOT_RUN if newest else NO_RUN,
        )
        for arm, model in (
            (Arm.BEST_ALONE, best),
            (Arm.CHEAPEST_ALONE, cheapest),
            (Arm.PLANNED_CHEAPEST, cheapest),
        )
    )


def _baseline(
    account: Account, arm: Arm, trials: Sequence[Trial], spent: Mapping[str, Spend]
) -> Baseline:
    model = trials[0].model
    plans = arm is Arm.PLANNED_CHEAPEST
    pairs = _pairs(account, trials, spent, plans)
    models = Models(
        ours=account.claude_models,
        baseline=(*account.claude_models, model) if plans else (model,),
    )
    acceptance = sum(trial.accepted for trial in trials) / len(trials)
    ours = sum(bool(pair.ours.accepted) for pair in pairs.values()) / len(pairs)
    return Baseline(
        arm=arm,
        model=model,
        grade=Grade.G1,
        scope=SCOPE,
        comparisons=_at_equal_acceptance(compare(pairs, models), acceptance, ours),
        targets=len(pairs),
        acceptance=acceptance,
        note=_note(len(pairs), min(len(pair.trials) for pair in pairs.values())),
    )


def _pairs(
    account: Account, trials: Sequence[Trial], spent: Mapping[str, Spend], plans: bool
) -> dict[str, Pair]:
    """Return the targets of the trials; ours is nothing where the pipeline never worked on one."""
    ours = {t.target: Outcome(t.claude, len(t.kernels)) for t in account.targets}
    nothing = Outcome(NOTHING, 0)
    pairs: dict[str, Pair] = {}
    for name in dict.fromkeys(trial.target for trial in trials):
        own = ours.get(name, nothing)
        planning = own.spend if plans else NOTHING
        outcomes = tuple(
            Outcome(spent.get(trial.run_id, NOTHING) + planning, float(trial.accepted))
            for trial in trials
            if trial.target == name
        )
        pairs[name] = Pair(own, outcomes)
    return pairs


def _at_equal_acceptance(
    comparisons: tuple[Comparison, ...], acceptance: float, ours: float
) -> tuple[Comparison, ...]:
    """Withhold the reductions when the baseline accepts less than ours by more than the margin."""
    if acceptance >= ours - constants().equal_acceptance.margin:
        return comparisons
    reason = f"not at equal acceptance: {acceptance:.0%} of its runs, {ours:.0%} of our targets"
    return tuple(c.model_copy(update={"reduction": None, "reason": reason}) for c in comparisons)


def _note(targets: int, repeats: int) -> str:
    size = f"{targets} targets, {repeats} runs of each"
    if targets >= ENOUGH_TARGETS and repeats >= ENOUGH_REPEATS:
        return size
    return f"{size}: too few for a claim, which takes {ENOUGH_TARGETS} and {ENOUGH_REPEATS}"
