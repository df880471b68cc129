"""A Dagster code location with fakes for agents and harness, over the home of the environment."""

from rocm_pipeline.automation import jobs
from rocm_pipeline.definitions import assemble
from rocm_pipeline.home import Home
from rocm_pipeline.resources.production import production_resources
from tests.fakes.pipeline import FakePipeline

_fakes = FakePipeline(Home.from_environment()).resources()
_real = production_resources()

defs = assemble(
    {
        **_fakes,
        **{name: _real[name] for name in ("home", "sources", "history", "io_manager")},
    },
    jobs.executor,
)
