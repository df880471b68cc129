"""The server that steps are forked from: what it loads, and a start of it ahead of time."""

import multiprocessing
from multiprocessing import forkserver

from rocm_pipeline.home import Home

PRELOADED = ["rocm_pipeline.automation.step_server", "dagster._core.executor.multiprocess"]
"""The second is what Dagster would put before ours if it were not there."""


def start_server(home: Home) -> None:
    """Start it beside what the caller does next, for runs on `home`; Dagster then finds it there.

    Loading takes it about two seconds, as it takes the command itself.
    """
    home.enter_environment()
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    forkserver.ensure_running()
