"""Containment of agent-written code."""

from rocm_pipeline.lab.sandbox.arrays import plain_array, read_array
from rocm_pipeline.lab.sandbox.boxes import temporary_box
from rocm_pipeline.lab.sandbox.model import Completed, Limits, SandboxUnavailable
from rocm_pipeline.lab.sandbox.results import ResultRefused, read_json, read_result
from rocm_pipeline.lab.sandbox.sandbox import Sandbox

__all__ = [
    "Completed",
    "Limits",
    "ResultRefused",
    "Sandbox",
    "SandboxUnavailable",
    "plain_array",
    "read_array",
    "read_json",
    "read_result",
    "temporary_box",
]
