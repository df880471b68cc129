"""Agent-written code has one way to run: nothing but the modules named here can start anything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rocm_pipeline

ROOT = Path(rocm_pipeline.__file__).parent

STARTERS = {
    "lab/sandbox/boxes.py": "coreutils that remove a box; they run no file of it",
    "lab/sandbox/detect.py": "bubblewrap's own --version",
    "lab/sandbox/watch.py": "starts bubblewrap or the launcher, which contain the run",
    "lab/sandbox/landlock.py": "waits for the launcher; starts nothing itself; asks the kernel",
    "lab/sandbox/launcher.py": "executes the command behind the walls that it has just built",
    "lab/sandbox/staging.py": "system calls for mounts",
    "lab/sandbox/transfer.py": "system calls that set whose files are made",
    "doctor.py": "rocminfo of the machine",
    "cli.py": "replaces itself by dagster",
    "bundle/clean.py": "this program again, in a clean workspace",
    "automation/forking.py": "the server from which Dagster's steps are forked",
    "automation/step_server.py": "what that server loads: Dagster, and the definitions",
    "automation/running.py": "Dagster's steps, which are ours, and the definitions to run",
    "lab/emulator/job.py": "writes marshal and bytecode for the sandbox, and reads none",
    "lab/reference.py": "the target author's reference, which is trusted (docs/safety.md)",
    "integration/operator_package/runtime.py": "part of the package for its user, not of this run",
}
"""Outside the sandbox, and why each may."""

INSIDE = (
    "lab/devices/runtime/",
    "lab/emulator/runtime/",
    "lab/inside/",
    "integration/inside/",
    "bundle/inside/",
)
"""Programs that only the sandbox starts: what they load and execute stays in it."""

SHARED = {
    "bundle/stranger.py": "the names of the files through which both sides talk",
    "lab/devices/cuda_compiler.py": "the name under which PTX carries its source's hash",
}
"""Modules outside that import one for the inside, and what for; importing runs no agent's code."""

_MODULES = {
    "subprocess",
    "multiprocessing",
    "concurrent.futures.process",
    "ctypes",
    "cffi",
    "runpy",
    "pty",
    "code",
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "torch",
}
_FUNCTIONS = {"exec", "eval", "compile", "__import__"}
_ATTRIBUTES = {
    **dict.fromkeys(("system", "popen", "fork", "forkpty", "startfile"), "os"),
    **dict.fromkeys(("posix_spawn", "posix_spawnp"), "os"),
    **{f"exec{kind}": "os" for kind in ("v", "ve", "vp", "vpe", "l", "le", "lp", "lpe")},
    **{f"spawn{kind}": "os" for kind in ("v", "ve", "vp", "vpe", "l", "le", "lp", "lpe")},
    "create_subprocess_exec": "asyncio",
    "create_subprocess_shell": "asyncio",
    "import_module": "importlib",
    "spec_from_file_location": "util",
    "ProcessPoolExecutor": "futures",
    "load_library": "ctypeslib",
}


def ways_out(source: str) -> set[str]:
    """What in this module could start a process or run code that it did not import."""
    return {way for node in ast.walk(ast.parse(source)) for way in _ways(node)}


def _ways(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _is_starter(alias.name))
    elif isinstance(node, ast.ImportFrom) and node.module:
        if _is_starter(node.module):
            yield node.module
        yield from (alias.name for alias in node.names if alias.name in _ATTRIBUTES)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in _FUNCTIONS:
            yield node.func.id
    elif isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES:
        owner = node.value
        name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if name == _ATTRIBUTES[node.attr]:
            yield f"{name}.{node.attr}"


def _is_starter(module: str) -> bool:
    return any(module == name or module.startswith(name + ".") for name in _MODULES)


def _modules() -> list[str]:
    found = (str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))
    return sorted(name for name in found if not name.startswith(INSIDE))


def test_nothing_else_can_start_a_process_or_execute_text() -> None:
    found = {name: ways_out((ROOT / name).read_text(encoding="utf-8")) for name in _modules()}
    assert {name: ways for name, ways in found.items() if ways and name not in STARTERS} == {}


@pytest.mark.parametrize("name", STARTERS)
def test_every_exception_is_still_needed(name: str) -> None:
    assert ways_out((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "from subprocess import run",
        "import os\nos.execv('a', ['a'])",
        "from os import system",
        "import multiprocessing.pool",
        "import importlib\nimportlib.import_module('x')",
        "exec('x')",
        "eval('x')",
        "import asyncio\nasyncio.create_subprocess_exec('x')",
        "from concurrent.futures import ProcessPoolExecutor",
        "import pickle",
        "import numpy as np\nnp.ctypeslib.load_library('x', '.')",
    ],
)
def test_the_walk_finds_a_way_out(source: str) -> None:
    assert ways_out(source)


def test_nothing_unpacks_an_archive() -> None:
    """A member's name can lead out of any folder; what is never unpacked cannot."""
    for name in _modules():
        source = (ROOT / name).read_text(encoding="utf-8")
        assert not unpackers(source), f"{name} reads archives"


@pytest.mark.parametrize(
    "source",
    [
        "import zipfile",
        "from tarfile import open",
        "import shutil\nshutil.unpack_archive('x')",
        "import numpy as np\nnp.load('x')",
    ],
)
def test_the_walk_finds_what_unpacks(source: str) -> None:
    assert unpackers(source)


def unpackers(source: str) -> set[str]:
    """What in this module could read an archive; `numpy.load` takes one for an array."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & {"zipfile", "tarfile", "zipimport"}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} & {"zipfile", "tarfile", "zipimport"}
        elif isinstance(node, ast.Attribute) and node.attr == "unpack_archive":
            found.add(node.attr)
        elif isinstance(node, ast.Attribute) and node.attr == "load":
            is_numpy = isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy")
            found |= {"numpy.load"} if is_numpy else set()
    return found


def test_the_programs_for_the_inside_are_not_imported_outside() -> None:
    packages = tuple(f"rocm_pipeline.{folder.strip('/').replace('/', '.')}" for folder in INSIDE)
    for name in _modules():
        for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and name not in SHARED:
                assert not node.module.startswith(packages), f"{name} imports {node.module}"
