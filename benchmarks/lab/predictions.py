"""What the model predicts against what was counted: published, and on a GPU of this machine."""

from benchmarks import prediction
from benchmarks.figures import NotRun, Row
from rocm_pipeline.lab.devices.discovery import find
from rocm_pipeline.lab.devices.model import Absent, Kind

ON_A_GPU = (
    "sectors and bank conflicts against a GPU's counters, 15 kernels",
    "rank correlation of predicted and measured times, 30 variants of 6 kernels",
)


def measure() -> list[Row]:
    """Return the rows against published counters, and why there are none against a GPU's."""
    return [*prediction.measure(), *(NotRun(what, why_not()) for what in ON_A_GPU)]


def why_not() -> str:
    """Say why nothing was compared with a GPU."""
    found = find(Kind.AMD)
    if isinstance(found, Absent):
        return f"no AMD GPU: {found.reason}"
    return "an AMD GPU is here, but reading its counters is not written"
