"""A pipeline of fakes and a Dagster instance in memory."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from rocm_pipeline.definitions import ASSETS
from rocm_pipeline.home import Home
from tests.fakes.pipeline import FakePipeline

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
TARGET = "row_softmax"


class Bench:
    """Runs the whole job, or some stages of it, on fakes in this process."""

    def __init__(self, pipeline: FakePipeline, instance: dg.DagsterInstance) -> None:
        self.pipeline = pipeline
        self.instance = instance

    def run(self, *stages: str, target: str = TARGET) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            ASSETS,
            selection=list(stages) or None,
            instance=self.instance,
            partition_key=target,
            resources=self.pipeline.resources(),
            run_config=QUIET,
            raise_on_error=False,
        )


@contextmanager
def on_fakes(folder: Path) -> Generator[Bench, None, None]:
    home = Home(folder)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("target", [TARGET, "flash_attention"])
        yield Bench(FakePipeline(home), instance)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with on_fakes(tmp_path) as bench:
        yield bench
