"""How fast the chosen kernel is beside the baseline: what is estimated, what was measured."""

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Estimate, Evidence, Speedup, Status, Tier


class Benchmark(BaseModel):
    """Both kernels by one estimator, per architecture and timing case.

    Every figure but those of a `PASSED` device is an estimate and is labelled so where it is shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    kernel_id: str
    evidence_id: str
    speedups: tuple[Speedup, ...]
    baseline_estimates: tuple[Estimate, ...]
    candidate_estimates: tuple[Estimate, ...]
    bottlenecks: tuple[str, ...]
    """What limits the kernel anywhere, without repeats."""
    device_status: Status
    device_reason: str = ""
    """Why nothing was measured on a device; empty when something was."""
    analysis: str
    """The profiling agent's text; its figures are placeholders filled from evidence."""
    analysis_refused: str = ""

    @property
    def speedup_range(self) -> tuple[float, float] | None:
        """Lowest and highest estimate over all architectures and cases; None without any."""
        if not self.speedups:
            return None
        return min(s.low for s in self.speedups), max(s.high for s in self.speedups)


def compare(
    candidate: Candidate,
    evidence: Evidence,
    baseline_evidence: Evidence,
    *,
    analysis: str,
    analysis_refused: str,
) -> Benchmark:
    """Put the chosen kernel beside the baseline that the same harness judged."""
    ran = evidence.tier is not None and evidence.tier >= Tier.T3
    measured = ran and evidence.status is Status.PASSED
    return Benchmark(
        target=candidate.target,
        kernel_id=candidate.id,
        evidence_id=evidence.id,
        speedups=evidence.speedups,
        baseline_estimates=baseline_evidence.estimates,
        candidate_estimates=evidence.estimates,
        bottlenecks=tuple(dict.fromkeys(e.bottleneck for e in evidence.estimates)),
        device_status=Status.PASSED if measured else Status.NOT_RUN,
        device_reason=""
        if measured
        else "the pipeline measures on no device yet; see `rocm-pipeline device`",
        analysis=analysis,
        analysis_refused=analysis_refused,
    )
