# pyright: basic, reportMissingImports=false
"""Starts the kernels of `kernel.hip` on PyTorch tensors, as `launch_plan.json` says.

Part of a generated operator package; needs PyTorch and nothing else. `launch` is all that `op.py`
may use.

- CPU tensors: a build of the kernels for the CPU, two shared libraries named `emulator_runtime.so`
  and `kernel.so`, beside this file or in the folder that ROCM_PIPELINE_EMULATOR names.
- Tensors on an AMD GPU: `kernel_<architecture>.hsaco` beside this file, or else `kernel.hip`
  compiled with `hipcc`; started with HIP's module API on PyTorch's current stream. The tests of
  the project that generated this file never ran this path on a GPU.
"""

import ast
import ctypes
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
EMULATOR_FOLDER = "ROCM_PIPELINE_EMULATOR"
"""Environment variable: the folder of the two shared libraries for CPU tensors."""
EMULATOR_WAVE = 64

_TARGET: dict[str, Any] = json.loads((HERE / "target.json").read_text(encoding="utf-8"))
_PLAN: dict[str, Any] = json.loads((HERE / "launch_plan.json").read_text(encoding="utf-8"))
_TENSORS: dict[str, dict[str, Any]] = _TARGET["tensors"]
_SUFFIX = {
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
    "int32": "i32",
    "int64": "i64",
    "uint8": "u8",
}
_SCALAR = {"float32": ctypes.c_float, "float64": ctypes.c_double}


def launch(
    inputs: Mapping[str, Tensor],
    symbols: Mapping[str, int],
    scalars: Mapping[str, float],
    outputs: Mapping[str, Tensor],
) -> None:
    """Run the launch plan: reads `inputs`, writes `outputs`.

    `outputs` are contiguous tensors that the caller made; a tensor with the role `inout` is given
    among them, already holds its values, and counts nowhere else. `symbols` needs only those that
    no shape tells; the others are read from the shapes and must agree. Raises ValueError or
    TypeError naming the tensor when a shape, an element type, a device or a name is wrong.
    """
    read = {name: tensor for name, tensor in inputs.items() if name not in outputs}
    _require_names("inputs", read, {n for n, t in _TENSORS.items() if t["role"] == "input"})
    _require_names("outputs", outputs, {n for n, t in _TENSORS.items() if t["role"] != "input"})
    _require_names("scalars", scalars, set(_TARGET["scalars"]))
    for name, tensor in outputs.items():
        if not tensor.is_contiguous():
            raise ValueError(
                f"output '{name}' must be contiguous; its strides are {tensor.stride()}"
            )
    tensors = {**{name: tensor.contiguous() for name, tensor in read.items()}, **outputs}
    device = _one_device(tensors)
    dtypes = _type_variables(tensors)
    values = _symbol_values(tensors, symbols)
    run_plan(tensors, values, dict(scalars), dtypes, device)


def run_plan(
    tensors: Mapping[str, Tensor],
    symbols: Mapping[str, int],
    scalars: Mapping[str, float],
    dtypes: Mapping[str, str],
    device: torch.device,
) -> None:
    """Start every launch of the plan, in order; the arguments are already checked."""
    backend = _emulator() if device.type == "cpu" else _hip(device.index)
    values = {**symbols, "WAVE": backend.wave}
    memory = dict(tensors)
    for entry in _PLAN["workspace"]:
        dtype = getattr(torch, dtypes.get(entry["dtype"], entry["dtype"]))
        shape = [evaluate(text, values) for text in entry["shape"]]
        memory[entry["name"]] = torch.empty(shape, dtype=dtype, device=device)
    fields = {**{name: _SUFFIX[dtype] for name, dtype in dtypes.items()}, **values}
    for entry in _PLAN["launches"]:
        backend.start(
            entry["kernel"].format(**fields),
            tuple(evaluate(text, values) for text in entry["grid"]),
            tuple(evaluate(text, values) for text in entry["block"]),
            evaluate(entry["shared_bytes"], values),
            [_argument(name, memory, values, scalars) for name in entry["args"]],
        )


