"""The Dagster code location: every stage, gate and sensor of the pipeline, assembled."""

from collections.abc import Mapping

from rocm_pipeline.importing import WithoutCollector

with WithoutCollector():
    import dagster as dg

    from rocm_pipeline.assets import (
        benchmarks,
        docs,
        integrations,
        kernels,
        plan,
        provenance,
        pull_requests,
        reports,
        reproductions,
        reviews,
        sources,
        tests,
    )
    from rocm_pipeline.automation import alerts, commits, jobs, nights, schedules
    from rocm_pipeline.resources.production import production_resources

ASSETS = (
    sources.target,
    sources.repo_snapshot,
    plan.plan,
    tests.test_suite,
    kernels.kernel_candidates,
    kernels.kernel,
    reproductions.reproduction,
    integrations.torch_op,
    benchmarks.benchmark,
    docs.documentation,
    reviews.cross_review,
    reviews.final_review,
    pull_requests.pull_request,
    reports.report,
    provenance.agent_reply,
)


def assemble(
    resources: Mapping[str, object], executor: dg.ExecutorDefinition = jobs.executor
) -> dg.Definitions:
    """Return the pipeline over `resources`; reads and starts nothing."""
    return dg.Definitions(
        assets=ASSETS,
        jobs=[jobs.main_job],
        schedules=[schedules.nightly],
        sensors=[commits.commits, nights.nightly_reviews, alerts.alert_on_failure],
        resources=resources,
        executor=executor,
    )


defs = assemble(production_resources())
