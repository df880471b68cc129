"""Equal questions that are put at the same moment are paid once."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rocm_pipeline.planning.claude.call import Reason, UnansweredError
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.settings import read_settings
from tests.planning.claude.batch_calls import echo, question, records_in
from tests.standins.claude import KEY, says, serving

QUESTIONS = 12
ASKERS = 4


def test_a_question_whose_equal_is_under_way_waits_for_it_and_is_not_paid_again(
    tmp_path: Path,
) -> None:
    with serving(says(echo)) as server:
        claude = AnthropicClaude(records_in(tmp_path), read_settings(), key=KEY, url=server.url)

        def ask(number: int) -> str | Reason:
            # apart by about as long as an answer takes, so that the second one overtakes it
            time.sleep(0.01 * (number % ASKERS))
            try:
                return claude.ask(question(f"call {number // ASKERS}")).value.said
            except UnansweredError as unanswered:
                return unanswered.reason

        with ThreadPoolExecutor(ASKERS) as pool:
            came = list(pool.map(ask, range(QUESTIONS * ASKERS)))
    for number in range(QUESTIONS):
        equal = set(came[number * ASKERS : (number + 1) * ASKERS])
        assert equal == {f"call {number}"}
    assert (len(server.tally.charged), server.tally.duplicates) == (QUESTIONS, 0)
