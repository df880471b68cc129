"""`rocm-pipeline device`, as its user meets it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rocm_pipeline.commands.device import device_app
from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.devices.discovery import find
from rocm_pipeline.lab.devices.model import Absent, Kind
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from tests.conftest import home_with_builds

KERNEL = """#include <hip/hip_runtime.h>
extern "C" __global__ void twice(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = FACTOR * x[i];
}
"""
LAUNCH = {
    "launches": [
        {
            "kernel": "twice",
            "grid": ["ceildiv(n, 64)", 1, 1],
            "block": [64, 1, 1],
            "args": ["x", "y", "n"],
        }
    ]
}
REFERENCE = """import numpy as np

def make_inputs(rng, symbols):
    return {"x": rng.standard_normal(symbols["n"]).astype(np.float32)}

def reference(inputs, scalars):
    return {"y": 2.0 * inputs["x"].astype(np.float64)}
"""
CASE = {
    "tensors": {
        "x": {"dtype": "float32", "shape": ["n"], "role": "input"},
        "y": {"dtype": "float32", "shape": ["n"], "role": "output"},
    },
    "scalars": {},
    "symbols": [{"n": 100}, {"n": 7}],
    "tolerance": {"atol": 0.0, "rtol": 1e-6},
    "extra_cases": False,
}
GPUS = (Kind.AMD, Kind.NVIDIA)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, builds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCM_PIPELINE_HOME", str(home_with_builds(tmp_path / "home", builds)))
    try:
        Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")


def _files(folder: Path, factor: str) -> Path:
    folder.mkdir()
    (folder / "kernel.hip").write_text(KERNEL.replace("FACTOR", factor))
    (folder / "launch.json").write_text(json.dumps(LAUNCH))
    (folder / "reference.py").write_text(REFERENCE)
    (folder / "case.json").write_text(json.dumps(CASE))
    return folder


def _without_gpu() -> None:
    if not all(isinstance(find(kind), Absent) for kind in GPUS):
        pytest.skip("this machine has a GPU")


def test_list_names_every_device() -> None:
    shown = CliRunner().invoke(device_app, ["list"])
    assert shown.exit_code == 0
    assert all(kind.value in shown.stdout for kind in Kind)


def test_a_right_kernel_passes_on_the_cpu_with_a_record(tmp_path: Path) -> None:
    folder = _files(tmp_path / "right", "2.0f")
    shown = CliRunner().invoke(device_app, ["check", str(folder), "--on", "cpu", "--json"])
    assert shown.exit_code == 0, shown.output
    record = json.loads(shown.stdout)
    assert record["status"] == "PASSED"
    assert record["device"]["name"] == "CPU emulator"


def test_a_wrong_kernel_ends_with_1_and_says_why(tmp_path: Path) -> None:
    folder = _files(tmp_path / "wrong", "3.0f")
    shown = CliRunner().invoke(device_app, ["check", str(folder), "--on", "cpu"])
    assert shown.exit_code == 1
    assert "WRONG_VALUE" in shown.stdout


def test_times_of_the_emulator_are_refused(tmp_path: Path) -> None:
    folder = str(_files(tmp_path / "right", "2.0f"))
    asked = ["time", folder, "--against", folder, "--on", "cpu"]
    shown = CliRunner().invoke(device_app, asked)
    assert isinstance(shown.exception, UserError)
    assert "say nothing about a GPU" in str(shown.exception)
    assert "None" not in shown.output


def test_without_a_gpu_it_says_what_to_do(tmp_path: Path) -> None:
    _without_gpu()
    folder = _files(tmp_path / "right", "2.0f")
    for asked in (["check", str(folder)], ["check", str(folder), "--on", "nvidia"]):
        shown = CliRunner().invoke(device_app, asked)
        assert isinstance(shown.exception, UserError)
        assert "GPU" in str(shown.exception)
