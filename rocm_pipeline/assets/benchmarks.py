"""How fast the chosen kernel is beside the baseline."""

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.provenance import replied
from rocm_pipeline.assets.stage import OWNERS, Results, gate, result
from rocm_pipeline.assets.tables import benchmark_table, speedup_text
from rocm_pipeline.lab.benchmark import Benchmark, compare
from rocm_pipeline.planning.plan import Plan, TaskType
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.resources.instance import GPU_POOL
from rocm_pipeline.resources.protocols import Workshop
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="benchmarks",
    owners=OWNERS,
    kinds={"ollama", "rocm"},
    code_version=code_version("benchmark"),
    pool=GPU_POOL,
    check_specs=[
        gate(
            "benchmark",
            "not_slower_than_baseline",
            "No estimate puts the kernel below the baseline; a warning where the range does.",
            blocking=False,
        )
    ],
)
def benchmark(
    workshop: dg.ResourceParam[Workshop],
    target: Target,
    plan: Plan,
    repo_snapshot: RepoSnapshot,
    kernel: ChosenKernel,
    kernel_candidates: CandidateSet,
) -> Results[Benchmark]:
    """Kernel and baseline by one estimator, per architecture and case, with an analysis."""
    (task,) = plan.tasks_for(TaskType.PERFORMANCE_ANALYSIS)
    analysis = workshop.analyse(target, plan, task, kernel, repo_snapshot)
    if analysis.exchange:
        said = f"refused: {analysis.refused}" if analysis.refused else "analysis taken"
        yield replied(target.name, analysis.exchange, said)
    found = compare(
        kernel.candidate,
        kernel.evidence,
        kernel_candidates.baseline_evidence,
        analysis=analysis.text,
        analysis_refused=analysis.refused,
    )
    yield result(
        found,
        {
            "figures": benchmark_table(found),
            "speedup_estimate": speedup_text(found.speedups) or "none",
            "device": f"{found.device_status.value} {found.device_reason}".strip(),
            "bottlenecks": list(found.bottlenecks),
        },
        [gates.not_slower_than_baseline(found, is_baseline=kernel.is_baseline)],
    )
