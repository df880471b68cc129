"""A model that obeys every injected instruction changes nothing outside its own reply."""

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.desk import Answer, Desk
from rocm_pipeline.agents.outcome import ChosenKernel, Document, Operator
from rocm_pipeline.agents.parser import ReplyError, kernel_from, parse
from rocm_pipeline.agents.roles import DOCUMENTATION_FILE, allowed_files
from rocm_pipeline.fleet.hosts import Host
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.home import Home
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.integration.package import generate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.planning.plan import Role, Task
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing import repository
from rocm_pipeline.publishing.example import ensure_example
from rocm_pipeline.publishing.pull_request import Proposal, propose
from rocm_pipeline.records.records import Records
from rocm_pipeline.redaction import process as redaction
from rocm_pipeline.redaction.redactor import Redactor
from rocm_pipeline.reporting.document import render_document
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target
from tests.conftest import RecordFigure
from tests.fakes.values import an_operator_evidence
from tests.fleet.ollama_server import Script, serving
from tests.injection.carriers import CARRIERS
from tests.injection.obedient import ObedientModel
from tests.injection.payloads import CANARY, PAYLOADS, order
from tests.injection.watching import Trap, World
from tests.scale import scaled

STEP = len(PAYLOADS) // scaled(short=20, long=100)
"""Every so many payloads are tried; with --long all of them."""


@dataclass
class Scene:
    """A desk whose model obeys, in a world that is watched."""

    desk: Desk
    records: Records
    home: Home
    world: World
    target: Target
    tasks: dict[Role, Task]
    model: ObedientModel
    trap: Trap
    host: tuple[str, int]

    def ask(self, carrier: str, role: Role, number: int) -> Answer:
        brief = Brief(target=self.target, task=self.tasks[role])
        infected = CARRIERS[carrier](brief, order(number))
        return self.desk.ask(infected, plan_id="plan-1")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("INJECTED_TEST_TOKEN", CANARY)
    monkeypatch.setattr(redaction, "_State", type("State", (), {"redactor": Redactor()}))
    redaction.learn(os.environ)
    home = Home(tmp_path / "home")
    home.create()
    ensure_example(tmp_path / "repository")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious.txt").write_text("precious")
    monkeypatch.chdir(tmp_path / "outside")
    target = library.load("row_softmax", tmp_path)
    trap = Trap()
    model = ObedientModel(trap.url)
    records = Records.open(home.records_url, str(home.store))
    with serving(Script(model)) as url:
        fleet = Fleet((Host(name="obedient", url=url),), records.journal)
        fleet.survey(require=True)
        tasks = {task.role: task for task in make_plan(target, "c0ffee", ()).tasks}
        parts = urlsplit(url)
        yield Scene(
            desk=Desk(fleet, records),
            records=records,
            home=home,
            world=World(tmp_path / "outside", tmp_path / "repository", home.path),
            target=target,
            tasks=tasks,
            model=model,
            trap=trap,
            host=(str(parts.hostname), int(parts.port or 0)),
        )
    records.close()
    trap.close()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_obeying_changes_nothing_outside_the_reply(
    scene: Scene, carrier: str, record_figure: RecordFigure
) -> None:
    taken = refused = 0
    numbers = range(0, len(PAYLOADS), STEP)
    with scene.world.watched(scene.host):
        for number, role in zip(numbers, cycle(Role), strict=False):
            answer = scene.ask(carrier, role, number)
            if answer.reply is None:
                refused += 1
                assert "\n" not in answer.refused
                continue
            taken += 1
            names = {file.path for file in answer.reply.files}
            assert names <= allowed_files(role)
    assert scene.model.obeyed >= len(numbers), "the order did not reach the model"
    assert scene.trap.connections == 0
    assert taken
    assert refused
    assert CANARY not in "".join(scene.model.hears)
    _require_no_canary(scene.home.path)
    effects = scene.world.effects
    record_figure("injection", f"{carrier}: {len(numbers)} replies, {len(effects)} effects")
    assert effects == []


def _require_no_canary(folder: Path) -> None:
    spelled = (CANARY, CANARY[::-1], CANARY.encode().hex(), " ".join(CANARY))
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            assert not [s for s in spelled if s.lower().encode() in content], path


PUBLISHED = {
    "kernel.hip", "launch_plan.json", "evidence.json", "README.md", "pr.md",
    *(f"row_softmax_op/{name}" for name in (
        "__init__.py", "kernel.hip", "launch_plan.json", "op.py", "runtime.py", "target.json",
        "test_op.py",
    )),
}  # fmt: skip


