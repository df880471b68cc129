"""Operator packages: a chosen kernel as a PyTorch operator that a maintainer can carry away."""

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.targets.spec import PyTorch, Target

NAMESPACE = "rocm_pipeline"
"""The operator is `torch.ops.rocm_pipeline.<target name>`."""

_TARGET_FIELDS = {
    "name",
    "title",
    "symbols",
    "dtypes",
    "tensors",
    "scalars",
    "public_cases",
    "tolerance",
    "pytorch",
}
"""What the package's runtime and tests read of the target."""


class PackageFile(BaseModel):
    """One file of a package; `path` is a plain name inside its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    text: str


class OperatorPackage(BaseModel):
    """The folder `<target name>_op`. Only `op.py` was written by an agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    candidate: str
    """Id of the candidate whose kernel the package holds."""
    files: tuple[PackageFile, ...]

    @property
    def folder(self) -> str:
        return f"{self.target}_op"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def text(self, path: str) -> str:
        """Return the text of one file; KeyError when the package has none of that name."""
        return {file.path: file.text for file in self.files}[path]

    def write(self, parent: Path) -> Path:
        """Write the folder below `parent`, which has none of that name, and return its path."""
        folder = parent / self.folder
        folder.mkdir()
        for file in self.files:
            (folder / file.path).write_text(file.text, encoding="utf-8")
        return folder


def generate(target: Target, candidate: Candidate, op_source: str) -> OperatorPackage:
    """Put the package together; the same arguments give the same bytes.

    `op_source` is taken as it is: `policy.violations` and `verify` judge it.
    """
    pytorch = target.pytorch
    texts = {
        "__init__.py": _init(target),
        "kernel.hip": candidate.source,
        "launch_plan.json": candidate.launch_plan.model_dump_json(indent=2) + "\n",
        "op.py": op_source,
        "runtime.py": _resource("runtime.py"),
        "target.json": target.model_dump_json(indent=2, include=_TARGET_FIELDS) + "\n",
        "test_op.py": _tests(target, pytorch),
    }
    return OperatorPackage(
        target=target.name,
        candidate=candidate.id,
        files=tuple(PackageFile(path=path, text=texts[path]) for path in sorted(texts)),
    )


def free_symbols(target: Target) -> tuple[str, ...]:
    """Return the symbols that are no dimension of an input, so that a caller must give them."""
    told = {text for name in target.inputs for text in target.tensors[name].shape}
    return tuple(name for name in target.symbols if name not in told)


def parameters(target: Target) -> tuple[str, ...]:
    """Return the operator's parameters: input tensors, free symbols, scalars."""
    return (*target.inputs, *free_symbols(target), *target.scalars)


def signature(target: Target) -> str:
    """Return the operator's signature as an agent is told it."""
    kinds = (
        [f"{name}: Tensor" for name in target.inputs]
        + [f"{name}: int" for name in free_symbols(target)]
        + [f"{name}: float" for name in target.scalars]
    )
    returned = ", ".join(["Tensor"] * len(target.outputs))
    returned = returned if len(target.outputs) == 1 else f"tuple[{returned}]"
    return f"{target.name}({', '.join(kinds)}) -> {returned}"


def _init(target: Target) -> str:
    return (
        f'"""{target.title}, as `torch.ops.{NAMESPACE}.{target.name}`."""\n\n'
        f'from .op import {target.name}\n\n__all__ = ["{target.name}"]\n'
    )


def _tests(target: Target, pytorch: PyTorch) -> str:
    return Template(_resource("test_op.py.template")).substitute(
        name=target.name,
        parameters=", ".join(parameters(target)),
        equivalent=pytorch.equivalent,
        free_symbols=json.dumps(free_symbols(target)),
        scalars=json.dumps(list(target.scalars)),
    )


@cache
def _resource(name: str) -> str:
    folder = files("rocm_pipeline.integration") / "operator_package"
    return (folder / name).read_text(encoding="utf-8")
