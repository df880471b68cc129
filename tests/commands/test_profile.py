"""`rocm-pipeline profile` as its user calls it: any HIP file, no target."""

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rocm_pipeline.commands.profile import profile
from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.profile_case import read_case
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.targets.dtypes import DType
from tests.conftest import home_with_builds

SOURCE = """#include <hip/hip_runtime.h>

extern "C" __global__ void gather(const float* x, float* y, int rows, int cols, float factor) {
  __shared__ float tile[32][32];
  tile[threadIdx.y][threadIdx.x] = factor * x[threadIdx.x * cols + threadIdx.y];
  __syncthreads();
  y[(blockIdx.x * 32 + threadIdx.y) * 32 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];
}
"""
PLAN = {
    "launches": [
        {
            "kernel": "gather",
            "grid": ["rows", 1, 1],
            "block": [32, 32, 1],
            "args": ["x", "y", "rows", "cols", "factor"],
        }
    ],
    "tensors": {"x": {"dtype": "float32", "shape": [32, "cols"]}},
}
SETTINGS = ["--set", "rows=8,cols=64", "--set", "factor=0.5", "--tensor", "y=float32[rows, 1024]"]

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(profile)


@pytest.fixture(scope="module")
def sandbox() -> None:
    try:
        Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")


@pytest.fixture(scope="module")
def files(builds: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    folder = tmp_path_factory.mktemp("profile")
    home_with_builds(folder / "home", builds)
    (folder / "gather.hip").write_text(SOURCE)
    (folder / "plan.json").write_text(json.dumps(PLAN))
    return str(folder / "gather.hip"), str(folder / "plan.json"), folder


@pytest.fixture(autouse=True)
def home(files: tuple[str, str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCM_PIPELINE_HOME", str(files[2] / "home"))


@pytest.mark.usefixtures("sandbox")
def test_json_holds_each_line_s_figures_for_each_architecture(
    files: tuple[str, str, Path],
) -> None:
    arguments = [files[0], "--plan", files[1], *SETTINGS, "--arch", "gfx1100,gfx90a", "--json"]
    result = CliRunner().invoke(app, arguments)

    assert result.exception is None
    reports = json.loads(result.stdout)
    assert [report["architecture"] for report in reports] == ["gfx1100", "gfx90a"]
    (launch,) = reports[0]["launches"]
    lines = {entry["line"]: entry for entry in launch["lines"]}
    # 32 lanes read one word each of 32 rows; 8 blocks of 32 waves.
    assert lines[5]["transactions"] == 8 * 32 * 32
    assert lines[5]["efficiency"] == pytest.approx(4 / 64)
    assert lines[5]["active"] == 1
    assert lines[7]["efficiency"] == 1
    assert lines[7]["conflicts"] == 32
    assert launch["buffers"]["x"]["requested"] == 8 * 32 * 32
    assert launch["buffers"]["y"]["memory_writes"] == 8 * 4096 / 64
    assert launch["barriers"] == 8 * 32
    assert launch["blocks_played"] == 8
    low, high = launch["estimated_microseconds"]
    assert 0 < low < high


@pytest.mark.usefixtures("sandbox")
def test_the_listing_and_the_page_show_the_source_with_its_figures(
    files: tuple[str, str, Path],
) -> None:
    page = files[2] / "page.html"
    arguments = [files[0], "--plan", files[1], *SETTINGS, "--html", str(page)]
    result = CliRunner().invoke(app, arguments)

    assert result.exception is None
    assert "limited by" in result.stdout
    assert "32.00x" in result.stdout
    text = page.read_text()
    assert "threadIdx.x * cols" in text
    assert "rgba(255,90,0,0." in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "rows=8,cols=64,factor=1.0"], "nothing says what it is"),
        (["--set", "rows=8"], "cols"),
        (["--set", "rows"], "sets nothing"),
        (["--set", "rows=int8:3"], "sets nothing"),
        (["--set", "rows=99999999999"], "sets nothing"),
        (["--set", "rows=1,rows=2"], "--set: 'rows' is given twice"),
        (["--tensor", "y=float32[3]", "--tensor", "y=float64[3]"], "'y' is given twice"),
        (["--tensor", "y=float31[3]"], "is no tensor"),
        (["--tensor", "y=float32[open(3)]"], "is no tensor"),
        (["--arch", "gfx9"], "not an architecture"),
        (["--set", "rows=1000000,cols=64,factor=1.0", "--tensor", "y=float32[rows,1024]"], "bytes"),
    ],
)
def test_bad_input_is_told_in_one_line(
    files: tuple[str, str, Path], arguments: list[str], told: str
) -> None:
    result = CliRunner().invoke(app, [files[0], "--plan", files[1], *arguments])

    assert isinstance(result.exception, UserError)
    assert told in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("x[threadIdx.x * cols", "x[9999 + threadIdx.x * cols"), "kernel.hip:5"),
        (("float factor)", "float factor"), "does not compile"),
        (("gather(", "other("), "gather"),
    ],
)
def test_a_kernel_that_cannot_be_profiled_is_told_in_one_line(
    files: tuple[str, str, Path], tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    broken = tmp_path / "broken.hip"
    broken.write_text(SOURCE.replace(*change))
    result = CliRunner().invoke(app, [str(broken), "--plan", files[1], *SETTINGS])

    assert isinstance(result.exception, UserError)
    assert told in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.usefixtures("sandbox")
def test_a_kernel_that_hangs_is_given_up_after_the_seconds_asked_for(
    files: tuple[str, str, Path], tmp_path: Path
) -> None:
    hanging = tmp_path / "hanging.hip"
    hanging.write_text(SOURCE.replace("__syncthreads();", "volatile int on = 1; while (on) {}", 1))
    result = CliRunner().invoke(
        app, [str(hanging), "--plan", files[1], *SETTINGS, "--zeros", "--seconds", "1"]
    )

    assert isinstance(result.exception, UserError)
    assert "TIMEOUT" in str(result.exception)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"launches": []}', '{"launches": 3, "x": 1}', '{"a":1,"a":2}']
)
def test_a_plan_that_is_none_is_told_in_one_line(
    files: tuple[str, str, Path], tmp_path: Path, text: str
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    result = CliRunner().invoke(app, [files[0], "--plan", str(plan)])

    assert isinstance(result.exception, UserError)
    assert "plan.json" in str(result.exception)


def test_pipes_and_devices_are_not_read(files: tuple[str, str, Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for words in ([files[0], "--plan", str(tmp_path / "pipe")], ["/dev/zero", "--plan", files[1]]):
        result = CliRunner().invoke(app, words)
        assert isinstance(result.exception, UserError)
        assert "is no plain file" in str(result.exception)


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float16"])
def test_narrow_floats_are_drawn_as_the_numbers_they_stand_for(
    files: tuple[str, str, Path], dtype: str
) -> None:
    settings, tensors = ["cols=64", "rows=1", "factor=1.0"], [f"x={dtype}[100]", "y=float32[9]"]
    case = read_case(Path(files[0]), Path(files[1]), settings, tensors)
    stored = case.buffers(case.bound(32), zeros=False, wave=32)["x"]
    values = DType(dtype).unpack(stored)
    assert -1 <= values.min() < -0.5
    assert 0.5 < values.max() <= 1
