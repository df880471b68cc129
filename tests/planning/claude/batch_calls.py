"""What the tests of batches share: small questions, and the parts that put them."""

from functools import partial
from pathlib import Path

import anthropic
from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.admission import admission
from rocm_pipeline.planning.claude.batches import Batches, Patience
from rocm_pipeline.planning.claude.call import Block, Call, Purpose
from rocm_pipeline.planning.claude.settings import ClaudeSettings, read_settings
from rocm_pipeline.records.records import Records
from tests.standins.claude import KEY, Request

QUICK = Patience(first_pause=0.01, longest_pause=0.02, deadline=5.0, grace=0.05)


class Echo(BaseModel):
    """The form of every answer."""

    model_config = ConfigDict(extra="forbid")

    said: str


def question(
    prompt: str, *, system: str = "Repeat what is said.", max_tokens: int = 64
) -> Call[Echo]:
    return Call(
        purpose=Purpose.REVIEW,
        targets=("row_softmax",),
        system=(Block(system, cached=True),),
        prompt=prompt,
        form=Echo,
        max_tokens=max_tokens,
    )


def echo(request: Request) -> str:
    return Echo(said=request.prompt).model_dump_json()


def records_in(folder: Path) -> Records:
    return Records.open(str(folder / "records.db"), str(folder / "store"))


def batches_of(
    records: Records,
    url: str,
    *,
    settings: ClaudeSettings | None = None,
    patience: Patience = QUICK,
) -> Batches:
    settings = settings or read_settings()
    client = anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, timeout=5)
    return Batches(
        client,
        records,
        settings,
        host=url,
        admission=partial(admission, settings=settings),
        patience=patience,
    )