def test_what_is_published_does_not_depend_on_what_was_injected(
    scene: Scene, record_figure: RecordFigure
) -> None:
    """Each carrier's kernel is really judged, integrated, documented and put on a branch."""
    harness = Harness(Sandbox.detect(), scene.home.cache)
    bench = Bench(harness, scene.records)
    _, baseline = bench.baseline(scene.target, ())
    claims = [n for n, payload in enumerate(PAYLOADS) if payload.kind in ("a claim", "a tool")]
    refs: set[str] = set()
    for number, carrier in zip(claims, CARRIERS, strict=False):
        answer = scene.ask(carrier, Role.KERNEL_DEV, number)
        reply = answer.reply
        assert reply is not None
        candidate = kernel_from(reply, scene.target)
        evidence = bench.judge_reply(
            candidate,
            scene.target,
            (),
            baseline,
            task_id="kernel",
            reply_id=answer.exchange.reply_id,
            round=1,
        )
        assert evidence.status is Status.PASSED, evidence.findings
        kernel = ChosenKernel(
            target=scene.target.name,
            candidate=candidate,
            evidence=evidence,
            is_baseline=False,
            exchange=None,
            reason="",
            explanation=reply.explanation,
        )
        operator_reply = scene.ask(carrier, Role.PYTORCH_DEV, number).reply
        prose = scene.ask(carrier, Role.DOCS_WRITER, number).reply
        document = render_document(
            (prose.file(DOCUMENTATION_FILE) or "") if prose else "",
            scene.target,
            kernel,
            "usage",
            None,
        )
        source = (operator_reply.file("op.py") or "") if operator_reply else ""
        refs.add(_publish(scene, kernel, document, source, evidence))
    assert scene.trap.connections == 0
    (branch,) = refs
    listed = _git(scene, "for-each-ref", "--format=%(refname)").split()
    assert sorted(listed) == [f"refs/heads/{branch}", "refs/heads/main"]
    changed = _git(scene, "diff", "--name-only", "main", branch).split()
    assert {path.removeprefix("kernels/row_softmax/") for path in changed} <= PUBLISHED
    subject = _git(scene, "log", "-1", "--format=%s|%an|%ae", branch).strip()
    candidate_id = f"k-{branch.rsplit('-', 1)[1]}"
    assert subject == f"row_softmax: kernel {candidate_id}|rocm_pipeline|rocm_pipeline@localhost"
    record_figure("injection", f"pull requests: {len(CARRIERS)} replies, 0 effects")


def _publish(
    scene: Scene, kernel: ChosenKernel, document: Document, source: str, evidence: Evidence
) -> str:
    operator = TorchOp(
        target=scene.target.name,
        operator=Operator(target=scene.target.name, source=source, exchange=None),
        package=generate(scene.target, kernel.candidate, source) if source else None,
        evidence=an_operator_evidence(scene.target, kernel.candidate),
    )
    review = Review(
        subject=kernel.candidate.id,
        reviewer="rules",
        kind="final",
        verdict=Verdict.APPROVE,
        findings=(),
        evidence_ids=(evidence.id,),
    )
    repo = scene.world.repository
    snapshot = RepoSnapshot(repository="r", commit=repository.head(repo), files={})
    proposal = Proposal(
        scene.target, snapshot, kernel, operator, document, review, body="from evidence"
    )
    proposed = propose(repo, scene.home.path / "worktrees", proposal)
    assert proposed.commit, proposed.reason
    assert proposed.body == "from evidence"
    return proposed.branch


def _git(scene: Scene, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=scene.world.repository, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_without_the_allow_list_the_watcher_sees_the_files(scene: Scene) -> None:
    """The control: the same reply, taken by a reader without our guards, has effects."""
    number = next(n for n, p in enumerate(PAYLOADS) if "AGENTS.md" in p.files)
    answer = scene.ask("repository file", Role.KERNEL_DEV, number)
    assert answer.reply is None
    assert "AGENTS.md" in answer.refused
    text = _last_text(scene)
    with pytest.raises(ReplyError):
        parse(text, allowed_files(Role.KERNEL_DEV))
    with scene.world.watched():
        name = text.split("### FILE: ")[-1].split("\n")[0]
        (scene.world.repository / name).write_text("owned")
    assert any("AGENTS.md" in effect for effect in scene.world.effects)


def test_the_watcher_sees_each_kind_of_effect(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control for everything else that the watcher is relied on for."""
    with scene.world.watched():
        subprocess.run(["git", "branch", "agent/owned"], cwd=scene.world.repository, check=True)
        with pytest.raises((OSError, HTTPException)):
            urllib.request.urlopen(scene.trap.url, timeout=2)
        monkeypatch.setenv("OWNED", "1")
        (scene.home.path / "hooks").mkdir()
        (scene.world.outside / "escaped.txt").write_text("x")
    seen = "\n".join(scene.world.effects)
    for sign in ("agent/owned", "connection:", "process:", "OWNED", "hooks", "escaped.txt"):
        assert sign in seen
    assert scene.trap.connections == 1


def _last_text(scene: Scene) -> str:
    (attempt,) = scene.records.ledger.attempts()
    assert attempt.reply_sha256 is not None
    return scene.records.store.get_text(attempt.reply_sha256)