def _argument(
    name: str,
    memory: Mapping[str, Tensor],
    values: Mapping[str, int],
    scalars: Mapping[str, float],
) -> Any:
    if name in memory:
        return ctypes.c_void_p(memory[name].data_ptr())
    if name in values:
        return ctypes.c_int32(values[name])
    return _SCALAR[_TARGET["scalars"][name]["dtype"]](scalars[name])


# --- Are the arguments what the target says? ------------------------------------------------


def _require_names(kind: str, given: Mapping[str, object], expected: set[str]) -> None:
    if set(given) != expected:
        raise ValueError(f"{kind} must be {sorted(expected)}, not {sorted(given)}")


def _one_device(tensors: Mapping[str, Tensor]) -> torch.device:
    devices = {tensor.device for tensor in tensors.values()}
    if len(devices) > 1:
        where = ", ".join(f"{name} on {tensor.device}" for name, tensor in tensors.items())
        raise ValueError(f"all tensors must be on one device: {where}")
    device = devices.pop()
    if device.type == "cpu" or (device.type == "cuda" and torch.version.hip):
        return device
    raise ValueError(
        f"tensors are on '{device}'; known are 'cpu' and an AMD GPU ('cuda' with ROCm)"
    )


def _type_variables(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, tensor in tensors.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        declared = _TENSORS[name]["dtype"]
        allowed = _TARGET["dtypes"].get(declared, [declared])
        if dtype not in allowed:
            raise TypeError(f"'{name}' is {dtype}, not {' or '.join(allowed)}")
        if declared in _TARGET["dtypes"] and found.setdefault(declared, dtype) != dtype:
            raise TypeError(f"'{name}' is {dtype}, but the tensors before it are {found[declared]}")
    return found


def _symbol_values(tensors: Mapping[str, Tensor], given: Mapping[str, int]) -> dict[str, int]:
    values = {name: int(value) for name, value in given.items()}
    for name, tensor in tensors.items():
        shape = _TENSORS[name]["shape"]
        if tensor.dim() != len(shape):
            raise ValueError(f"'{name}' has {tensor.dim()} dimensions, not {len(shape)}")
        for text, size in zip(shape, tensor.shape, strict=True):
            if text in _TARGET["symbols"]:
                values.setdefault(text, size)
    _require_names("symbols", values, set(_TARGET["symbols"]))
    for name, tensor in tensors.items():
        expected = tuple(evaluate(text, values) for text in _TENSORS[name]["shape"])
        if tuple(tensor.shape) != expected:
            raise ValueError(f"'{name}' has shape {tuple(tensor.shape)}, not {expected}")
    for name, value in values.items():
        _require_allowed(name, value, _TARGET["symbols"][name])
    return values


def _require_allowed(name: str, value: int, domain: Mapping[str, Any]) -> None:
    if domain["choices"] is not None:
        if value not in domain["choices"]:
            raise ValueError(f"'{name}' is {value}, not one of {domain['choices']}")
    elif not domain["min"] <= value <= domain["max"]:
        raise ValueError(f"'{name}' is {value}, not within {domain['min']} to {domain['max']}")


# --- Expressions of the launch plan: integers, symbols, + - * // %, min max ceildiv ----------


def evaluate(text: str, values: Mapping[str, int]) -> int:
    return _value(ast.parse(text.strip(), mode="eval").body, values)


def _value(node: ast.AST, values: Mapping[str, int]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, values)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](*(_value(argument, values) for argument in node.args))
    raise ValueError(f"launch_plan.json holds '{ast.unparse(node)}'")


