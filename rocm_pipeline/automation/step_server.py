"""Preloaded by the server that steps are forked from, and imported by nobody else.

It puts the server, and so every step and Dagster's own helpers of a step, in a process group of
their own: a Ctrl-C of the terminal reaches the command alone, which ends its steps in order.

A step's process then has everything loaded, which makes it ten times cheaper to start: the storages
alone take a second of CPU each time. The garbage collector does not look at what is loaded, now or
in a step, where that would copy its pages.
"""

import contextlib
import importlib
import os
import sys

from rocm_pipeline.automation.full_disk import WithoutFullDisk
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.importing import WithoutCollector
from rocm_pipeline.planning.claude.settings import take_key

_LOADED = (
    "dagster._core.executor.multiprocess",
    "dagster._core.storage.runs",
    "dagster._core.storage.event_log",
    "dagster._core.storage.schedules",
    "dagster._core.storage.alembic",
    "rocm_pipeline.definitions",
)

os.setpgrp()
sys.stderr = WithoutFullDisk(Home.from_environment(), sys.stderr)
# steps hold it in memory, and nothing that they start inherits it
take_key()
# bad settings are told by the command, which loads the same
with contextlib.suppress(UserError), WithoutCollector():
    for _name in _LOADED:
        importlib.import_module(_name)
