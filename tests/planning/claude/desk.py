"""A client at its desk: with its records, and with the server that it talks to."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.planning.claude.call import Block, Call, Purpose, UnansweredError
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.settings import ClaudeSettings, Limit, read_settings
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from tests.standins.claude import (
    KEY,
    Behaviour,
    Ending,
    StandIn,
    in_turn,
    serving,
)

GOOD = '{"words": ["split", "merge"], "count": 2}'
PREFIX = "You plan the work on kernels. " * 200
"""Long enough to be cached: more than 1024 tokens."""


class Sketch(BaseModel):
    """An answer with a bound that no schema of the API can hold."""

    model_config = ConfigDict(extra="forbid")

    words: list[str]
    count: int = Field(ge=1, le=9)


def call(**changes: Any) -> Call[Sketch]:
    asked: dict[str, Any] = {
        "purpose": Purpose.PLAN,
        "targets": ("row_softmax",),
        "system": (Block(PREFIX, cached=True), Block("One sketch each.")),
        "prompt": "Sketch row_softmax.",
        "form": Sketch,
        "max_tokens": 2000,
        "run_id": "run-1",
    }
    return Call(**{**asked, **changes})


@dataclass
class Desk:
    """A client, its records, and the server that it talks to."""

    claude: AnthropicClaude
    records: Records
    server: StandIn
    waited: list[float]

    @property
    def rows(self) -> list[AttemptRow]:
        return self.records.ledger.attempts()

    @property
    def row(self) -> AttemptRow:
        (row,) = self.rows
        return row

    @property
    def asked(self) -> int:
        return self.server.tally.requests["POST /v1/messages"]

    def refused(self, asked: Call[Sketch] | None = None) -> UnansweredError:
        with pytest.raises(UnansweredError) as caught:
            self.claude.ask(asked or call())
        return caught.value


@contextmanager
def desk(
    folder: Path, behaviour: Behaviour | Ending, settings: ClaudeSettings | None = None
) -> Generator[Desk, None, None]:
    answered = behaviour if callable(behaviour) else in_turn(behaviour)
    waited: list[float] = []
    with serving(answered) as server:
        records = Records.open(str(folder / "records.db"), str(folder / "store"))
        claude = AnthropicClaude(
            records,
            settings or read_settings(),
            key=KEY,
            url=server.url,
            sleep=waited.append,
        )
        yield Desk(claude, records, server, waited)
        claude.close()
        records.close()


def with_budget(**limits: dict[str, float]) -> ClaudeSettings:
    settings = read_settings()
    changed = {name: Limit.model_validate(limit) for name, limit in limits.items()}
    return settings.model_copy(update={"budgets": settings.budgets.model_copy(update=changed)})


def assert_tally_is_the_ledger(at: Desk) -> None:
    charge, total = at.server.tally.total(), at.records.ledger.totals().claude
    assert (charge.fresh, charge.write, charge.write_1h, charge.read, charge.out) == (
        total.tokens_in,
        total.tokens_cache_write,
        total.tokens_cache_write_1h,
        total.tokens_cache_read,
        total.tokens_out,
    )
    assert charge.thinking == sum(row.tokens_thinking for row in at.rows)
