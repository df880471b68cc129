"""Cross review: a second model of the fleet judges a kernel that another one wrote.

It gets the packet, the rules for citations and the form of answer that Claude gets for the final
review. Rules judge first and what they hold back is not asked; the model can only be stricter. The
embedded agent is no language model and is never asked.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from rocm_pipeline.agents.embedded import MODEL
from rocm_pipeline.agents.outcome import Exchange
from rocm_pipeline.fleet.chat import (
    ChatFailedError,
    ChatReply,
    ChatRequest,
    NoHostError,
    NoModelError,
)
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.planning import rule_reviewer
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
from rocm_pipeline.planning.claude.reviewer import Reviewed
from rocm_pipeline.planning.planted.measure import Measurement, measure
from rocm_pipeline.planning.review import Review, Verdict

ROLE = "reviewer"
PURPOSE = "review"
MAX_TOKENS = 3_000
_NOBODY_ELSE = "no model in the fleet other than the author's"
_NO_HOST = "no host of the fleet answers"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Attempt:
    """An answer, and the review that it gives or what is wrong with it."""

    reply: ChatReply
    review: Review | None
    wrong: str = ""


class CrossReviewer:
    """Asks a model of the fleet that is not the author's; `only` names the one model to ask."""

    def __init__(self, fleet: Fleet, *, only: str = "") -> None:
        self._fleet = fleet
        self._only = only

    def models(self, author: Exchange | None) -> tuple[str, ...]:
        """Return who may review what `author` wrote, best first; empty when rules judge alone.

        Without an author, as for a baseline, any language model may.
        """
        barred = _authors(author)
        models = (model for model in self._fleet.models_for(ROLE) if model not in barred)
        return tuple(model for model in models if self._only in ("", model))

    def review(
        self, submission: Submission, author: Exchange | None, *, plan_id: str | None = None
    ) -> Reviewed:
        """Return a cross review: rules and a second model, or rules alone and why."""
        rules = rule_reviewer.cross_review(
            submission.target, submission.candidate, submission.evidence
        )
        if rules.verdict is not Verdict.APPROVE:
            return Reviewed(rules)
        packet = packet_of(submission)
        if packet.missing:
            return _alone(rules, f"not asked, {'; '.join(packet.missing)}")
        try:
            return self._asked(rules, packet, author, plan_id)
        except NoModelError:
            return _alone(rules, _NOBODY_ELSE)
        except NoHostError:
            return _alone(rules, _NO_HOST)
        except ChatFailedError as error:
            _log.warning("no cross review of %s: %s", packet.kernel, error)
            outcome = error.failures[-1].outcome.value if error.failures else "no answer"
            return _alone(rules, f"{self._only or 'a second model'}: {outcome}")

    def _asked(
        self, rules: Review, packet: Packet, author: Exchange | None, plan_id: str | None
    ) -> Reviewed:
        barred = _authors(author)
        if self._only:
            others = (model for model in self._fleet.models_for(ROLE) if model != self._only)
            barred |= set(others)
        first = self._attempt(rules, packet, barred, review_request([packet]), plan_id, 1)
        if first.review is not None:
            return Reviewed(first.review, first.reply.attempt_id)
        # mended by whoever gave the answer
        others = (model for model in self._fleet.models_for(ROLE) if model != first.reply.model)
        prompt = repair_request([packet], first.reply.text, first.wrong)
        second = self._attempt(rules, packet, barred | set(others), prompt, plan_id, 2)
        if second.review is not None:
            return Reviewed(second.review, second.reply.attempt_id)
        _log.warning("the cross review by %s is invalid: %s", second.reply.model, second.wrong)
        return _alone(rules, f"{second.reply.model}: invalid")

    def _attempt(
        self,
        rules: Review,
        packet: Packet,
        barred: set[str],
        prompt: str,
        plan_id: str | None,
        round: int,
    ) -> _Attempt:
        request = ChatRequest(
            role=ROLE,
            target=packet.target,
            plan_id=plan_id,
            purpose=PURPOSE,
            round=round,
            system=review_instructions(),
            prompt=prompt,
            seed=_seed(packet.kernel, round),
            max_tokens=MAX_TOKENS,
            format=Judgements.model_json_schema(),
        )
        reply = self._fleet.chat(request, exclude_models=barred)
        try:
            judgements = Judgements.model_validate_json(reply.text.strip())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            return _Attempt(reply, None, f"{where}: {first['msg']}")
        valid, wrong = sort_out(judgements, [packet])
        if wrong:
            return _Attempt(reply, None, in_words(wrong))
        judgement = valid[packet.kernel]
        return _Attempt(reply, joined(rules, judgement, packet, reply.model))


def measure_models(fleet: Fleet, *, now: float) -> list[Measurement]:
    """Have each model that may review judge the planted kernels; `now` is in seconds, UTC."""
    return [_measured(fleet, model, now) for model in CrossReviewer(fleet).models(None)]


def _measured(fleet: Fleet, model: str, now: float) -> Measurement:
    reviewer = CrossReviewer(fleet, only=model)

    def review_all(given: Sequence[Submission]) -> list[Review]:
        bare = (replace(each, operator=None, cross=None) for each in given)
        return [reviewer.review(each, None).review for each in bare]

    return measure(model, "cross", review_all, now=now)


def _authors(author: Exchange | None) -> set[str]:
    """Return the names and digests that may not review: the author's, and the embedded agent's."""
    return {MODEL} | ({author.model, author.model_digest} if author else set())


def _alone(rules: Review, why: str) -> Reviewed:
    return Reviewed(by_rules_alone(rules, why))


def _seed(kernel: str, round: int) -> int:
    digest = hashlib.sha256(f"{kernel}/{ROLE}/{round}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
