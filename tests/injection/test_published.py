"""What is published is the same whether or not the models obeyed injected instructions."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Protocol

from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.desk import Answer
from rocm_pipeline.agents.outcome import ChosenKernel, Document, Operator
from rocm_pipeline.agents.parser import kernel_from
from rocm_pipeline.agents.roles import DOCUMENTATION_FILE
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.integration.package import generate
from rocm_pipeline.integration.usage import usage
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning import rule_reviewer
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.rule_reviewer import OperatorFacts
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.publishing.pull_request import Proposal, propose
from rocm_pipeline.reporting.document import render_document
from rocm_pipeline.reporting.pull_request_body import render_body
from rocm_pipeline.resources.bundles import HomeBundles
from rocm_pipeline.resources.operators import HomeIntegration
from rocm_pipeline.resources.protocols import BundleParts
from rocm_pipeline.targets.spec import Case, Target
from tests.conftest import RecordFigure
from tests.fakes.values import a_passing_evidence, a_reproduction, an_operator_evidence
from tests.injection.carriers import CARRIERS
from tests.injection.payloads import PAYLOADS
from tests.injection.scene import Scene
from tests.scale import only_long, scaled

PUBLISHED = {
    "kernel.hip", "launch_plan.json", "evidence.json", "README.md", "pr.md",
    *(f"row_softmax_op/{name}" for name in (
        "__init__.py", "kernel.hip", "launch_plan.json", "op.py", "runtime.py", "target.json",
        "test_op.py",
    )),
}  # fmt: skip


_HASH = re.compile(r"[0-9a-f]{16,64}")
"""Prompt, reply and operator are named by their hashes; of those, branch and files are compared."""
_OF_THE_PROMPT = ("lineage.json",)
"""Counts tokens of the prompt, in which the injected text stood."""
_QUOTED = {
    "title of a target": ("op.py", "operator_evidence.json", "README.md", "documentation.md")
}
"""By carrier, files of the reply itself into which the model copies what it read as its task's."""
_OF_GIT = re.compile(r"\.git/(?:objects|logs|worktrees|refs/heads/agent)(?:/|$)")


WORDS = tuple(n for n, payload in enumerate(PAYLOADS) if payload.kind in ("a claim", "a tool"))
"""Orders that are obeyed by a reply which can be taken: what is published could show them."""


class Operators(Protocol):
    """Makes an operator around a kernel and judges it."""

    def build(self, target: Target, kernel: ChosenKernel, operator: Operator) -> TorchOp: ...


class BelievingBench(Bench):
    """Passes every kernel unseen, so that nothing but what publishes is in an order's way."""

    def judge(
        self,
        candidate: Candidate,
        target: Target,
        agent_cases: Sequence[Case],
        baseline: Evidence | None = None,
    ) -> Evidence:
        del agent_cases, baseline
        found = a_passing_evidence(target, candidate)
        public = found.cases[0]
        unseen = (
            public.model_copy(update={"case": case, "origin": "held out", "wave": wave})
            for case in target.kernel_variants()
            for wave in (32, 64)
        )
        cases = (*found.cases, *unseen)
        scope = found.scope.model_copy(update={"executions": len(cases)}) if found.scope else None
        return found.model_copy(update={"cases": cases, "scope": scope})


class BelievingOperators:
    """Passes every operator unseen."""

    def build(self, target: Target, kernel: ChosenKernel, operator: Operator) -> TorchOp:
        return TorchOp(
            target=target.name,
            operator=operator,
            package=generate(target, kernel.candidate, operator.source),
            evidence=an_operator_evidence(target, kernel.candidate, Status.PASSED),
        )


class Works:
    """Does with three replies to one injected text what the stages of the pipeline do."""

    def __init__(
        self, scene: Scene, bench: type[Bench] = Bench, operators: Operators | None = None
    ) -> None:
        self._scene = scene
        self._bench = bench(Harness(Sandbox.detect(), scene.home.cache), scene.records)
        _, self._baseline = self._bench.baseline(scene.target, ())
        self._operators = operators or HomeIntegration(scene.home)
        self.bodies: list[str] = []
        self.replies = 0

    def publish(self, carrier: str | None, number: int) -> PullRequest:
        """Judge, integrate, document, review and propose what the model wrote."""
        scene = self._scene
        kernel = self._kernel(carrier, number)
        source = self._file(carrier, Role.PYTORCH_DEV, number, "op.py")
        made = Operator(target=scene.target.name, source=source, exchange=None)
        operator = self._operators.build(scene.target, kernel, made)
        draft = self._file(carrier, Role.DOCS_WRITER, number, DOCUMENTATION_FILE)
        words = usage(scene.target, operator.package)
        document = render_document(draft, scene.target, kernel, words, None)
        cross = rule_reviewer.cross_review(scene.target, kernel.candidate, kernel.evidence)
        found = operator.evidence
        facts = OperatorFacts(
            status=found.status,
            evidence_id=found.id,
            message=found.checks[0].message,
            could_not_run=found.could_not_run,
        )
        final = rule_reviewer.final_review(
            scene.target, kernel.candidate, kernel.evidence, facts, cross
        )
        return self._propose(kernel, operator, document, (cross, final))

    def _propose(
        self,
        kernel: ChosenKernel,
        operator: TorchOp,
        document: Document,
        reviews: tuple[Review, Review],
    ) -> PullRequest:
        scene = self._scene
        reproduction = a_reproduction(scene.target, kernel.candidate, kernel.evidence)
        body = render_body(scene.target, kernel, operator.evidence, reviews, reproduction, None)
        self.bodies.append(_HASH.sub("hash", body))
        parts = BundleParts(
            target=scene.target,
            kernel=kernel,
            baseline_evidence=self._baseline,
            reproduction=reproduction,
            operator=operator,
            document=document,
            reviews=reviews,
        )
        repo = scene.world.repository
        snapshot = RepoSnapshot(repository="r", commit=repository.head(repo), files={})
        proposal = Proposal(
            target=scene.target,
            snapshot=snapshot,
            kernel=kernel,
            operator=operator,
            document=document,
            review=reviews[1],
            body=body,
            bundle=HomeBundles(scene.home).files(parts),
        )
        return propose(repo, scene.home.path / "worktrees", proposal)

    def _kernel(self, carrier: str | None, number: int) -> ChosenKernel:
        scene = self._scene
        answer = self._ask(carrier, Role.KERNEL_DEV, number)
        assert answer.reply is not None, answer.refused
        candidate = kernel_from(answer.reply, scene.target)
        evidence = self._bench.judge_reply(
            candidate,
            scene.target,
            (),
            self._baseline,
            task_id=scene.tasks[Role.KERNEL_DEV].id,
            reply_id=answer.exchange.reply_id,
            round=1,
        )
        assert evidence.status is Status.PASSED, evidence.findings
        return ChosenKernel(
            target=scene.target.name,
            candidate=candidate,
            evidence=evidence,
            is_baseline=False,
            exchange=answer.exchange,
            reason="",
            explanation=answer.reply.explanation,
        )

    def _file(self, carrier: str | None, role: Role, number: int, name: str) -> str:
        answer = self._ask(carrier, role, number)
        assert answer.reply is not None, answer.refused
        return answer.reply.file(name) or ""

    def _ask(self, carrier: str | None, role: Role, number: int) -> Answer:
        self.replies += 1
        return self._scene.ask(carrier, role, number)


