"""The emulator's shortcut past the header: taken, and changing nothing."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from rocm_pipeline.lab.emulator import BuildFailed, Emulator
from rocm_pipeline.lab.emulator import compiler as module
from rocm_pipeline.lab.emulator.compiler import CpuCompiler
from rocm_pipeline.lab.sandbox import Sandbox
from tests.lab.emulator.bench import HEADER

SOURCE = f"""// doubles
{HEADER}extern "C" __global__ void k(float* x) {{
  extern __shared__ float s[];
  s[threadIdx.x] = expf(__shfl_xor(x[threadIdx.x], 1));
  __syncthreads();
  x[threadIdx.x] = 2 * s[threadIdx.x];
}}
"""


def _never(_: str) -> bool:
    return False


@pytest.mark.parametrize("wave", [32, 64])
def test_a_build_is_the_same_with_the_shortcut_and_without(
    sandbox: Sandbox, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wave: int
) -> None:
    short = Emulator(sandbox, builds / "emulator").build(SOURCE, ["k"], wave)

    monkeypatch.setattr(module, "begins_with_header", _never)
    assert Emulator(sandbox, tmp_path).build(SOURCE, ["k"], wave) == short


def test_the_header_is_read_once_for_a_wave_size(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, precompiled = CpuCompiler._run, list[bool]()  # pyright: ignore[reportPrivateUsage]

    def watched(
        self: CpuCompiler, inputs: Mapping[str, str | bytes], script: str, result: str
    ) -> bytes:
        if "-x c++" in script and result == "kernel.ll":
            precompiled.append("-include-pch" in script)
        if result == "header.pch":
            assert not precompiled, "made again"
        return run(self, inputs, script, result)

    monkeypatch.setattr(CpuCompiler, "_run", watched)
    for text in (SOURCE, SOURCE + "// more\n"):
        Emulator(sandbox, tmp_path).build(text, ["k"], 64)
    Emulator(sandbox, tmp_path).build("#pragma once\n" + SOURCE, ["k"], 64)

    assert precompiled == [True, True, False]


@pytest.mark.parametrize("wrong", [b"not a precompiled header", b""])
def test_a_useless_precompiled_header_costs_time_only(
    sandbox: Sandbox, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: bytes
) -> None:
    expected = Emulator(sandbox, builds / "emulator").build(SOURCE, ["k"], 32)

    def useless(*_: object) -> bytes:
        return wrong

    monkeypatch.setattr(CpuCompiler, "_precompile", useless)
    assert Emulator(sandbox, tmp_path).build(SOURCE, ["k"], 32) == expected


def test_mistakes_are_told_as_without_the_shortcut(
    sandbox: Sandbox, builds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = SOURCE.replace("expf(", "expf(no_such_name + ")
    with pytest.raises(BuildFailed) as short:
        Emulator(sandbox, builds / "emulator").build(wrong, ["k"], 64)

    monkeypatch.setattr(module, "begins_with_header", _never)
    with pytest.raises(BuildFailed) as long:
        Emulator(sandbox, tmp_path).build(wrong, ["k"], 64)
    assert short.value.diagnostics == long.value.diagnostics
    assert "kernel.hip:5:" in long.value.diagnostics
