# pyright: basic, reportMissingImports=false
"""Notices when an operator changes what judges it.

Taken before the operator is imported and compared after the check. It lives in the operator's own
process, so it finds tampering that does not know of it; what a pass rests on lies elsewhere.
"""

import _thread
import atexit
import builtins
import gc
import importlib
import io
import json
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import torch
import torch.autograd.gradcheck
import torch.library
import torch.testing

_WITHOUT_TRACE: dict[Any, tuple[str, ...]] = {
    atexit: ("register",),
    os: ("fork",),
    _thread: ("start_new_thread",),
    threading.Thread: ("start",),
    torch: (
        "set_default_device",
        "set_default_dtype",
        "set_float32_matmul_precision",
        "set_flush_denormal",
        "set_num_threads",
        "use_deterministic_algorithms",
    ),
}
"""What PyTorch itself calls too, or can be undone before anyone looks: the operator's own calls."""

_WATCHED = (
    "rocm_pipeline.integration.inside.checks",
    "rocm_pipeline.integration.inside.controls",
    "rocm_pipeline.integration.inside.family",
    "rocm_pipeline.integration.inside.guard",
    "rocm_pipeline.integration.inside.kernels",
    "rocm_pipeline.integration.inside.process",
    "rocm_pipeline.integration.inside.subject",
    "rocm_pipeline.integration.inside.tools",
    "rocm_pipeline.integration.inside.wire",
    "rocm_pipeline.integration.job",
    "torch.testing._internal.optests.aot_autograd",
    "torch.testing._internal.optests.autograd_registration",
    "torch.testing._internal.optests.fake_tensor",
    "torch.testing._internal.optests.generate_tests",
)


@dataclass(frozen=True)
class Guard:
    """The identity of what matters, and the settings, at one time."""

    names: dict[str, dict[str, int]]
    code: dict[str, int]
    settings: dict[str, Any]
    calls: list[str]

    @classmethod
    def take(cls, operator: Path) -> "Guard":
        """Remember everything; `operator` is the folder whose code must leave it alone."""
        calls: list[str] = []
        for owner, names in _WITHOUT_TRACE.items():
            for name in names:
                shown = f"{owner.__name__}.{name}"
                setattr(owner, name, _told(shown, getattr(owner, name), str(operator), calls))
        return cls(_names(), _code(), _settings(), calls)

    def changes(self) -> list[str]:
        """Return what was replaced, set or started since."""
        now = _names()
        found = [
            f"replaced {owner}.{name}"
            for owner, members in self.names.items()
            for name, identity in members.items()
            if now[owner].get(name) != identity
        ]
        code = _code()
        found += [
            f"replaced the code of {name}" for name, i in self.code.items() if code[name] != i
        ]
        settings = _settings()
        found += [
            f"changed {name} from {before!r} to {settings[name]!r}"
            for name, before in self.settings.items()
            if settings[name] != before
        ]
        return found + [f"called {name}" for name in dict.fromkeys(self.calls)]


def _owners() -> dict[str, Any]:
    known = {
        "builtins": builtins,
        "importlib": importlib,
        "io": io,
        "json": json,
        "numpy": np,
        "os": os,
        "struct": struct,
        "sys": sys,
        "time": time,
        "torch": torch,
        "torch.Tensor": torch.Tensor,
        "torch.autograd": torch.autograd,
        "torch.autograd.gradcheck": sys.modules["torch.autograd.gradcheck"],
        "torch.library": torch.library,
        "torch.nn.functional": torch.nn.functional,
        "torch.testing": torch.testing,
    }
    return {**known, **{name: sys.modules[name] for name in _WATCHED}}


def _names() -> dict[str, dict[str, int]]:
    return {
        owner: {name: id(value) for name, value in vars(thing).items() if callable(value)}
        for owner, thing in _owners().items()
    }


def _code() -> dict[str, int]:
    return {
        f"{owner}.{name}": id(value.__code__)
        for owner, thing in _owners().items()
        for name, value in vars(thing).items()
        if isinstance(value, FunctionType)
    }


def _settings() -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "gc.callbacks": len(gc.callbacks),
        "signal handlers": {s.name: str(signal.getsignal(s)) for s in signal.Signals},
        "standard output": [(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in (1, 2)],
        "sys.stdout": (id(sys.stdout), id(sys.stderr)),
        "sys.meta_path": len(sys.meta_path),
        "trace functions": (sys.gettrace(), sys.getprofile(), threading.gettrace()),
        "working folder": os.getcwd(),
        "torch.default_dtype": str(torch.get_default_dtype()),
        "torch.float32_matmul_precision": torch.get_float32_matmul_precision(),
        "torch.deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch.grad_mode": torch.is_grad_enabled(),
        "torch.num_threads": torch.get_num_threads(),
    }


def _told(
    shown: str, function: Callable[..., Any], operator: str, calls: list[str]
) -> Callable[..., Any]:
    def told(*args: Any, **kwargs: Any) -> Any:
        if sys._getframe(1).f_code.co_filename.startswith(operator):
            calls.append(shown)
        return function(*args, **kwargs)

    return told
