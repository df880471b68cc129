"""A small target of the user's own, judged once by the real harness, and its bundle."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.bundle.claims import Reproduction, Row
from rocm_pipeline.bundle.contents import Bundle
from rocm_pipeline.bundle.environment import environment
from rocm_pipeline.bundle.folder import write_folder
from rocm_pipeline.bundle.manifest import baseline_of
from rocm_pipeline.bundle.verify import verify
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.targets.spec import Target
from tests.fakes.values import (
    a_candidate,
    a_passing_evidence,
    a_small_target,
    a_target,
    an_environment,
)

Check = Callable[..., Reproduction]


@dataclass(frozen=True)
class Judged:
    """What one real judgement left."""

    target: Target
    targets: Path
    harness: Harness
    baseline: Evidence
    evidence: Evidence
    bundle: Bundle

    def judge(self, source: str) -> tuple[Candidate, Evidence]:
        candidate = self.bundle.candidate.model_copy(update={"source": source})
        return candidate, self.harness.judge(candidate, self.target, baseline=self.baseline)


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    try:
        return Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")


@pytest.fixture(scope="session")
def judged(sandbox: Sandbox, builds: Path, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    targets = tmp_path_factory.mktemp("targets")
    target = a_small_target(targets)
    harness = Harness(sandbox, builds)
    own = baseline_of(target)
    baseline = harness.judge(own, target)
    candidate = own.model_copy(update={"source": own.source + "// another kernel\n"})
    evidence = harness.judge(candidate, target, baseline=baseline)
    bundle = Bundle(
        target=target,
        candidate=candidate,
        evidence=evidence,
        baseline_evidence=baseline,
        exported_by=environment(sandbox, harness.toolchain.identity),
    )
    return Judged(target, targets, harness, baseline, evidence, bundle)


@pytest.fixture(scope="session")
def check(judged: Judged, tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Write a changed bundle, verify it, and return what was found; caches are shared."""
    cache = tmp_path_factory.mktemp("verification")
    folders = tmp_path_factory.mktemp("bundles")
    count = iter(range(1000))

    def run(*, whole: bool = False, targets: Path | None = None, **changes: Any) -> Reproduction:
        folder = folders / str(next(count))
        write_folder(folder, replace(judged.bundle, **changes).files())
        return verify(folder, cache, targets=targets or judged.targets, whole=whole)

    return run


def row(found: Reproduction, claim: str, *, about_baseline: bool = False) -> Row:
    (one,) = (r for r in found.rows if r.claim == claim and r.about_baseline == about_baseline)
    return one


@pytest.fixture
def paper() -> Bundle:
    """A bundle whose evidence is made up: enough for what only reads files."""
    target = a_target()
    candidate = a_candidate(target, "better")
    return Bundle(
        target=target,
        candidate=candidate,
        evidence=a_passing_evidence(target, candidate),
        baseline_evidence=a_passing_evidence(target, a_candidate(target), 1.0),
        exported_by=an_environment(),
    )
