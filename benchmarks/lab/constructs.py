"""Every name that kernels may use, and whether the tests of what it means pass, at full size."""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

from benchmarks.figures import Figure, NotRun, Row
from benchmarks.trust import Report, read_report
from rocm_pipeline.lab.hip_names import hip_names

SUITES = {
    "what HIP means": "tests/lab/hip",
    "the emulator": "tests/lab/emulator",
    "seeded bugs for each finding, and honest twins": "tests/lab/checks",
}
_SECONDS = 1800
_ROOT = Path(__file__).parents[2]


def measure() -> list[Row]:
    """Count the names, and run the tests of each suite."""
    return [*names(), *(row for title, path in SUITES.items() for row in _suite(title, path))]


def names() -> list[Row]:
    """Return how many names the table of docs/hip.md has."""
    table = hip_names()
    refused = [name for each in table.refused for name in each.names]
    return [
        Figure("HIP names that kernels may use", len(table.offered()), ""),
        Figure("  builtins of the compiler beside them", len(table.offered_builtins()), ""),
        Figure("  names refused, with the reason", len(refused), ""),
    ]


def rows(title: str, report: Report) -> list[Row]:
    """Return how the tests of a suite ended."""
    ended: Counter[str] = report.endings
    return [
        Figure(f"tests of {title}, passed", ended["passed"], "", least=1),
        Figure("  failed", ended["failure"] + ended["error"], "", aim=0),
        Figure("  skipped", ended["skipped"], "", aim=0),
    ]


def _suite(title: str, path: str) -> list[Row]:
    if not (_ROOT / path).is_dir():
        return [NotRun(f"tests of {title}", f"there is no {path}")]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-n", "2", "--long", f"--junitxml={file}", path]
        subprocess.run(command, check=False, timeout=_SECONDS, cwd=_ROOT)
        if not file.is_file():
            return [NotRun(f"tests of {title}", "they did not come to their end: see above")]
        # our own pytest wrote it
        return rows(title, read_report(ElementTree.parse(file).getroot()))
