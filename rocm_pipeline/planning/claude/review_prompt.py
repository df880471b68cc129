"""The prompts of a review: the same for Claude and for a second model of the fleet."""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from rocm_pipeline.planning.claude.packet import Packet
from rocm_pipeline.planning.claude.question import question
from rocm_pipeline.quoting.blocks import Block
from rocm_pipeline.quoting.untrusted import untrusted

MAX_EARLIER = 20_000
"""Characters of an answer that is to be mended."""


@cache
def review_instructions() -> str:
    """Return what every reviewer is told; it never changes, so that it is cached once."""
    return files("rocm_pipeline.planning.claude").joinpath("prompts/review.md").read_text()


def review_request(packets: Sequence[Packet]) -> str:
    """Ask for a review of each packet's kernel."""
    return question(tuple(_blocks(packets)), f"Review each of the {len(packets)} kernels above.")


def repair_request(packets: Sequence[Packet], answer: str, words: str) -> str:
    """Ask again for kernels whose review was invalid, with the words of the check."""
    blocks = (
        *_blocks(packets),
        Block("EARLIER ANSWER", "json", untrusted(answer, MAX_EARLIER)),
        Block("WHAT IS WRONG WITH IT", "", untrusted(words, MAX_EARLIER)),
    )
    return question(
        blocks,
        f"Your earlier answer could not be taken, for the reasons above. Review each of the "
        f"{len(packets)} kernels above again; cite only what their packets hold.",
    )


def _blocks(packets: Sequence[Packet]) -> Iterator[Block]:
    for number, packet in enumerate(packets, start=1):
        yield from packet.blocks(number)
