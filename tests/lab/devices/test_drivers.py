"""The ctypes layer, call by call, against libraries with the vendors' signatures."""

import ctypes
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from rocm_pipeline.lab.devices.model import Kind
from rocm_pipeline.lab.devices.runtime import cuda, hip
from rocm_pipeline.lab.devices.runtime.library import DriverError
from tests.lab.devices.conftest import SOURCE, compile_c

IMAGES = {Kind.AMD: b"\x7fELF rest", Kind.NVIDIA: b".version 7.8"}


@pytest.fixture(params=[Kind.AMD, Kind.NVIDIA])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def gpu(kind: Kind, stub_library: Callable[[Kind], Path]) -> hip.Gpu | cuda.Gpu:
    module = hip if kind is Kind.AMD else cuda
    return module.Gpu(str(stub_library(kind)), 0)


def _calls(gpu: hip.Gpu | cuda.Gpu) -> str:
    functions = gpu.library.functions
    functions.stub_calls.restype = ctypes.c_char_p
    return functions.stub_calls().decode()


def test_memory_goes_there_and_back(gpu: hip.Gpu | cuda.Gpu) -> None:
    place = gpu.allocate(16)
    gpu.fill(place, 0xA5, 16)
    gpu.write(place + 4, b"abcd")
    assert gpu.read(place, 16) == b"\xa5" * 4 + b"abcd" + b"\xa5" * 8


def test_a_launch_passes_sizes_stream_and_values(gpu: hip.Gpu | cuda.Gpu, kind: Kind) -> None:
    module = gpu.load(IMAGES[kind])
    function = gpu.function(module, "scale_f32", 0)
    x, y = gpu.allocate(12), gpu.allocate(12)
    gpu.write(x, bytes(memoryview((ctypes.c_float * 3)(1, 2, 3)).cast("B")))
    values = (ctypes.c_void_p(x), ctypes.c_void_p(y), ctypes.c_int(3), ctypes.c_float(2))
    pointers = (ctypes.c_void_p * 4)(*(ctypes.addressof(value) for value in values))
    first, last = gpu.event(), gpu.event()
    gpu.record(first)
    gpu.launch(function, [3, 1, 1], [64, 1, 1], 128, pointers)
    gpu.record(last)
    assert gpu.milliseconds(first, last) > 0.5
    assert list((ctypes.c_float * 3).from_buffer_copy(gpu.read(y, 12))) == [2, 4, 6]
    assert "launch scale_f32 grid 3 block 64 shared 128" in _calls(gpu)


def test_an_error_names_the_call_and_the_drivers_reason(
    gpu: hip.Gpu | cuda.Gpu, kind: Kind
) -> None:
    with pytest.raises(
        DriverError, match=r"ModuleLoadData\w*: the stub was asked to fail"
    ) as error:
        gpu.load(b"rubbish")
    if kind is Kind.NVIDIA:
        assert "ptxas fatal: no .version" in str(error.value)


def test_a_device_that_is_not_there_is_said(
    kind: Kind, stub_library: Callable[[Kind], Path]
) -> None:
    module = hip if kind is Kind.AMD else cuda
    with pytest.raises(DriverError, match="there is no device 3; the driver knows 1"):
        module.Gpu(str(stub_library(kind)), 3)


def test_the_architecture_is_gcn_arch_name_and_not_the_products(
    stub_library: Callable[[Kind], Path],
) -> None:
    facts = hip.Gpu(str(stub_library(Kind.AMD)), 0).facts()
    assert facts["architecture"] == "gfx942"
    assert facts["name"] == "Stub Instinct"
    assert facts["wave"] == 64


def test_much_shared_memory_is_asked_for(stub_library: Callable[[Kind], Path]) -> None:
    gpu = cuda.Gpu(str(stub_library(Kind.NVIDIA)), 0)
    module = gpu.load(IMAGES[Kind.NVIDIA])
    gpu.library.functions.stub_forget()
    gpu.function(module, "k", 48 * 1024)
    assert "attribute" not in _calls(gpu)
    gpu.function(module, "k", 64 * 1024)
    assert "attribute 8 65536" in _calls(gpu)


def test_a_library_that_is_no_driver_is_said(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="cannot be loaded"):
        hip.Gpu(str(tmp_path / "libamdhip64.so.6"), 0)


def test_our_signatures_are_those_of_cuda(tmp_path: Path) -> None:
    include = _wheel_folder("cuda_runtime") / "include"
    if not (include / "cuda.h").is_file():
        pytest.skip("no cuda.h: pip install nvidia-cuda-runtime-cu12")
    _compile_with(include, "STUB_CUDA", tmp_path)


def test_our_signatures_are_those_of_hip(tmp_path: Path) -> None:
    for include in (Path("/opt/rocm/include"), Path("/usr/include")):
        if (include / "hip/hip_runtime_api.h").is_file():
            _compile_with(include, "STUB_HIP", tmp_path)
            return
    pytest.skip("no hip_runtime_api.h: install ROCm, or libamdhip64-dev")


def _compile_with(include: Path, macro: str, folder: Path) -> None:
    quiet = ("-Wno-unused-parameter", "-Wno-deprecated-declarations")
    output = str(folder / "stub.o")
    compile_c(
        *quiet,
        f"-D{macro}",
        "-DWITH_HEADER",
        f"-isystem{include}",
        *("-c", str(SOURCE), "-o", output),
    )


def _wheel_folder(name: str) -> Path:
    spec = find_spec("nvidia")
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places)) if places else "/usr/local/cuda") / (name if places else "")
