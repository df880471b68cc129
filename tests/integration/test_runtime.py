"""The package's own runtime: what it refuses, and how it starts kernels."""

import contextlib
import ctypes
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rocm_pipeline.integration.verify import write_libraries
from rocm_pipeline.targets.spec import Role, Target

from .conftest import LibrariesOf, builtin, package_of

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The runtime of a flash_attention package, imported as a maintainer would."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("packages")
    package_of(builtin("flash_attention")).write(folder)
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("flash_attention_op.runtime")
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
def call(runtime: ModuleType) -> Any:
    """Call launch with good arguments, changed by keyword; the plan is not run but returned."""
    import torch

    def run(**changes: Any) -> dict[str, Any]:
        q, k, v = (changes.get(name, torch.zeros(2, 5, 32)) for name in "qkv")
        seen: dict[str, Any] = {}

        def plan(tensors: Any, symbols: Any, scalars: Any, dtypes: Any, device: Any) -> None:
            seen.update(tensors=tensors, symbols=symbols, scalars=scalars, dtypes=dtypes)
            assert device.type == "cpu"

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runtime, "run_plan", plan)
            runtime.launch(
                {"q": q, "k": k, "v": v},
                changes.get("symbols", {"causal": 1}),
                changes.get("scalars", {"scale": 0.5}),
                {"o": changes.get("o", torch.empty(2, 5, 32))},
            )
        return seen

    return run


def test_symbols_are_read_from_the_shapes(call: Any) -> None:
    seen = call()
    assert seen["symbols"] == {"causal": 1, "heads": 2, "seq": 5, "head_dim": 32}
    assert seen["dtypes"] == {"io": "float32"}


def test_symbols_that_the_shapes_tell_may_be_given_too(call: Any) -> None:
    assert call(symbols={"causal": 0, "seq": 5})["symbols"]["seq"] == 5


def test_strided_inputs_are_made_contiguous(call: Any) -> None:
    import torch

    seen = call(q=torch.zeros(2, 32, 5).mT)
    assert seen["tensors"]["q"].is_contiguous()


def test_wrong_arguments_are_refused_by_name(call: Any) -> None:
    import torch

    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"q": torch.zeros(5, 32)}, ValueError, "'q' has 2 dimensions, not 3"),
        ({"k": torch.zeros(2, 6, 32)}, ValueError, r"'k' has shape \(2, 6, 32\)"),
        ({"o": torch.zeros(2, 5, 31)}, ValueError, "'o' has shape"),
        ({"o": torch.zeros(2, 32, 5).mT}, ValueError, "'o' must be contiguous"),
        ({"q": torch.zeros(2, 5, 32, dtype=torch.float64)}, TypeError, "'q' is float64"),
        ({"k": torch.zeros(2, 5, 32).half()}, TypeError, "'k' is float16, but"),
        ({"q": torch.zeros(2, 5, 32, device="meta")}, ValueError, "on one device: q on meta"),
        ({"symbols": {}}, ValueError, "symbols must be"),
        ({"symbols": {"causal": 2}}, ValueError, "'causal' is 2, not one of"),
        ({"symbols": {"causal": 1, "seq": 6}}, ValueError, "'q' has shape"),
        ({"symbols": {"causal": 1, "other": 6}}, ValueError, "symbols must be"),
        ({"scalars": {}}, ValueError, "scalars must be"),
    ]
    for changes, kind, message in wrong:
        with pytest.raises(kind, match=message):
            call(**changes)


def test_an_empty_tensor_is_outside_the_domain(call: Any) -> None:
    import torch

    empty = torch.zeros(2, 0, 32)
    with pytest.raises(ValueError, match="'seq' is 0, not within 1 to"):
        call(q=empty, k=empty, v=empty, o=empty)


def test_tensors_that_are_all_on_an_unknown_device_are_refused(call: Any) -> None:
    import torch

    bare = torch.zeros(2, 5, 32, device="meta")
    with pytest.raises(ValueError, match="tensors are on 'meta'"):
        call(q=bare, k=bare, v=bare, o=bare)


def test_an_inout_tensor_is_taken_from_the_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    softmax = builtin("row_softmax")
    tensors = dict(softmax.tensors)
    tensors["y"] = tensors["y"].model_copy(update={"role": Role.INOUT})
    target = softmax.model_copy(update={"name": "softmax_inout", "tensors": tensors})
    package_of(target, "").write(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "softmax_inout_op" / "__init__.py").write_text("")
    runtime = importlib.import_module("softmax_inout_op.runtime")
    seen: dict[str, Any] = {}

    def plan(tensors: Any, *_: Any) -> None:
        seen.update(tensors)

    monkeypatch.setattr(runtime, "run_plan", plan)
    x, old, y = (torch.zeros(2, 3) for _ in range(3))
    runtime.launch({"x": x, "y": old}, {}, {}, {"y": y})
    assert seen["y"] is y


