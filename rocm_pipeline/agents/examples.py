"""What came of the code in a document: every block of it, run, compiled or only shown."""

from enum import Enum

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.lab.evidence import Status


class BlockKind(str, Enum):
    """What is done with a block of code."""

    PYTHON = "python"
    """Run, as an example of the operator's use."""
    KERNEL = "kernel"
    """Compiled: C++ or HIP with a `__global__` function."""
    SHOWN = "shown"
    """Neither: another language, or none."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BlockRecord(_Frozen):
    """One block of code. What was not run, or did not pass, says why."""

    line: int = Field(ge=1)
    """Of the document, where the block begins."""
    language: str
    kind: BlockKind
    status: Status
    message: str = ""

    @model_validator(mode="after")
    def _said_why(self) -> "BlockRecord":
        if (self.status is Status.PASSED) == bool(self.message):
            raise ValueError("a message belongs to every block that did not pass, and to no other")
        if self.kind is BlockKind.SHOWN and self.status is not Status.NOT_RUN:
            raise ValueError("what is only shown is NOT_RUN")
        return self

    @property
    def words(self) -> str:
        return f"line {self.line}, {self.language or 'no language'}: {self.status.value}" + (
            f": {self.message}" if self.message else ""
        )


class Examples(_Frozen):
    """The record about one document's code, in the order of the document."""

    package_sha256: str
    """Of the operator package that the examples used; empty when there is none."""
    torch_version: str | None
    """None when PyTorch is not installed; then no example ran."""
    blocks: tuple[BlockRecord, ...]

    @model_validator(mode="after")
    def _nothing_passes_without_what_it_needs(self) -> "Examples":
        if self.passed and (self.torch_version is None or not self.package_sha256):
            raise ValueError("no example can pass without PyTorch and an operator package")
        return self

    @property
    def passed(self) -> tuple[BlockRecord, ...]:
        """The examples that ran and passed."""
        return tuple(b for b in self._python if b.status is Status.PASSED)

    @property
    def not_run(self) -> tuple[BlockRecord, ...]:
        """What could not be run here, which is no fault of the author's."""
        shown = BlockKind.SHOWN
        return tuple(b for b in self.blocks if b.kind is not shown and b.status is Status.NOT_RUN)

    @property
    def problems(self) -> tuple[str, ...]:
        """What the author must mend, in words."""
        absent = () if self._python else ("there is no python example of the operator's use",)
        fine = (Status.PASSED, Status.NOT_RUN)
        return absent + tuple(b.words for b in self.blocks if b.status not in fine)

    @property
    def _python(self) -> tuple[BlockRecord, ...]:
        return tuple(b for b in self.blocks if b.kind is BlockKind.PYTHON)
