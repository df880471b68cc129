"""Every planted cheat, by the number of the catalogue; docs/cheats.md shows it as a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.cheats import harness_cheats, replies, target_cheats
from tests.cheats.harness_cheats import HarnessCheat
from tests.cheats.hip import escape, machine, numerics, output, places, surroundings, timing
from tests.cheats.hip.kernels import HipCheat
from tests.cheats.python.catalogue import NUMBERS as PYTHON
from tests.cheats.replies import ReplyCheat
from tests.cheats.target_cheats import TargetCheat

HIP: tuple[HipCheat, ...] = (
    *output.CHEATS,
    *numerics.CHEATS,
    *timing.CHEATS,
    *places.CHEATS,
    *surroundings.CHEATS,
    *machine.CHEATS,
    *escape.CHEATS,
)
REPLIES: tuple[ReplyCheat, ...] = replies.CHEATS
HARNESS: tuple[HarnessCheat, ...] = harness_cheats.CHEATS
TARGETS: tuple[TargetCheat, ...] = target_cheats.CHEATS


@dataclass(frozen=True)
class Elsewhere:
    """A test of another folder that shows how an entry is met."""

    number: int
    file: str
    test: str


ELSEWHERE: tuple[Elsewhere, ...] = (
    Elsewhere(16, "tests/lab/emulator/test_findings.py",
              "test_a_planted_defect_is_found_on_its_line_for_its_reason"),
    Elsewhere(33, "tests/lab/sandbox/test_attacks.py",
              "test_calls_by_another_number_system_kill_the_caller"),
    Elsewhere(35, "tests/lab/test_static_check.py",
              "test_the_build_of_another_source_is_a_cheat"),
    Elsewhere(38, "tests/reporting/test_numbers.py",
              "test_a_number_without_a_source_is_found"),
    Elsewhere(38, "tests/assets/test_pipeline.py",
              "test_a_document_with_a_number_of_its_own_stops_the_pull_request"),
    Elsewhere(40, "tests/mutation/test_aggregator.py",
              "test_a_meaningless_figure_gives_no_score"),
    Elsewhere(41, "tests/agents/test_prompts.py",
              "test_injected_delimiters_stay_inside_their_block"),
    Elsewhere(41, "tests/injection/test_published.py",
              "test_what_is_published_does_not_depend_on_what_was_injected"),
    Elsewhere(42, "tests/planning/test_rule_reviewer.py",
              "test_every_remark_cites_the_evidence_or_a_line"),
    Elsewhere(42, "tests/mutation/test_review_model.py",
              "test_an_approval_holds_no_blocker_and_cites_evidence"),
    Elsewhere(42, "tests/agents/test_cross_review.py",
              "test_another_model_than_the_authors_judges"),
    Elsewhere(42, "tests/agents/test_cross_review.py",
              "test_with_the_authors_model_alone_rules_judge_and_say_so"),
    Elsewhere(42, "tests/agents/test_cross_review.py",
              "test_the_same_model_under_another_name_is_no_second_one"),
    Elsewhere(43, "tests/cheats/test_hip.py", "test_an_honest_kernel_passes"),
)  # fmt: skip


def planted(number: int) -> Mapping[str, int]:
    """How often an entry is planted, by where; Python counts as one, its table is its own."""
    counts = {
        "HIP": sum(cheat.number == number for cheat in HIP),
        "reply": sum(cheat.number == number for cheat in REPLIES),
        "harness": sum(cheat.number == number for cheat in HARNESS),
        "target": sum(cheat.number == number for cheat in TARGETS),
        "Python": int(number in PYTHON),
        "elsewhere": sum(entry.number == number for entry in ELSEWHERE),
    }
    return {where: count for where, count in counts.items() if count}
