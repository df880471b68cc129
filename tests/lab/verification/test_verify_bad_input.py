"""Files that cannot judge a kernel: one line with file, field and fix, and nothing left behind."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from rocm_pipeline.commands.verify import verify
from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.sandbox import Sandbox
from tests.lab.verification.folders import ROW_SUM, VECTOR_ADD, write

Files = dict[str, str]


def _case(**changes: Any) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files["case.json"] = json.dumps(json.loads(files["case.json"]) | changes)

    return change


def _tensor(**changes: Any) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        case = json.loads(files["case.json"])
        case["tensors"]["a"] |= changes
        files["case.json"] = json.dumps(case)

    return change


def _launch(**changes: Any) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        plan = json.loads(files["launch.json"])
        plan["launches"][0] |= changes
        files["launch.json"] = json.dumps(plan)

    return change


def _replace(name: str, before: str, after: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert before in files[name]
        files[name] = files[name].replace(before, after)

    return change


def _set(name: str, text: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[name] = text

    return change


def _without(name: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        del files[name]

    return change


BEFORE_ANYTHING_RUNS = {
    "kernel.hip is missing": (_without("kernel.hip"), "kernel.hip: cannot be read"),
    "launch.json is missing": (_without("launch.json"), "launch.json: cannot be read"),
    "reference.py is missing": (_without("reference.py"), "reference.py: cannot be read"),
    "case.json is missing": (_without("case.json"), "case.json: cannot be read"),
    "case.json is no JSON": (_set("case.json", "{"), "case.json: is no plain JSON"),
    "launch.json is no JSON": (_set("launch.json", "[,"), "launch.json: is no plain JSON"),
    "an unknown field": (_case(tolerence={}), "tolerence"),
    "an unknown dtype": (_tensor(dtype="float8"), "tensors.a.dtype"),
    "an unknown role": (_tensor(role="in"), "tensors.a.role"),
    "a shape of an unknown symbol": (_tensor(shape=["rows"]), "tensors.a.shape 'rows' names rows"),
    "a shape that is no expression": (_tensor(shape=["n ** 2"]), "tensors.a.shape"),
    "a shape below zero": (_tensor(shape=["n - 2000"]), "below zero"),
    "no output": (_replace("case.json", '"output"', '"input"'), "none has the role"),
    "a negative symbol": (_case(symbols=[{"n": -1}]), "symbols.0.n"),
    "a symbol that is no integer": (_case(symbols=[{"n": 1.5}]), "symbols.0.n"),
    "a symbol beyond int32": (_case(symbols=[{"n": 2**31}]), "symbols.0.n"),
    "tensors that do not fit": (_case(symbols=[{"n": 2**31 - 1}]), "bytes; at most"),
    "no symbols": (_case(symbols=[]), "symbols"),
    "symbols that differ": (_case(symbols=[{"n": 1}, {"m": 1}]), "symbols[1] must name exactly"),
    "a constraint that is none": (_case(constraints=["n"]), "is no comparison"),
    "a constraint on a stranger": (_case(constraints=["m < 3"]), "names m"),
    "a constraint that a given case breaks": (_case(constraints=["n < 9"]), "does not obey"),
    "a negative tolerance": (_case(tolerance={"atol": -1, "rtol": 0}), "tolerance.atol"),
    "a scalar that does not fit": (
        _case(scalars={"s": {"dtype": "int32", "value": 2**31}}),
        "does not fit in int32",
    ),
    "a name used twice": (_case(scalars={"n": {"dtype": "int32", "value": 1}}), "is already"),
    "a plan that takes a stranger": (_launch(args=["a", "b", "z", "n"]), "takes 'z'"),
    "a plan without the output": (_launch(args=["a", "b", "b", "n"]), "no launch takes"),
    "a plan of an unknown symbol": (_launch(grid=["rows", 1, 1]), "names 'rows'"),
    "a block too large": (_launch(block=[2048, 1, 1]), "must hold 1 to 1024"),
    "a kernel that is not in the file": (_launch(kernel="sub"), "has no kernel 'sub'"),
}
BY_THE_REFERENCE = {
    "a reference that raises": ("i['a'] + i['b']", "i['a'] + i['c']", "KeyError: 'c'"),
    "a reference without the output": ("'y':", "'z':", "reference returns z; case.json wants"),
    "a reference of another shape": ("i['a'] + i['b']", "(i['a'])[1:]", "of shape (999,)"),
    "a reference that is not finite": ("i['a'] + i['b']", "i['a'] * np.inf", "is not finite"),
    "a reference in float32": (
        "i['a'] + i['b']",
        "(i['a'] + i['b']).astype(np.float32)",
        "compute it in float64",
    ),
    "a reference that is no Python": ("def reference", "def 1", "SyntaxError"),
    "no function reference": ("def reference", "def answer", "no function 'reference'"),
    "inputs of another shape": ("symbols['n'])}", "1 + symbols['n'])}", "of shape (1001,)"),
    "inputs of integers": (
        "{'a': rng.standard_normal(symbols['n'])",
        "{'a': rng.integers(0, 9, symbols['n'])",
        "takes floating-point arrays",
    ),
    "inputs that are not numbers": (
        "{'a': rng.standard_normal(symbols['n'])",
        "{'a': np.nan * rng.standard_normal(symbols['n'])",
        "not numbers",
    ),
}


@pytest.fixture(scope="module")
def app(sandbox: Sandbox) -> Typer:
    del sandbox  # there is one, or everything here is skipped
    made = Typer(pretty_exceptions_enable=False)
    made.command()(verify)
    return made


def _refusal(app: Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("ROCM_PIPELINE_HOME", str(tmp_path / "no-home"))
    before = sorted(os.listdir(tmp_path / "case"))
    result = CliRunner().invoke(app, [str(tmp_path / "case"), "--arch", "gfx1100", *words])
    assert isinstance(result.exception, UserError), result.output
    line = str(result.exception)
    assert "\n" not in line
    assert line.endswith(".")
    assert not os.listdir(temporary)
    assert sorted(os.listdir(tmp_path / "case")) == before
    assert not (tmp_path / "no-home").exists()
    return line


@pytest.mark.parametrize("name", BEFORE_ANYTHING_RUNS)
def test_malformed_files_are_refused_with_file_and_field(
    name: str, app: Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, words = BEFORE_ANYTHING_RUNS[name]
    files = VECTOR_ADD.files()
    change(files)
    write(tmp_path / "case", files)
    assert words in _refusal(app, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", BY_THE_REFERENCE)
def test_a_reference_that_cannot_judge_is_refused(
    name: str, app: Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after, words = BY_THE_REFERENCE[name]
    files = VECTOR_ADD.files()
    _replace("reference.py", before, after)(files)
    write(tmp_path / "case", files)
    assert words in _refusal(app, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "words",
    [("--wave", "48"), ("--arch", "gfx000"), ("--kernel", "/nowhere/kernel.hip")],
    ids=lambda words: words[0],
)
def test_options_without_meaning_are_refused(
    words: tuple[str, ...], app: Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "case", VECTOR_ADD.files())
    assert words[1].rsplit("/", 1)[-1] in _refusal(app, tmp_path, monkeypatch, *words)


def test_a_hostile_reference_reaches_nothing_outside(
    app: Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ROW_SUM.files()
    mark = tmp_path / "mark"
    files["reference.py"] = f"open({str(mark)!r}, 'w').write('x')\n" + files["reference.py"]
    write(tmp_path / "case", files)
    _refusal(app, tmp_path, monkeypatch)
    assert not mark.exists()


def test_a_tolerance_that_a_trivial_kernel_passes_is_refused(
    app: Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = VECTOR_ADD.files()
    case = json.loads(files["case.json"]) | {"tolerance": {"atol": 100.0, "rtol": 0.0}}
    write(tmp_path / "case", files | {"case.json": json.dumps(case)})
    assert "the control 'zeros' passes" in _refusal(app, tmp_path, monkeypatch)
