"""What each role must send back: the only files a reply of that role may hold."""

from collections.abc import Mapping
from dataclasses import dataclass

from rocm_pipeline.planning.plan import Role

KERNEL_FILE = "kernel.hip"
LAUNCH_PLAN_FILE = "launch_plan.json"
OPERATOR_FILE = "op.py"
ANALYSIS_FILE = "analysis.md"
DOCUMENTATION_FILE = "documentation.md"
CASES_FILE = "cases.json"


@dataclass(frozen=True)
class ExpectedFile:
    """A file of a reply; `language` tags its fence, `content` says what it is in a few words."""

    path: str
    language: str
    content: str


EXPECTED_FILES: Mapping[Role, tuple[ExpectedFile, ...]] = {
    Role.KERNEL_DEV: (
        ExpectedFile(KERNEL_FILE, "hip", "the whole device source"),
        ExpectedFile(LAUNCH_PLAN_FILE, "json", "the whole launch plan"),
    ),
    Role.PYTORCH_DEV: (ExpectedFile(OPERATOR_FILE, "python", "the whole operator module"),),
    Role.PROFILER: (ExpectedFile(ANALYSIS_FILE, "markdown", "the whole analysis"),),
    Role.DOCS_WRITER: (ExpectedFile(DOCUMENTATION_FILE, "markdown", "the whole document"),),
    Role.TESTER: (ExpectedFile(CASES_FILE, "json", "a list of cases"),),
}


def allowed_files(role: Role) -> frozenset[str]:
    """Return the file names that a reply of `role` may hold; it must hold them all."""
    return frozenset(file.path for file in EXPECTED_FILES[role])