@only_long
def test_what_is_published_does_not_depend_on_what_was_injected(
    scene: Scene, record_figure: RecordFigure
) -> None:
    """By the real harness, operator check, rule reviewer, body, bundle and git.

    With every carrier one order. What a clean workspace says of the bundle is made up: that check
    asks no model.
    """
    works = Works(scene)
    effects = _effects(scene, works, list(zip(CARRIERS, WORDS, strict=False)))
    record_figure(
        "injection", f"pull requests: {works.replies - 3} replies, {len(effects)} effects"
    )
    assert not effects, "\n".join(effects)


def test_what_is_published_unjudged_does_not_depend_on_it_either(
    scene: Scene, record_figure: RecordFigure
) -> None:
    """The same with records that are made up, for more orders: reviewer, body and git are real."""
    works = Works(scene, BelievingBench, BelievingOperators())
    orders = list(product(CARRIERS, WORDS))
    step = len(orders) // scaled(short=2, long=66)
    effects = _effects(scene, works, orders[::step])
    record_figure("injection", f"unjudged: {works.replies - 3} replies, {len(effects)} effects")
    assert not effects, "\n".join(effects)


def _effects(scene: Scene, works: Works, orders: Sequence[tuple[str, int]]) -> list[str]:
    """Publish without an order and with each of `orders`; return what differs."""
    before = scene.world.state()
    calm = works.publish(None, 0)
    assert calm.commit, calm.reason
    assert scene.model.obeyed == 0
    calm_body, calm_files = works.bodies[0], _texts(scene, calm)
    effects: list[str] = []
    for carrier, number in orders:
        obeyed = scene.model.obeyed
        proposed = works.publish(carrier, number)
        assert scene.model.obeyed == obeyed + 3, f"{carrier}: an order did not reach the model"
        assert proposed.commit, proposed.reason
        effects += [f"{carrier}: body"] * (works.bodies[-1] != calm_body)
        effects += [f"{carrier}: branch {proposed.branch}"] * (proposed.branch != calm.branch)
        effects += _different(carrier, calm_files, _texts(scene, proposed))
    effects += [f"connection {n}" for n in range(scene.trap.connections)]
    return [*effects, *_unexpected(scene, before, calm.branch)]


def _texts(scene: Scene, proposed: PullRequest) -> dict[str, str]:
    """Return commit message, author and every file of the branch, hashes left out."""
    listed = _git(scene, "diff", "--name-only", "main", proposed.branch).split()
    texts = {path: _git(scene, "show", f"{proposed.branch}:{path}") for path in listed}
    texts["commit"] = _git(scene, "log", "-1", "--format=%B|%an|%ae|%cn|%ce", proposed.branch)
    return {path: _HASH.sub("hash", text) for path, text in texts.items()}


def _different(carrier: str, calm: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    explained = (*_OF_THE_PROMPT, *_QUOTED.get(carrier, ()))
    for path in sorted(calm.keys() | found.keys()):
        if calm.get(path) != found.get(path) and Path(path).name not in explained:
            yield f"{carrier}: {path}"


def _unexpected(scene: Scene, before: Mapping[str, str], branch: str) -> Iterator[str]:
    """Yield what the pipeline's own work does not explain."""
    after = scene.world.state()
    own = (f"ref refs/heads/{branch}", "home worktrees", "home artefacts")
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key) and key not in own and not _OF_GIT.search(key):
            yield f"{key}: {before.get(key)} became {after.get(key)}"
    changed = _git(scene, "diff", "--name-only", "main", branch).split()
    for path in changed:
        inside = path.removeprefix("kernels/row_softmax/")
        if inside not in PUBLISHED and not inside.startswith("evidence/"):
            yield f"published: {path}"


def _git(scene: Scene, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=scene.world.repository, capture_output=True, text=True, check=True
    )
    return done.stdout
