"""Claude as the final reviewer of kernels that passed every machine gate.

Rules judge first, and what they hold back is not sent: Claude could only agree. So Claude's
findings are added to theirs and can make a verdict stricter, never milder. Wherever Claude gives no
usable answer the rules' review stands, and says why.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rocm_pipeline.planning import rule_reviewer
from rocm_pipeline.planning.claude.call import (
    Answer,
    Block,
    Call,
    Claude,
    Purpose,
    Reason,
    UnansweredError,
)
from rocm_pipeline.planning.claude.judgement import (
    Judgements,
    by_rules_alone,
    in_words,
    joined,
    sort_out,
)
from rocm_pipeline.planning.claude.packet import Packet, Submission, packet_of
from rocm_pipeline.planning.claude.review_prompt import (
    repair_request,
    review_instructions,
    review_request,
)
from rocm_pipeline.planning.claude.shared import (
    ASKED_ALONE_AFTER,
    Questions,
    SharedQuestion,
    key_of,
)
from rocm_pipeline.planning.review import Review, Verdict

MAX_KERNELS = 6
"""In one call."""
MAX_CHARACTERS = 120_000
"""Of the packets of one call, unless it holds a single one."""
MAX_TOKENS = 8_000
"""Of one answer, thought included."""
OF_BASELINE = "Claude: not asked, no kernel of an agent is better than the baseline"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reviewed:
    """A review and the attempt whose answer it holds; None where rules judged alone."""

    review: Review
    attempt_id: str | None = None


@dataclass(frozen=True)
class _Case:
    """A kernel that Claude is to be asked about; `place` is its submission's."""

    place: int
    rules: Review
    packet: Packet


