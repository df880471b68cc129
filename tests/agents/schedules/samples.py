"""Families with their built-in targets, and a sample of each one's schedules."""

import random
from pathlib import Path

from rocm_pipeline.agents.schedules.model import Family, Schedule
from rocm_pipeline.agents.schedules.search import schedules_of
from rocm_pipeline.targets.library import load
from rocm_pipeline.targets.spec import Target
from tests.scale import scaled

TARGETS = {
    "row_softmax": "row_softmax",
    "attention_forward": "flash_attention",
    "upsample_conv_silu": "vae_decoder_block",
}
SAMPLE = scaled(short=12, long=30)


def builtin(name: str) -> Target:
    return load(TARGETS[name], Path("/nowhere"))


def sample(family: Family) -> list[Schedule]:
    """The starts and a seeded draw from the legal space, `SAMPLE` in all."""
    starts = list(family.starts.values())
    rest = [s for s in schedules_of(family, builtin(family.name)) if s not in starts]
    return starts + random.Random(5).sample(rest, SAMPLE - len(starts))
