"""Containment of agent-written code."""

from rocm_pipeline.lab.sandbox.boxes import temporary_box
from rocm_pipeline.lab.sandbox.bubblewrap import Sandbox
from rocm_pipeline.lab.sandbox.model import Completed, Limits, SandboxUnavailable
from rocm_pipeline.lab.sandbox.results import ResultRefused, read_result

__all__ = [
    "Completed",
    "Limits",
    "ResultRefused",
    "Sandbox",
    "SandboxUnavailable",
    "read_result",
    "temporary_box",
]