_OPERATORS: dict[type, Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}
_FUNCTIONS: dict[str, Any] = {
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "ceildiv": lambda a, b: -(-a // b),
}


# --- Where kernels run ------------------------------------------------------------------------


class _Emulator:
    """The kernels built for the CPU."""

    wave = EMULATOR_WAVE

    def __init__(self) -> None:
        folder = Path(os.environ.get(EMULATOR_FOLDER) or HERE)
        missing = [n for n in ("emulator_runtime.so", "kernel.so") if not (folder / n).is_file()]
        if missing:
            raise RuntimeError(
                f"{folder} has no {' and no '.join(missing)}: CPU tensors need the kernels built "
                f"for the CPU; set {EMULATOR_FOLDER} to the folder that holds them"
            )
        # the kernels find the runtime's functions among the global symbols
        self._runtime = ctypes.CDLL(str(folder / "emulator_runtime.so"), mode=ctypes.RTLD_GLOBAL)
        self._kernels = ctypes.CDLL(str(folder / "kernel.so"))
        self._one_at_a_time = threading.Lock()

    def start(
        self,
        kernel: str,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        shared_bytes: int,
        arguments: list[Any],
    ) -> None:
        function = getattr(self._kernels, f"hip_emulator_launch_{kernel}")
        with self._one_at_a_time:
            stopped = function(
                (ctypes.c_uint * 3)(*grid),
                (ctypes.c_uint * 3)(*block),
                ctypes.c_size_t(shared_bytes),
                _addresses(arguments),
            )
        if stopped:
            raise RuntimeError(f"kernel {kernel} did not run to its end (code {stopped})")


class _Hip:
    """The kernels on one AMD GPU, through HIP's module API (hip/hip_runtime_api.h)."""

    def __init__(self, index: int) -> None:
        self._index = index
        properties = torch.cuda.get_device_properties(index)
        architecture = properties.gcnArchName.split(":")[0]
        self.wave = 64 if architecture.startswith("gfx9") else 32
        self._library = ctypes.CDLL(_hip_library())
        self._image = _code_object(architecture)
        self._module = ctypes.c_void_p()
        with torch.cuda.device(index):
            torch.cuda.init()  # the call needs the context that PyTorch makes
            self._call("hipModuleLoadData", ctypes.byref(self._module), self._image)

    def start(
        self,
        kernel: str,
        grid: tuple[int, ...],
        block: tuple[int, ...],
        shared_bytes: int,
        arguments: list[Any],
    ) -> None:
        function = ctypes.c_void_p()
        with torch.cuda.device(self._index):
            stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
            self._call(
                "hipModuleGetFunction", ctypes.byref(function), self._module, kernel.encode()
            )
            sizes = [ctypes.c_uint(size) for size in (*grid, *block, shared_bytes)]
            self._call(
                "hipModuleLaunchKernel", function, *sizes, stream, _addresses(arguments), None
            )

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            text = self._library.hipGetErrorString
            text.restype = ctypes.c_char_p
            raise RuntimeError(f"{name} failed: {text(code).decode()} (code {code})")


@lru_cache(maxsize=1)
def _emulator() -> _Emulator:
    return _Emulator()


@cache
def _hip(index: int) -> _Hip:
    return _Hip(index)


def _hip_library() -> str:
    # PyTorch's own copy, where it has one: streams of one HIP runtime mean nothing to another
    bundled = Path(torch.__file__).parent / "lib" / "libamdhip64.so"
    return str(bundled) if bundled.is_file() else "libamdhip64.so"


def _code_object(architecture: str) -> bytes:
    prepared = HERE / f"kernel_{architecture}.hsaco"
    if prepared.is_file():
        return prepared.read_bytes()
    hipcc = shutil.which("hipcc") or "/opt/rocm/bin/hipcc"
    if not Path(hipcc).is_file():
        raise RuntimeError(f"there is no {prepared.name} and no hipcc to compile kernel.hip with")
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / prepared.name
        options = ["--genco", f"--offload-arch={architecture}", "-O3", "-std=c++17"]
        subprocess.run([hipcc, *options, "-o", compiled, HERE / "kernel.hip"], check=True)
        return compiled.read_bytes()


def _addresses(arguments: list[Any]) -> Any:
    return (ctypes.c_void_p * len(arguments))(*map(ctypes.addressof, arguments))