def test_missing_libraries_say_what_is_missing_and_how_to_name_it(
    runtime: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROCM_PIPELINE_EMULATOR", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"no emulator_runtime\.so and no kernel\.so.*set ROCM"):
        runtime._Emulator()


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a.b", "a[0]", "a ** 2", "'x'", "(lambda: 1)()", "1 if a else 2"]
)
def test_only_the_language_of_launch_plans_is_evaluated(runtime: Any, text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        runtime.evaluate(text, {"a": 1})


def test_expressions_have_the_value_that_targets_give_them(runtime: Any) -> None:
    assert runtime.evaluate("ceildiv(seq, 64) * max(1, -seq + 70) // 3 % 5", {"seq": 65}) == 3


class FakeHip:
    """Stands for libamdhip64: reads what it is given as HIP would."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.launched: dict[str, Any] = {}

    def hipModuleLoadData(self, _module: Any, image: bytes) -> int:  # noqa: N802
        assert image == b"code object"
        return self.code

    def hipModuleGetFunction(self, _function: Any, _module: Any, name: bytes) -> int:  # noqa: N802
        self.launched["name"] = name.decode()
        return 0

    def hipModuleLaunchKernel(self, _function: Any, *rest: Any) -> int:  # noqa: N802
        *sizes, stream, arguments, extra = rest
        assert extra is None
        kinds = [ctypes.c_void_p] * 4 + [ctypes.c_int32] * 3 + [ctypes.c_float]
        self.launched["sizes"] = [size.value for size in sizes]
        self.launched["stream"] = stream.value
        self.launched["arguments"] = [
            ctypes.cast(place, ctypes.POINTER(kind)).contents.value
            for place, kind in zip(arguments, kinds, strict=True)
        ]
        return 0

    class hipGetErrorString:  # noqa: N801
        restype = None

        def __new__(cls, code: int) -> bytes:  # pyright: ignore[reportInconsistentConstructor]
            return b"no binary for this GPU" if code else b""


@pytest.fixture
def fake_gpu(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> FakeHip:
    import torch

    class Found:
        gcnArchName = "gfx1100:xnack-"  # noqa: N815
        cuda_stream = 77

    def found(*_: Any) -> Found:
        return Found()

    def image(architecture: str) -> bytes:
        assert architecture == "gfx1100"
        return b"code object"

    fake = FakeHip()
    monkeypatch.setattr(torch.cuda, "get_device_properties", found)
    monkeypatch.setattr(torch.cuda, "current_stream", found)
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "device", contextlib.nullcontext)
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda _path: fake)  # pyright: ignore
    monkeypatch.setattr(runtime, "_code_object", image)
    return fake


def test_hip_gets_grid_block_stream_and_arguments_in_order(runtime: Any, fake_gpu: FakeHip) -> None:
    import torch

    q, k, v, o = (torch.zeros(2, 130, 32) for _ in range(4))
    tensors = {"q": q, "k": k, "v": v, "o": o}
    symbols = {"heads": 2, "seq": 130, "head_dim": 32, "causal": 1}
    runtime._hip.cache_clear()
    runtime.run_plan(tensors, symbols, {"scale": 0.5}, {"io": "float32"}, torch.device("cuda", 0))
    pointers = [tensor.data_ptr() for tensor in (q, k, v, o)]
    assert fake_gpu.launched == {
        "name": "flash_attention_f32",
        "sizes": [3, 2, 1, 64, 1, 1, 0],
        "stream": 77,
        "arguments": [*pointers, 130, 32, 1, 0.5],
    }
    assert runtime._hip(0).wave == 32


def test_an_error_of_hip_is_raised_with_its_text(runtime: Any, fake_gpu: FakeHip) -> None:
    fake_gpu.code = 209
    runtime._hip.cache_clear()
    with pytest.raises(RuntimeError, match=r"hipModuleLoadData failed: no binary .*code 209"):
        runtime._hip(0)


def test_without_a_code_object_and_without_hipcc_the_error_says_both(
    runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=r"no kernel_gfx942\.hsaco and no hipcc"):
        runtime._code_object("gfx942")


def test_the_packages_own_tests_pass_for_an_honest_operator(
    tmp_path: Path, small_softmax: Target, libraries_of: LibrariesOf
) -> None:
    folder = package_of(small_softmax).write(tmp_path)
    write_libraries(libraries_of(small_softmax), folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_op.py"],
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
