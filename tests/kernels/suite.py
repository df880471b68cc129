"""HIP kernels of many families, each with bugs that people really write.

One folder a kernel, `<family>/<name>/`: the files of `rocm-pipeline verify`, and `bug.json`, single
replacements in the kernel, each a bug with the status that it must get. The kernel as it stands
must pass; its twin with a bug must not.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from rocm_pipeline.lab.case_files import CASE, KERNEL, read_case_files
from rocm_pipeline.lab.evidence import NOT_FAILED, Status
from rocm_pipeline.lab.verification import Verdict, verify

BUG, ARCHITECTURES = "bug.json", "architectures.json"
SEED = 20
"""All runs of the suite draw the same sizes and values."""
DEFAULT_ARCHITECTURES = ("gfx942", "gfx1100")
"""One of wave 64 and one of wave 32; `architectures.json` names others for other builtins."""
ROOT = Path(__file__).parent


class Bug(BaseModel):
    """One mistake: the text `was` of the kernel becomes `becomes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    was: str = Field(min_length=1)
    becomes: str
    status: Status
    """What the verdict must say."""
    why: str = Field(min_length=1)
    """What a person gets wrong, in one line."""

    @model_validator(mode="after")
    def _is_a_bug(self) -> "Bug":
        if self.status in NOT_FAILED:
            raise ValueError(f"{self.status.value} is no status of a bug")
        if self.was == self.becomes:
            raise ValueError("the bug changes nothing")
        return self


_BUGS = TypeAdapter[Bug | tuple[Bug, ...]](Bug | tuple[Bug, ...])
_NAMES = TypeAdapter(tuple[str, ...])


@dataclass(frozen=True)
class SuiteKernel:
    """A folder of the suite."""

    folder: Path

    @property
    def name(self) -> str:
        return f"{self.family}/{self.folder.name}"

    @property
    def family(self) -> str:
        return self.folder.parent.name

    @property
    def source(self) -> str:
        return (self.folder / KERNEL).read_text(encoding="utf-8")

    @property
    def has_own_sizes(self) -> bool:
        """Whether the harness may choose sizes of its own."""
        return read_case_files(self.folder).case.extra_cases

    @property
    def bugs(self) -> tuple[Bug, ...]:
        found = _BUGS.validate_json((self.folder / BUG).read_text(encoding="utf-8"))
        return (found,) if isinstance(found, Bug) else found

    @property
    def architectures(self) -> tuple[str, ...]:
        """What the kernel is compiled for."""
        path = self.folder / ARCHITECTURES
        if not path.exists():
            return DEFAULT_ARCHITECTURES
        return _NAMES.validate_json(path.read_text(encoding="utf-8"))

    def copied(self, place: Path, *, bug: Bug | None = None, own_sizes: bool = True) -> Path:
        """Copy the folder to `place`, with `bug` in its kernel.

        Without `own_sizes` only the sizes of `case.json` are run, not the harness's own.
        """
        shutil.copytree(self.folder, place)
        if bug is not None:
            text = self.source.replace(bug.was, bug.becomes, 1)
            (place / KERNEL).write_text(text, encoding="utf-8")
        if not own_sizes:
            case = json.loads((place / CASE).read_text(encoding="utf-8"))
            text = json.dumps({**case, "extra_cases": False})
            (place / CASE).write_text(text, encoding="utf-8")
        return place


def suite() -> tuple[SuiteKernel, ...]:
    """Return all kernels, in the order of their names."""
    return tuple(SuiteKernel(path.parent) for path in sorted(ROOT.glob(f"*/*/{KERNEL}")))


def judged(kernel: SuiteKernel, folder: Path, cache: Path) -> Verdict:
    """Verify `folder`, which holds `kernel` or a copy, on both wave sizes."""
    return verify(folder, cache, architectures=kernel.architectures, seed=SEED)


def judged_twin(kernel: SuiteKernel, bug: Bug, place: Path, cache: Path) -> Verdict:
    """Verify a kernel's twin with `bug`: on the given sizes, and only if it passes them on others.

    The harness runs the given sizes first, so this is its verdict, sooner.
    """
    verdict = judged(kernel, kernel.copied(place / "given", bug=bug, own_sizes=False), cache)
    if verdict.passed and kernel.has_own_sizes:
        verdict = judged(kernel, kernel.copied(place / "own", bug=bug), cache)
    return verdict
