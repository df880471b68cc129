"""How blocks share a prompt's room, and what is shown of one that is too long."""

import pytest

from rocm_pipeline.planning.claude.fitting import (
    LEAST,
    OVERHEAD,
    Piece,
    fit,
    fit_in_turn,
    fit_together,
    shares,
)
from rocm_pipeline.quoting.blocks import Block
from rocm_pipeline.quoting.untrusted import untrusted


def piece(lines: int, width: int = 29) -> Piece:
    """Return a file of so many lines; at the usual width each of them is ten tokens."""
    text = "\n".join(f"{n:<{width}}" for n in range(lines))
    return Piece(Block("FILE 1", "", untrusted(text)), "a.hip", "a.hip")


@pytest.mark.parametrize(
    ("costs", "room", "given"),
    [
        ([10, 20], 100, [10, 20]),
        ([10, 500, 500], 110, [10, 50, 50]),
        ([500, 10, 30], 100, [60, 10, 30]),
        ([5, 5], 0, [0, 0]),
        ([5], -1, [0]),
        ([], 10, []),
    ],
)
def test_nobody_who_needs_little_is_cut_for_one_who_needs_much(
    costs: list[int], room: int, given: list[int]
) -> None:
    assert shares(costs, room) == given


def test_a_long_file_is_cut_at_a_line_and_says_how_many_follow() -> None:
    found = fit(piece(100), 200)
    assert found.block
    *lines, note = found.block.content.text.split("\n")
    assert [int(line) for line in lines] == list(range(len(lines)))
    assert len(lines) >= 10
    assert note == f"[... lines not shown: {100 - len(lines)}]"
    assert found.cost <= 200


def test_a_line_that_is_too_long_itself_is_cut_where_the_room_ends() -> None:
    found = fit(piece(1, 5000), 200)
    assert found.block
    assert "more characters are not shown" in found.block.content.text
    assert found.cost <= 200


def test_of_what_would_be_almost_nothing_nothing_is_shown() -> None:
    assert fit(piece(100), LEAST).block is not None
    found = fit(piece(100), LEAST - 1)
    assert (found.block, found.cost) == (None, 0)
    assert found.words == f"a.hip: {piece(100).cost} tokens, more than the {LEAST - 1} left"
    assert fit(piece(1), LEAST - 1).block == piece(1).block


def test_the_last_go_without_where_not_all_would_have_enough() -> None:
    found = fit_together([piece(100)] * 5, 3 * LEAST)
    assert [each.block is not None for each in found] == [True, True, True, False, False]
    assert sum(each.cost for each in found) <= 3 * LEAST
    assert [each.block for each in fit_together([piece(100)], 5)] == [None]


def test_in_turn_each_has_what_is_left() -> None:
    room = piece(5).cost + LEAST + OVERHEAD
    found = fit_in_turn([piece(5), piece(50), piece(50)], room)
    first, second, third = (each.block for each in found)
    assert first == piece(5).block
    assert second is not None
    assert third is None
    assert sum(each.cost for each in found) <= room