class ClaudeReviewer:
    """Gives final reviews, several kernels in one call."""

    def __init__(
        self,
        claude: Claude,
        *,
        plan_id: str | None = None,
        run_id: str | None = None,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self._claude = claude
        self._max_tokens = max_tokens
        self._plan_id = plan_id
        self._run_id = run_id

    def review(
        self, submissions: Sequence[Submission], *, may_wait: bool = False
    ) -> list[Reviewed]:
        """Return a final review of each submission, in their order.

        Every submission needs `operator` and `cross` (ValueError). With `may_wait` the calls go
        out together at the price of a batch.
        """
        found: dict[int, Reviewed] = {}
        cases: list[_Case] = []
        for place, submission in enumerate(submissions):
            sorted_out = _case(place, submission)
            if isinstance(sorted_out, Reviewed):
                found[place] = sorted_out
            else:
                cases.append(sorted_out)
        groups = list(_groups(cases))
        for group, answer in zip(groups, self._answers(groups, may_wait), strict=True):
            found |= self._settled(group, answer)
        return [found[place] for place in range(len(submissions))]

    def review_together(
        self,
        submission: Submission,
        beside: Sequence[Submission],
        questions: Questions,
        *,
        may_wait: bool = False,
    ) -> Reviewed:
        """Review one kernel by a question about it and those of `beside` not yet asked about.

        Whoever reviews one of these next finds the question, and its answer in the records. Where
        it brings nothing for this kernel alone, the kernel is asked about by itself.
        """
        own = _case(0, submission)
        if isinstance(own, Reviewed):
            return own
        cases = {self._key(own): own}
        for place, other in enumerate(beside, start=1):
            case = _case(place, other)
            if isinstance(case, _Case):
                cases.setdefault(self._key(case), case)
        text = questions.question(
            self._key(own),
            tuple(cases),
            lambda keys: _question([cases[key] for key in keys]).kept,
        )
        asked = SharedQuestion.model_validate_json(text)
        if asked.is_shared:
            call = replace(self._call((own,), asked.prompt), targets=asked.targets)
            answer = self._put(call, may_wait)
            is_useless = isinstance(answer, UnansweredError) and answer.reason in ASKED_ALONE_AFTER
            if not is_useless:
                return self._settled((own,), answer)[own.place]
        (answer,) = self._answers([(own,)], may_wait)
        return self._settled((own,), answer)[own.place]

    def _key(self, case: _Case) -> str:
        return key_of(self._call((case,), review_request([case.packet])))

    def _put(self, call: Call[Judgements], may_wait: bool) -> Answer[Judgements] | UnansweredError:
        return self._claude.ask_all([call])[0] if may_wait else self._asked(call)

    def _answers(
        self, groups: Sequence[Sequence[_Case]], may_wait: bool
    ) -> list[Answer[Judgements] | UnansweredError]:
        calls = [
            self._call(group, review_request([case.packet for case in group])) for group in groups
        ]
        if may_wait and calls:
            return self._claude.ask_all(calls)
        return [self._asked(call) for call in calls]

    def _asked(self, call: Call[Judgements]) -> Answer[Judgements] | UnansweredError:
        try:
            return self._claude.ask(call)
        except UnansweredError as error:
            return error

    def _settled(
        self, group: Sequence[_Case], answer: Answer[Judgements] | UnansweredError
    ) -> dict[int, Reviewed]:
        """Take what is valid, ask once more for the rest, and leave to rules what remains."""
        found, wrong = _taken(group, answer)
        left = [case for case in group if case.packet.kernel in wrong]
        if left and _can_be_mended(answer):
            packets = [case.packet for case in left]
            text = answer.text
            call = self._call(left, repair_request(packets, text, in_words(wrong)), round=2)
            answer = self._asked(call)
            mended, wrong = _taken(left, answer)
            found |= mended
        for case in left:
            if case.place not in found:
                why = answer.reason if isinstance(answer, UnansweredError) else Reason.INVALID
                # without a key that is how it is meant to be
                level = logging.INFO if why is Reason.NO_KEY else logging.WARNING
                _log.log(level, "rules alone judge %s", in_words(wrong))
                review = by_rules_alone(case.rules, f"Claude: {why.value}")
                found[case.place] = Reviewed(review)
        return found

    def _call(self, group: Sequence[_Case], prompt: str, round: int = 1) -> Call[Judgements]:
        return Call(
            purpose=Purpose.REVIEW,
            targets=tuple(dict.fromkeys(case.packet.target for case in group)),
            system=(Block(review_instructions(), cached=True),),
            prompt=prompt,
            form=Judgements,
            max_tokens=self._max_tokens,
            plan_id=self._plan_id,
            run_id=self._run_id,
            round=round,
        )


def _case(place: int, submission: Submission) -> _Case | Reviewed:
    """Return what Claude is to be asked about a submission, or the review of rules alone."""
    rules = rules_review(submission)
    if submission.is_baseline:
        # whatever is said of it, nothing can be proposed: not worth a paid call
        return Reviewed(by_rules_alone(rules, OF_BASELINE))
    packet = packet_of(submission)
    if rules.verdict is not Verdict.APPROVE:
        return Reviewed(rules)
    if packet.missing:
        why = f"Claude: not asked, {'; '.join(packet.missing)}"
        return Reviewed(by_rules_alone(rules, why))
    return _Case(place, rules, packet)


def _question(cases: Sequence[_Case]) -> SharedQuestion:
    """Return the question about the first of `cases` and as many others as have room beside it."""
    group = next(_groups(cases))
    packets = [case.packet for case in group]
    return SharedQuestion(
        subjects=tuple(packet.kernel for packet in packets),
        targets=tuple(dict.fromkeys(packet.target for packet in packets)),
        prompt=review_request(packets),
    )


def rules_review(submission: Submission) -> Review:
    """Return the rules' final review; ValueError without what a final review needs."""
    if submission.operator is None or submission.cross is None:
        raise ValueError("a final review needs the operator's record and the cross review")
    return rule_reviewer.final_review(
        submission.target,
        submission.candidate,
        submission.evidence,
        submission.operator,
        submission.cross,
    )


def _groups(cases: Sequence[_Case]) -> Iterator[tuple[_Case, ...]]:
    """Yield the cases call by call: as many in each as its bounds allow, and no kernel twice."""
    group: list[_Case] = []
    size = 0
    for case in cases:
        length = len(review_request([case.packet]))
        is_there = any(other.packet.kernel == case.packet.kernel for other in group)
        is_full = len(group) == MAX_KERNELS or size + length > MAX_CHARACTERS
        if group and (is_there or is_full):
            yield tuple(group)
            group, size = [], 0
        group.append(case)
        size += length
    if group:
        yield tuple(group)


def _taken(
    group: Sequence[_Case], answer: Answer[Judgements] | UnansweredError
) -> tuple[dict[int, Reviewed], dict[str, str]]:
    """Return the reviews that an answer gives, and by kernel why there is none."""
    if isinstance(answer, UnansweredError):
        return {}, {case.packet.kernel: str(answer) for case in group}
    valid, wrong = sort_out(answer.value, [case.packet for case in group])
    found = {
        case.place: Reviewed(
            joined(case.rules, valid[case.packet.kernel], case.packet, answer.model),
            answer.attempt_id,
        )
        for case in group
        if case.packet.kernel in valid
    }
    return found, wrong


def _can_be_mended(answer: Answer[Judgements] | UnansweredError) -> bool:
    """Only an answer in words can be mended; one that is missing is not asked for again."""
    if isinstance(answer, UnansweredError):
        return answer.reason is Reason.INVALID and bool(answer.text)
    return True
