"""The table of names is what the header offers, what the GPU's compiler takes and what docs say."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.hip_names import ARCHITECTURES, hip_names
from rocm_pipeline.lab.one_meaning import amdgpu_builtins
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Toolchain
from tests.lab.emulator.bench import Bench
from tests.lab.test_header_sides import HEADER, TREE, EmulatorSide, visible

ROOT = Path(__file__).parents[3]
Node = dict[str, Any]
SHORT = ("gfx942", "gfx1100")
MACROS = re.compile(r"^#define ([a-zA-Z]\w*|__\w+)", re.MULTILINE)
ELEMENT = re.compile(
    r"HIP_DETAIL.*|operator\W*|.*_t|u?(char|short|int|long)|(hip_detail|hip_emulator).*"
)


@pytest.fixture(scope="module")
def tree(sandbox: Sandbox, builds: Path) -> Node:
    cache = BuildCache(builds / "emulator")
    return json.loads(EmulatorSide(sandbox, cache).read(HEADER, TREE))


def _header_macros() -> set[str]:
    folder = files("rocm_pipeline.lab") / "include" / "hip" / "detail"
    found: set[str] = set()
    for name in ("limits.h", "assertions.h"):
        found |= set(MACROS.findall((folder / name).read_text()))
    return found | set(MACROS.findall((folder / "device" / "qualifiers.h").read_text()))


def test_the_table_lists_what_the_header_offers_and_nothing_else(tree: Node) -> None:
    declared = {
        node.get("name", "")
        for scope, node in visible(tree)
        if scope in ("", "::cooperative_groups")
    }
    deleted = {
        node["name"]
        for scope, node in visible(tree)
        if scope in ("", "::cooperative_groups") and node.get("explicitlyDeleted")
    }
    refused = {name for each in hip_names().refused for name in each.names}
    names = {name for name in declared | _header_macros() if not ELEMENT.fullmatch(name)}

    assert sorted(deleted - refused) == []
    assert sorted(names - deleted - hip_names().offered()) == []
    assert sorted(hip_names().offered() - names) == []
    assert refused & (names - deleted) == set()


def test_the_table_lists_the_builtins_that_the_emulator_has() -> None:
    of_builtins = {name for name in amdgpu_builtins() if "MEMORY_SCOPE" not in name}

    assert hip_names().offered_builtins() == of_builtins


def test_the_documentation_holds_the_table() -> None:
    text = (ROOT / "docs" / "hip.md").read_text()

    assert hip_names().markdown() in text


def _kernel(body: str) -> str:
    return f'{HEADER}extern "C" __global__ void k(int* y, float* f) {{ {body} }}\n'


def test_builtins_compile_for_the_emulator_where_their_wave_allows(bench: Bench) -> None:
    for wave, other in ((64, "w32"), (32, "w64")):
        uses = [
            each.use
            for group in hip_names().builtins
            for each in group.builtins
            if other not in each.name and not (wave == 32 and "mfma" in each.name)
        ]
        bench.build(_kernel(" ".join(f"{{ {use} }}" for use in uses)), ["k"], wave)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_builtins_compile_for_the_architectures_of_the_table(
    toolchain: Toolchain, architecture: str, request: pytest.FixtureRequest
) -> None:
    everything = [each for group in hip_names().builtins for each in group.builtins]
    uses = [each.use for each in everything if architecture in each.architectures]
    build = toolchain.compile(_kernel(" ".join(f"{{ {use} }}" for use in uses)), architecture)

    assert build.status is Status.PASSED, build.message
    if request.config.getoption("--long"):
        for each in everything:
            if architecture not in each.architectures:
                refused = toolchain.compile(_kernel(each.use), architecture)
                assert refused.status is Status.COMPILE_ERROR, each.name


def _calls(tree: Node) -> Iterator[str]:
    """A call of every function that is no template, with arguments that nobody knows."""
    for scope, node in visible(tree):
        name, kind = node.get("name", ""), node.get("type", {}).get("qualType", "")
        if node["kind"] != "FunctionDecl" or node.get("explicitlyDeleted") or scope:
            continue
        match = re.match(r"(.*?) ?\((.*)\)", kind)
        assert match, (name, kind)
        result, parameters = match.groups()
        given = [f"some<{each}>(p)" for each in parameters.split(", ") if each not in ("", "void")]
        if "&" in kind or name.startswith(("operator", "__syncthreads")):
            continue
        call = f"{name}({', '.join(given)})"
        yield f"{call};" if result == "void" else f"put(p, {call});"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_function_compiles_and_links_with_no_library(
    toolchain: Toolchain, tree: Node, architecture: str, request: pytest.FixtureRequest
) -> None:
    if architecture not in SHORT and not request.config.getoption("--long"):
        pytest.skip("in the long run")
    calls = list(_calls(tree))
    assert len(calls) > 500
    source = f"""{HEADER}
template <class T> __device__ T some(char*& p) {{ p += 64; return *(T*)p; }}
template <class T> __device__ void put(char*& p, T value) {{ p += 64; *(T*)p = value; }}
extern "C" __global__ void k(char* p) {{
  {chr(10).join(f"  {call}" for call in calls)}
}}
"""
    build = toolchain.compile(source, architecture)

    assert build.status is Status.PASSED, build.message
