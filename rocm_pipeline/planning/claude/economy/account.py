"""The account of the work: what every target caused, beside the kernels that were accepted.

Nothing that was paid is left out: failed, refused, truncated and unknown calls count, and so do
targets that came to no kernel. Claude's spending on a paired experiment is kept apart, for no
kernel of the pipeline came from it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.call import Purpose
from rocm_pipeline.planning.claude.economy.spend import NOTHING, Spend
from rocm_pipeline.records.ledger import ANTHROPIC


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One call to a model, as far as the account needs it."""

    targets: tuple[str, ...]
    """Those that caused it, in equal parts."""
    provider: str
    model: str
    purpose: str
    outcome: str
    spend: Spend
    run_id: str | None = None
    in_batch: bool = False

    @property
    def is_claude(self) -> bool:
        return self.provider == ANTHROPIC

    @property
    def is_experiment(self) -> bool:
        return self.is_claude and self.purpose == Purpose.BASELINE.value


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetAccount(_Frozen):
    """What one target caused. One without an accepted kernel was abandoned, and still paid for."""

    target: str
    kernels: tuple[str, ...]
    """Ids of the accepted kernels."""
    claude: Spend
    agents: Spend


class ModelAccount(_Frozen):
    """One model's part. Tokens of different models are of different lengths."""

    provider: str
    model: str
    spend: Spend


class Account(_Frozen):
    """The whole ledger: `claude`, `agents` and `experiments` together are every attempt in it."""

    targets: tuple[TargetAccount, ...]
    models: tuple[ModelAccount, ...]
    """Without the experiments."""
    purposes: dict[str, Spend]
    """Claude's part by what it was asked for, without the experiments."""
    outcomes: dict[str, int]
    """How Claude's calls ended, without the experiments."""
    claude: Spend
    claude_in_batches: Spend
    """The part of `claude` that was asked in batches, at half price."""
    agents: Spend
    experiments: Spend

    @property
    def accepted(self) -> int:
        return sum(len(target.kernels) for target in self.targets)

    @property
    def claude_models(self) -> tuple[str, ...]:
        """Models of Claude that used any tokens."""
        return tuple(m.model for m in self.models if _is_claude(m) and m.spend.tokens)

    @property
    def claude_per_kernel(self) -> Spend | None:
        """Everything paid over the accepted kernels; None without one."""
        return self.claude.times(1 / self.accepted) if self.accepted else None

    def calls_per_kernel(self, purpose: Purpose) -> float | None:
        if not self.accepted:
            return None
        return self.purposes.get(purpose.value, NOTHING).calls / self.accepted


def make_account(attempts: Iterable[Attempt], kernels: Mapping[str, tuple[str, ...]]) -> Account:
    """Add up `attempts`; `kernels` are the ids of the accepted ones by target."""
    every = tuple(attempts)
    work = [attempt for attempt in every if not attempt.is_experiment]
    claude = [attempt for attempt in work if attempt.is_claude]
    agents = [attempt for attempt in work if not attempt.is_claude]
    names = sorted({*kernels, *(name for attempt in work for name in attempt.targets)})
    models = sorted({(attempt.provider, attempt.model) for attempt in work})
    return Account(
        targets=tuple(
            TargetAccount(
                target=name,
                kernels=tuple(dict.fromkeys(kernels.get(name, ()))),
                claude=_share(claude, name),
                agents=_share(agents, name),
            )
            for name in names
        ),
        models=tuple(
            ModelAccount(
                provider=provider,
                model=model,
                spend=total(a for a in work if (a.provider, a.model) == (provider, model)),
            )
            for provider, model in models
        ),
        purposes={
            purpose: total(attempt for attempt in claude if attempt.purpose == purpose)
            for purpose in sorted({attempt.purpose for attempt in claude})
        },
        outcomes=dict(sorted(Counter(attempt.outcome for attempt in claude).items())),
        claude=total(claude),
        claude_in_batches=total(attempt for attempt in claude if attempt.in_batch),
        agents=total(agents),
        experiments=total(attempt for attempt in every if attempt.is_experiment),
    )


def total(attempts: Iterable[Attempt]) -> Spend:
    return sum((attempt.spend for attempt in attempts), NOTHING)


def cached_after_first(attempts: Iterable[Attempt], purpose: Purpose) -> float | None:
    """Return the share of the prompts read from the cache, from the second target on.

    `attempts` are in the order of the calls. None when no more than one target was asked about.
    """
    asked = [a for a in attempts if a.is_claude and a.purpose == purpose.value]
    first = asked[0].targets if asked else ()
    return total(attempt for attempt in asked if attempt.targets != first).cached_share


def _share(attempts: Iterable[Attempt], target: str) -> Spend:
    parts = (a.spend.times(1 / len(a.targets)) for a in attempts if target in a.targets)
    return sum(parts, NOTHING)


def _is_claude(model: ModelAccount) -> bool:
    return model.provider == ANTHROPIC
