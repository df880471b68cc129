"""Cross review: a second model judges, under the rules that bind Claude, or rules alone do."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.agents.cross_review import CrossReviewer, measure_models
from rocm_pipeline.agents.embedded import MODEL, EmbeddedServer, model_digest
from rocm_pipeline.agents.outcome import Exchange
from rocm_pipeline.fleet.circuits import BackOff
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.planning.claude.judgement import Judgements
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.claude.review_prompt import review_instructions
from rocm_pipeline.planning.planted.library import planted_kernels
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.quoting.blocks import read_blocks
from rocm_pipeline.records.records import Records
from tests.fleet.ollama_server import Reply, Script, answers, serving

AUTHOR, OTHER = "qwen2.5-coder:7b", "llama3.1:8b"
PLENTY = 20_000


def submitted(name: str = "tree_in_lds") -> Submission:
    return next(kernel for kernel in planted_kernels() if kernel.name == name).submission()


def written_by(model: str, digest: str) -> Exchange:
    return Exchange(
        task_id="kernel_wide",
        role="kernel_dev",
        round=1,
        attempt_id="a-1",
        reply_id="r-1",
        model=model,
        model_digest=digest,
        host="http://alpha",
        prompt_sha256="0" * 64,
        seed=1,
        tokens_in=1,
        tokens_out=1,
    )


def said(verdict: str, *remarks: dict[str, str]) -> str:
    one: dict[str, Any] = {
        "kernel": submitted().candidate.id,
        "verdict": verdict,
        "architecture": remarks,
        "integration": [],
        "security": [],
        "upstream": [],
    }
    return json.dumps({"reviews": [one]})


SOON = BackOff(first=0.01, longest=0.1)


class Scene:
    """Records and a host with two models, which answers with `texts` in turn."""

    def __init__(self, stack: ExitStack, folder: Path, texts: Sequence[str]) -> None:
        self._texts = list(texts)
        self.records = Records.open(str(folder / "records.db"), str(folder / "store"))
        stack.callback(self.records.close)
        self.script = Script(self._behave, models={AUTHOR: "a" * 64, OTHER: "b" * 64})
        url = stack.enter_context(serving(self.script))
        self.fleet = Fleet(
            (Host(name="alpha", url=url),),
            self.records.journal,
            self.records.leases,
            back_off=SOON,
        )

    def _behave(self, wire: Reply, body: dict[str, Any]) -> None:
        if not self._texts:
            wire.whole(500, '{"error": "it hurts"}')
            return
        answers(self._texts.pop(0), prompt_eval_count=PLENTY)(wire, body)

    def review(self, author: Exchange | None, name: str = "tree_in_lds") -> Review:
        return CrossReviewer(self.fleet).review(submitted(name), author, plan_id="plan-1").review


@pytest.fixture
def scene(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(stack, tmp_path, getattr(request, "param", ()))


MAJOR = {"severity": "major", "message": "a tree is slow", "cites": "kernel.hip:14"}
INVENTED = MAJOR | {"cites": "kernel.hip:4000"}


@pytest.mark.parametrize(
    ("author", "judge"),
    [(written_by(AUTHOR, "a" * 64), OTHER), (written_by(OTHER, "b" * 64), AUTHOR)],
)
@pytest.mark.parametrize("scene", [(said("changes", MAJOR),)], indirect=True)
def test_another_model_than_the_authors_judges(scene: Scene, author: Exchange, judge: str) -> None:
    found = scene.review(author)
    assert (found.reviewer, found.verdict) == (f"rules and {judge}", Verdict.CHANGES)
    assert [f.cites for f in found.findings] == ["kernel.hip:14"]
    (chat,) = scene.script.chats
    assert chat["model"] == judge
    assert chat["format"] == Judgements.model_json_schema()
    assert chat["messages"][0]["content"] == review_instructions()
    (row,) = scene.records.ledger.attempts()
    assert (row.purpose, row.role, row.plan_id) == ("review", "reviewer", "plan-1")


@pytest.mark.parametrize("scene", [(said("approve"),)], indirect=True)
def test_the_attempt_is_told_and_an_equal_question_is_not_asked_again(scene: Scene) -> None:
    reviewer, author = CrossReviewer(scene.fleet), written_by(OTHER, "b" * 64)
    first = reviewer.review(submitted(), author)
    again = reviewer.review(submitted(), author)
    assert first == again
    assert first.attempt_id == scene.records.ledger.attempts()[0].attempt_id
    assert first.review.reviewer == f"rules and {AUTHOR}"
    assert len(scene.script.chats) == 1


@pytest.mark.parametrize(
    "scene", [(said("changes", INVENTED), said("changes", MAJOR))], indirect=True
)
def test_an_invented_citation_is_mended_by_the_model_that_made_it(scene: Scene) -> None:
    found = scene.review(written_by(AUTHOR, "a" * 64))
    assert found.verdict is Verdict.CHANGES
    assert [chat["model"] for chat in scene.script.chats] == [OTHER, OTHER]
    assert "kernel.hip has 40 lines" in scene.script.chats[1]["messages"][1]["content"]


@pytest.mark.parametrize(
    "scene",
    [(said("changes", INVENTED),) * 2, ("approve", "I approve"), ("{}", '{"reviews": []}')],
    indirect=True,
)
def test_what_stays_invalid_leaves_the_kernel_to_rules(scene: Scene) -> None:
    found = scene.review(written_by(AUTHOR, "a" * 64))
    assert (found.reviewer, found.verdict) == ("rules", Verdict.APPROVE)
    assert found.unasked == f"{OTHER}: invalid"
    assert len(scene.script.chats) == 2


def test_a_host_that_breaks_leaves_the_kernel_to_rules(scene: Scene) -> None:
    found = scene.review(written_by(AUTHOR, "a" * 64))
    assert found.unasked == "a second model: SERVER_ERROR"


@pytest.mark.parametrize("digest", ["a" * 64, "c" * 64])
def test_with_the_authors_model_alone_rules_judge_and_say_so(scene: Scene, digest: str) -> None:
    del scene.script.models[OTHER]
    found = scene.review(written_by(AUTHOR, digest))
    assert (found.reviewer, found.unasked) == (
        "rules",
        "no model in the fleet other than the author's",
    )
    assert scene.script.chats == []


def test_the_same_model_under_another_name_is_no_second_one(scene: Scene) -> None:
    del scene.script.models[OTHER]
    found = scene.review(written_by("my-fine-model", "a" * 64))
    assert found.reviewer == "rules"
    assert scene.script.chats == []


@pytest.mark.parametrize("author", [None, written_by(MODEL, model_digest())])
def test_the_embedded_agent_does_not_pretend_to_review(
    author: Exchange | None, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        records = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
        stack.callback(records.close)
        server = stack.enter_context(EmbeddedServer())
        host = Host(name="embedded", url=server.url, models=(MODEL,))
        reviewer = CrossReviewer(Fleet((host,), records.journal, records.leases))
        assert reviewer.models(author) == ()
        found = reviewer.review(submitted(), author).review
        assert records.ledger.attempts() == []
    assert (found.reviewer, found.verdict) == ("rules", Verdict.APPROVE)
    assert "no model in the fleet" in found.unasked


@pytest.mark.parametrize("scene", [(said("approve"),)], indirect=True)
def test_one_model_can_be_asked_for_by_name(scene: Scene) -> None:
    reviewer = CrossReviewer(scene.fleet, only=AUTHOR)
    assert reviewer.models(None) == (AUTHOR,)
    found = reviewer.review(submitted(), None).review
    assert found.reviewer == f"rules and {AUTHOR}"


def test_what_rules_hold_back_is_not_asked(scene: Scene) -> None:
    found = scene.review(written_by(AUTHOR, "a" * 64), "public_cases_only")
    assert (found.reviewer, found.verdict, found.unasked) == ("rules", Verdict.REJECT, "")
    assert scene.script.chats == []


def test_each_model_of_the_fleet_is_measured_by_itself(scene: Scene) -> None:
    def behave(wire: Reply, body: dict[str, Any]) -> None:
        facts = json.loads(read_blocks(body["messages"][1]["content"])["KERNEL 1 FACTS"])
        blocker = MAJOR | {"severity": "blocker", "cites": "kernel.hip:7"}
        is_strict = body["model"] == OTHER
        one = json.loads(said("reject" if is_strict else "approve"))["reviews"][0]
        one |= {"kernel": facts["kernel"], "security": [blocker] if is_strict else []}
        answers(json.dumps({"reviews": [one]}), prompt_eval_count=PLENTY)(wire, body)

    scene.script.behave = behave
    found = {each.reviewer: each for each in measure_models(scene.fleet, now=1.0)}
    strict, lenient = found[OTHER], found[AUTHOR]
    assert (strict.caught, strict.false_alarms) == ((16, 16), (8, 8))
    assert (lenient.caught, lenient.false_alarms) == ((0, 16), (0, 8))
    assert strict.unanswered == lenient.unanswered == 0
