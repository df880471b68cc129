"""What the fleet learns of its hosts."""

import pytest

from rocm_pipeline.fleet.estimates import (
    ASSUMED,
    WEIGHT,
    Learnt,
    Speeds,
    Timing,
)

USUAL = Timing(tokens_in=1_000, prompt_seconds=1.0, tokens_out=500, decode_seconds=10.0)
CODER, SMALL = "coder@1", "small@2"


def test_the_first_answer_replaces_what_was_assumed() -> None:
    speeds = Speeds()
    assert speeds.of("a", CODER) == ASSUMED
    speeds.observe("a", CODER, USUAL, was_loaded=True)
    speed = speeds.of("a", CODER)
    assert (speed.prompt_tps, speed.decode_tps) == pytest.approx((1_000, 50))
    assert speed.load_seconds == ASSUMED.load_seconds


def test_newer_answers_count_more_and_by_the_time_they_took() -> None:
    learnt = Learnt().after(USUAL, was_loaded=True)
    slower = Timing(tokens_in=1_000, prompt_seconds=4.0, tokens_out=500, decode_seconds=40.0)
    after = learnt.after(slower, was_loaded=True)
    expected = 1 / ((1 - WEIGHT) / 50 + WEIGHT / 12.5)
    assert after.decode_tps == pytest.approx(expected)
    assert after.answers == 2


def test_a_load_is_learnt_only_from_an_answer_that_waited_for_one() -> None:
    loading = Timing(1_000, 1.0, 500, 10.0, load_seconds=33.0)
    assert Learnt().after(loading, was_loaded=True).load_seconds is None
    assert Learnt().after(loading, was_loaded=False).load_seconds == 33.0


def test_an_answer_of_a_few_tokens_says_nothing_of_the_speed() -> None:
    assert Learnt().after(Timing(2, 0.5, 1, 3.0), was_loaded=True).decode_tps is None


def test_an_unseen_model_is_expected_as_fast_as_the_host_was_with_others() -> None:
    speeds = Speeds(
        {
            ("fast", CODER): Learnt(1_000, 60, 10),
            ("slow", CODER): Learnt(200, 15, 30),
            ("fast", SMALL): Learnt(2_000, 120, 5),
        }
    )
    guessed = speeds.of("slow", SMALL)
    assert guessed.decode_tps == pytest.approx(120 * 15 / 37.5)
    assert guessed.load_seconds == 5


@pytest.mark.parametrize("is_on_record", [False, True])
def test_what_was_guessed_is_guessed_anew_after_an_answer(is_on_record: bool) -> None:
    """A pair that was asked stands on record before its first answer."""
    speeds = Speeds()
    if is_on_record:
        speeds.put("a", CODER, Learnt())
    assert speeds.of("b", CODER) == ASSUMED
    speeds.observe("a", CODER, USUAL, was_loaded=True)
    assert speeds.of("b", CODER).decode_tps == pytest.approx(50)
