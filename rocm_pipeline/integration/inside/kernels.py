# pyright: basic, reportMissingImports=false
"""The operator's kernels, in a process that never sees the operator.

The operator's process sends the tensors of a launch and gets back what the kernels wrote. The
checking process passes both on and keeps a copy of every answer, so what the kernels gave is known
without asking the operator.
"""

import importlib.util
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rocm_pipeline.integration.inside.family import keep_only, leave
from rocm_pipeline.integration.inside.wire import Frame, joined, parted, receive, send
from rocm_pipeline.integration.job import Job

Ask = Callable[[bytes], bytes]


class LaunchFailedError(RuntimeError):
    """The kernels gave no outputs."""


def own_runtime(packages: Path, package: str) -> Any:
    """Import a package's runtime alone, without the operator beside it."""
    name = f"{package}.runtime"
    spec = importlib.util.spec_from_file_location(name, packages / package / "runtime.py")
    assert spec is not None
    assert spec.loader is not None
    runtime = importlib.util.module_from_spec(spec)
    sys.modules[name] = runtime
    spec.loader.exec_module(runtime)
    return runtime


def serve(job: Job, packages: Path, libraries: Path, reading: int, writing: int) -> None:
    """Run launches until the stream ends; for a forked process of its own."""
    keep_only(reading, writing)
    os.environ["ROCM_PIPELINE_EMULATOR"] = str(libraries)
    runtime = own_runtime(packages, job.package)
    while (frame := receive(reading)) is not None:
        try:
            answer = _launch(runtime, job.outputs, frame[1])
        except Exception as error:
            send(writing, Frame.FAILED, f"{type(error).__name__}: {error}".encode()[:2000])
        else:
            send(writing, Frame.ANSWER, answer)
    leave()


def _launch(runtime: Any, outputs: tuple[str, ...], payload: bytes) -> bytes:
    head, _, rest = payload.partition(b"\n")
    asked = json.loads(head)
    stream = io.BytesIO(rest)
    tensors = {name: torch.from_numpy(_read(stream)) for name in asked["tensors"]}
    cpu = torch.device("cpu")
    runtime.run_plan(tensors, asked["symbols"], asked["scalars"], asked["dtypes"], cpu)
    return joined(_written(tensors, (name,)) for name in outputs)


def remote_plan(outputs: tuple[str, ...], ask: Ask) -> Callable[..., None]:
    """Return what takes the place of the runtime's `run_plan` in the operator's process."""

    def run_plan(
        tensors: Mapping[str, Tensor],
        symbols: Mapping[str, int],
        scalars: Mapping[str, float],
        dtypes: Mapping[str, str],
        _device: Any,
    ) -> None:
        asked = {
            "tensors": list(tensors),
            "symbols": dict(symbols),
            "scalars": dict(scalars),
            "dtypes": dict(dtypes),
        }
        head = json.dumps(asked).encode() + b"\n"
        answers = parted(ask(head + _written(tensors, tuple(tensors))))
        for name, answer in zip(outputs, answers, strict=True):
            tensors[name].copy_(torch.from_numpy(_read(io.BytesIO(answer))))

    return run_plan


def _written(tensors: Mapping[str, Tensor], names: tuple[str, ...]) -> bytes:
    stream = io.BytesIO()
    for name in names:
        np.save(stream, tensors[name].detach().numpy(), allow_pickle=False)
    return stream.getvalue()


def _read(stream: io.BytesIO) -> Any:
    return np.load(stream, allow_pickle=False)
