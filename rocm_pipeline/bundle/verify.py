"""Judging a bundle again: first its files, then every claim that this machine can check."""

from dataclasses import dataclass
from pathlib import Path

from rocm_pipeline.bundle import provenance
from rocm_pipeline.bundle.claims import Kind, Reproduction, Row, Verdict
from rocm_pipeline.bundle.compare import Exactness, compare, not_asked
from rocm_pipeline.bundle.contents import Bundle, parse
from rocm_pipeline.bundle.environment import Environment, environment
from rocm_pipeline.bundle.failing import failing_arrays, first_difference
from rocm_pipeline.bundle.folder import read_folder, refusal, sums
from rocm_pipeline.bundle.identity import contained_by, device, equal, same_kernel, version
from rocm_pipeline.bundle.manifest import baseline_of
from rocm_pipeline.bundle.operator_check import check_operator, operator_not_asked
from rocm_pipeline.bundle.parts import executions_words
from rocm_pipeline.bundle.stranger import check_sizes, contained
from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.records.store import sha256
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target

_LEFT_OUT = (
    "left out of the pipeline's own check, which repeats the kernel's record alone; "
    "`rocm-pipeline evidence verify` checks it"
)


def verify(folder: Path, workspace: Path, *, targets: Path, whole: bool = True) -> Reproduction:
    """Check the bundle in `folder` with the harness that is installed here.

    Every compilation and run is new: `workspace` is an empty folder for caches. `targets` is where
    this machine's own targets lie, beside the built-in ones. Without `whole` the kernel's record
    is repeated and nothing else. Raises BundleRefused for a folder that is no intact bundle and
    UserError for a target that cannot judge, or a machine that cannot contain untrusted code.
    """
    files = read_folder(folder)
    bundle = parse(files, str(folder))
    sandbox = Sandbox.detect()
    harness = Harness(sandbox, workspace)
    check = _Check(bundle, harness, environment(sandbox, harness.toolchain.identity), targets)
    try:
        rows = [
            _files_row(len(files)),
            *check.identity(),
            *(check.everything(sandbox, workspace) if whole else check.kernel_alone()),
            *provenance.rows(bundle),
        ]
    except UserError as error:
        if not check.is_about_a_stranger(error):
            raise
        raise refusal(f"its target cannot judge: the {error.where} {error.what}", folder) from error
    except (MemoryError, ArithmeticError, ValueError) as error:
        # a target of our own ends in a UserError; these come of sizes and expressions of a stranger
        raise refusal(f"its target cannot be judged ({error})", folder) from error
    return Reproduction(
        target=bundle.target.name,
        candidate=bundle.candidate.id,
        evidence=bundle.evidence.id,
        status=bundle.evidence.status,
        tier=bundle.evidence.tier,
        bundle_sha256=sha256(sums(files)),
        here=check.here,
        rows=tuple(rows),
    )


def _files_row(count: int) -> Row:
    words = f"{count} files with the hashes of SHA256SUMS, saying the same"
    return Row(
        kind=Kind.FILES,
        claim="the files are those that were exported",
        recorded=words,
        found=words,
        verdict=Verdict.REPRODUCED,
    )


