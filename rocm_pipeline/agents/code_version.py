"""What the result of a stage depends on besides its inputs: its code, and who answers there."""

import hashlib
from functools import cache

from rocm_pipeline.agents.embedded import model_digest
from rocm_pipeline.fleet.hosts import find_config
from rocm_pipeline.home import Home, rounds
from rocm_pipeline.lab.harness_version import harness_sha256
from rocm_pipeline.planning.claude.settings import has_key, read_settings
from rocm_pipeline.versions import package_sha256

STAGE_PACKAGES: dict[str, tuple[str, ...]] = {
    "plan": ("lab", "planning", "quoting"),
    "test_suite": ("agents", "lab", "quoting"),
    "kernel_candidates": ("agents", "lab", "planning", "quoting"),
    "kernel": ("agents", "lab", "planning"),
    "reproduction": ("bundle", "lab"),
    "torch_op": ("agents", "integration", "lab", "quoting"),
    "benchmark": ("agents", "lab", "quoting"),
    "documentation": ("agents", "integration", "quoting", "reporting"),
    "cross_review": ("agents", "planning", "quoting"),
    "final_review": ("planning", "quoting"),
    "pull_request": ("bundle", "publishing", "reporting"),
    "report": ("bundle", "planning", "reporting"),
}
"""The packages whose code a stage's result depends on."""

_ASKING = (
    "test_suite", "kernel_candidates", "torch_op", "benchmark", "documentation", "cross_review",
)  # fmt: skip
_ASKING_CLAUDE = ("plan", "kernel_candidates", "final_review")


@cache
def code_version(stage: str) -> str:
    """Return what the stage's result depends on besides its inputs, as a short hash.

    The code of the packages it uses (prompts and harness included), and for a stage that asks
    agents who would answer: the configured hosts and their models, or the embedded agent; for one
    that asks Claude its settings, where there is a key. Reads files, never the network.
    """
    parts = [_code_of(package) for package in STAGE_PACKAGES[stage]]
    if stage in _ASKING:
        config = find_config(Home.from_environment().path)
        parts += [config.model_dump_json() if config else model_digest(), str(rounds())]
    if stage in _ASKING_CLAUDE and has_key():
        parts.append(read_settings(Home.from_environment().path).model_dump_json())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _code_of(package: str) -> str:
    # the lab judges by more than its own package: how targets and launch plans are read, too
    return harness_sha256() if package == "lab" else package_sha256(f"rocm_pipeline.{package}")
