"""The economy of a home: read from its records, and measured anew in a paired experiment."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from itertools import product

from rocm_pipeline.agents.paired import (
    Contestant,
    CutOffError,
    PairedExperiment,
    Subject,
    alone,
)
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home, rounds
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.claude.call import Claude, Purpose
from rocm_pipeline.planning.claude.economy.baselines import Arm
from rocm_pipeline.planning.claude.economy.paired import Trial
from rocm_pipeline.planning.claude.economy.reading import (
    newest_plan,
    read_history,
    save_count,
    save_trial,
    stored_counts,
)
from rocm_pipeline.planning.claude.economy.replay import Count, texts
from rocm_pipeline.planning.claude.economy.report import Economy, History, make_economy
from rocm_pipeline.planning.claude.prices import Tokens
from rocm_pipeline.planning.claude.settings import (
    KEY_VARIABLE,
    ClaudeSettings,
    api_key,
    base_url,
    read_settings,
)
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.rules import PLANNER
from rocm_pipeline.records.records import Records
from rocm_pipeline.resources.sources import HomeSources

ClaudeFor = Callable[[Records, ClaudeSettings], AbstractContextManager[Claude]]
"""Opens who asks with these settings, whose model for `Purpose.BASELINE` is the arm's."""


def require_key() -> str:
    """Return the key; refuse a paired experiment that nobody could pay."""
    key = api_key()
    if key is None:
        raise UserError(
            "a paired experiment asks Claude, and there is no key",
            where=KEY_VARIABLE,
            fix="Set it in the environment; `rocm-pipeline economy` without --paired needs none.",
        )
    return key


def with_key(key: str) -> ClaudeFor:
    """Return what opens Claude itself."""
    from rocm_pipeline.planning.claude.client import AnthropicClaude

    return lambda records, settings: closing(
        AnthropicClaude(records, settings, key=key, url=base_url())
    )


@contextmanager
def counting(home: Home, key: str) -> Generator[Count, None, None]:
    """Yield what asks Claude's models to count a text, which costs nothing."""
    from rocm_pipeline.planning.claude.client import AnthropicClaude

    settings = read_settings(home.path)
    with (
        _records(home) as records,
        closing(AnthropicClaude(records, settings, key=key, url=base_url())) as claude,
    ):
        yield claude.count


def read_economy(home: Home, count: Count | None = None) -> Economy:
    """Return the economy of `home`; makes nothing.

    `count` is what `counting` yields: what it says is kept, and the first text that it does not
    count ends the counting. Without it the counts that were kept before are used.
    """
    if not home.path.exists():
        return _economy(home, History(), lambda _model, _text: None)
    with _records(home) as records:
        history = read_history(records)
        if count is not None:
            _keep_counts(home, records, history, count)
        return _economy(home, history, stored_counts(records))


def run_paired(
    home: Home, targets: Sequence[str], repeats: int, claude_for: ClaudeFor
) -> Iterator[Trial]:
    """Yield each trial of a paired experiment once it is in the records.

    The planned arm is run when Claude made the newest plan of every target. Raises UserError when
    the experiment is cut off; trials before that are kept, and another run goes on from there.
    """
    settings = read_settings(home.path)
    sources = HomeSources(home)
    subjects = [Subject(t, sources.snapshot(t)) for t in map(sources.target, targets)]
    home.create()
    with _records(home) as records, _scratch(home) as scratch, ExitStack() as stack:

        def opened(asking: ClaudeSettings) -> Claude:
            return stack.enter_context(claude_for(records, asking))

        experiment = PairedExperiment(
            subjects,
            list(_contestants(settings, opened, records, targets)),
            harness=Harness(Sandbox.detect(), home.cache),
            scratch=scratch,
            rounds=rounds(),
        )
        try:
            for trial in experiment.run(repeats):
                save_trial(records, trial)
                yield trial
        except CutOffError as error:
            raise UserError(
                f"the experiment ended early ({error})",
                where="economy --paired",
                fix="What was measured is kept. Mend that, then run it again: it goes on from "
                "there, and pays no answer twice.",
            ) from error


def _contestants(
    settings: ClaudeSettings,
    opened: Callable[[ClaudeSettings], Claude],
    records: Records,
    targets: Sequence[str],
) -> Iterator[Contestant]:
    best, cheapest = settings.baselines.best, settings.baselines.cheapest
    plans = {target: plan for target in targets if (plan := _plan_by_claude(records, target))}

    def planned(subject: Subject) -> Sequence[Task]:
        return plans[subject.target.name].tasks

    arms = [(Arm.BEST_ALONE, best, alone), (Arm.CHEAPEST_ALONE, cheapest, alone)]
    for arm, model, tasks in (
        [*arms, (Arm.PLANNED_CHEAPEST, cheapest, planned)] if len(plans) == len(targets) else arms
    ):
        asking = settings.asking(Purpose.BASELINE, model)
        yield Contestant(
            arm=arm,
            model=model,
            claude=opened(asking),
            max_tokens=asking.of(Purpose.BASELINE).max_tokens,
            tasks=tasks,
        )


def _economy(home: Home, history: History, count: Count) -> Economy:
    settings = read_settings(home.path)
    prices, now = settings.price_table(), time.time()

    def price(model: str, tokens: Tokens) -> float:
        return float(prices.price(tokens, model, now))

    return make_economy(
        history,
        best=settings.baselines.best,
        cheapest=settings.baselines.cheapest,
        price=price,
        count=count,
    )


def _keep_counts(home: Home, records: Records, history: History, count: Count) -> None:
    baselines, known = read_settings(home.path).baselines, stored_counts(records)
    for model, text in product(
        dict.fromkeys((baselines.best, baselines.cheapest)), texts(history.transcript)
    ):
        if known(model, text) is None:
            counted = count(model, text)
            if counted is None:
                return
            save_count(records, model, text, counted)


def _plan_by_claude(records: Records, target: str) -> Plan | None:
    """Return the newest plan of `target` when Claude made it."""
    plan = newest_plan(records, target)
    return plan if plan is not None and not plan.planner.startswith(PLANNER) else None


@contextmanager
def _records(home: Home) -> Generator[Records, None, None]:
    records = Records.open(home.records_url, str(home.store))
    try:
        yield records
    finally:
        records.close()


@contextmanager
def _scratch(home: Home) -> Generator[Records, None, None]:
    """Records of the experiment's own: the kernels in them are none of the pipeline's."""
    with _records(Home(home.path / "paired")) as records:
        yield records