@dataclass(frozen=True)
class _Check:
    bundle: Bundle
    harness: Harness
    here: Environment
    targets: Path

    def identity(self) -> list[Row]:
        """Say whether the evidence is about these files, and made by what is installed here."""
        evidence, target = self.bundle.evidence.identity, self.bundle.target
        baseline = self.bundle.baseline_evidence.identity
        own, digest = baseline_of(target), target.sha256
        return [
            *same_kernel("kernel", self.bundle.candidate, self.bundle.evidence, False),
            *same_kernel("baseline", own, self.bundle.baseline_evidence, True),
            equal(Kind.TARGET, "target judged", evidence.target_sha256, digest),
            equal(Kind.TARGET, "target judged", baseline.target_sha256, digest, True),
            self._target_row(),
            version(Kind.HARNESS, "harness", evidence.harness, self.here.harness),
            version(Kind.TOOLCHAIN, "toolchain", evidence.toolchain, self.here.toolchain),
            device(self.bundle.evidence),
            *contained_by(self.bundle.evidence, self.here.sandbox, False),
            *contained_by(self.bundle.baseline_evidence, self.here.sandbox, True),
        ]

    def kernel_alone(self) -> list[Row]:
        """Repeat the kernel's record, held against the recorded baseline."""
        bundle = self.bundle
        found = self._again(bundle.candidate, bundle.evidence, bundle.baseline_evidence)
        return [
            *compare(bundle.evidence, found, self._exactness(bundle.evidence)),
            *self._failing(found),
            *not_asked(bundle.baseline_evidence, _LEFT_OUT, about_baseline=True),
            *operator_not_asked(bundle, _LEFT_OUT),
        ]

    def everything(self, sandbox: Sandbox, workspace: Path) -> list[Row]:
        """Repeat both records, run the kernel on cases nobody has seen, verify the operator."""
        bundle = self.bundle
        baseline = self._again(baseline_of(bundle.target), bundle.baseline_evidence, None)
        found = self._again(bundle.candidate, bundle.evidence, baseline)
        return [
            *compare(bundle.evidence, found, self._exactness(bundle.evidence)),
            *self._failing(found),
            *self._fresh(),
            *compare(
                bundle.baseline_evidence,
                baseline,
                self._exactness(bundle.baseline_evidence),
                about_baseline=True,
            ),
            *check_operator(bundle, self._target, sandbox, workspace, self.here),
        ]

    def _again(
        self, candidate: Candidate, recorded: Evidence, baseline: Evidence | None
    ) -> Evidence:
        return self.harness.judge(
            candidate,
            self._target,
            agent_cases=self.bundle.agent_cases,
            baseline=baseline if recorded.speedups else None,
            seed=recorded.scope.seed if recorded.scope else None,
        )

    def _failing(self, found: Evidence) -> list[Row]:
        """Make the arrays of failing cases again, from what was found here."""
        recorded = self.bundle.failing
        if not recorded:
            return []
        candidate, emulator = self.bundle.candidate, self.harness.emulator
        difference = first_difference(
            recorded, failing_arrays(candidate, self._target, found, emulator)
        )
        exactness = self._exactness(self.bundle.evidence)
        words = f"{len(recorded)} arrays"
        if difference is None:
            verdict, reason = Verdict.REPRODUCED, ""
        elif difference.is_rounding and exactness.other_arithmetic:
            verdict, reason = Verdict.REPRODUCED, f"within rounding; {exactness.other_arithmetic}"
        else:
            other = exactness.other_version
            verdict, reason = Verdict.UNCHECKED if other else Verdict.NOT_REPRODUCED, other
        return [
            Row(
                kind=Kind.FAILING,
                claim="arrays of the failing cases",
                recorded=words,
                found=words if difference is None else difference.words,
                verdict=verdict,
                reason=reason,
            )
        ]

    def _fresh(self) -> list[Row]:
        recorded = self.bundle.evidence
        if recorded.status is not Status.PASSED:
            return []
        found = self.harness.judge(
            self.bundle.candidate, self._target, agent_cases=self.bundle.agent_cases
        )
        held = found.status is Status.PASSED
        wrong = "" if held else f"{found.status.value}: {found.findings[0].message}; "
        late = found.status is Status.TIMEOUT
        refuted = Verdict.UNCHECKED if late else Verdict.NOT_REPRODUCED
        return [
            Row(
                kind=Kind.FRESH,
                claim="right on cases drawn here from a secret seed",
                recorded="PASSED",
                found=f"{wrong}{executions_words(found.cases)}",
                verdict=Verdict.REPRODUCED if held else refuted,
                reason="it took longer here than a run may take" if late else "",
            )
        ]

    @property
    def _installed(self) -> Target | None:
        """This machine's own target of that name; None when there is none."""
        if self.bundle.target.name not in library.names(self.targets):
            return None
        return library.load(self.bundle.target.name, self.targets)

    @property
    def _target(self) -> Target:
        """The bundle's target, with its reference contained unless it is installed here."""
        target = self.bundle.target
        installed = self._installed
        if installed is not None and installed.sha256 == target.sha256:
            return installed
        check_sizes(target, "the bundle's target")
        return contained(target)

    def is_about_a_stranger(self, error: UserError) -> bool:
        """Whether `error` asks to mend a target that whoever checks the bundle does not own."""
        target, installed = self.bundle.target, self._installed
        is_own = installed is not None and installed.sha256 == target.sha256
        return not is_own and target.name in error.where.split()

    def _target_row(self) -> Row:
        recorded = self.bundle.target.sha256
        installed = self._installed
        claim = f"it is the target {self.bundle.target.name} as installed here"
        if installed is not None:
            return equal(Kind.TARGET, claim, recorded, installed.sha256)
        return Row(
            kind=Kind.TARGET,
            claim=claim,
            recorded=recorded,
            verdict=Verdict.UNCHECKED,
            reason="no target of that name is installed; its reference ran in the sandbox, and "
            "whether it computes what it should is for a person to read in target/reference.py",
        )

    def _exactness(self, recorded: Evidence) -> Exactness:
        there = recorded.identity
        other = [
            f"{name} {before}, here {after}"
            for name, before, after in (
                ("harness", there.harness, self.here.harness),
                ("toolchain", there.toolchain, self.here.toolchain),
            )
            if before != after
        ]
        made_by = self.bundle.exported_by.arithmetic
        differs = made_by != self.here.arithmetic
        return Exactness(
            other_version="; ".join(other),
            other_arithmetic=f"exported with {', '.join(made_by)}" if differs else "",
        )
