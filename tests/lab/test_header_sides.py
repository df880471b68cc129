"""What a kernel can see of our header is the same to the emulator's compiler and to the GPU's."""

import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.emulator.compiler import CpuCompiler
from rocm_pipeline.lab.macro_rules import not_to_define
from rocm_pipeline.lab.one_meaning import breaches
from rocm_pipeline.lab.sandbox import Sandbox, read_result
from rocm_pipeline.lab.source_tokens import tokens
from rocm_pipeline.lab.toolchain import Toolchain
from tests.scale import only_long

HEADER = "".join(
    f"#include <hip/{name}.h>\n" for name in ("hip_runtime", "hip_fp8", "hip_cooperative_groups")
)
LANGUAGE = "-std=c++17 -nostdinc -nostdinc++ -I /include -fdeclspec -w"
TREE = "-fsyntax-only -Xclang -ast-dump=json"
MACROS = "-dM -E"
FUNCTIONS = (
    *("FunctionDecl", "CXXMethodDecl", "CXXConstructorDecl", "CXXConversionDecl"),
    "CXXDestructorDecl",
)
HIDDEN = ("hip_detail", "hip_emulator")
"""Namespaces of one side: no word of a kernel names them, and no type of a kernel is of them."""
BOTH_SIDES = {"CUDAHostAttr", "CUDADeviceAttr"}
ONE_SIDE = {"AlwaysInlineAttr", "NoDebugAttr", "CUDAConstantAttr", *BOTH_SIDES}
"""Attributes that change no meaning; a `constexpr` variable is constant memory by itself."""
MOST_BYTES = 64 << 20

Node = dict[str, Any]
Declaration = tuple[str, ...]


class EmulatorSide(CpuCompiler):
    def read(self, header: str, what: str) -> str:
        script = (
            f"/toolchain/zig clang {self._machine} -x c++ {LANGUAGE} -DROCM_PIPELINE_WAVE=64 "
            f"{what} header.hip > told"
        )
        return self._run({"header.hip": header}, script, "told").decode()

    @cached_property
    def tree(self) -> Node:
        return json.loads(self.read(HEADER, TREE))


class DeviceSide(Toolchain):
    def read(self, header: str, what: str, box: Path) -> str:
        box.mkdir(exist_ok=True)
        (box / "header.hip").write_text(header)
        script = (
            "$CLANG -x hip --offload-arch=gfx942 --cuda-device-only -resource-dir $RESOURCES "
            f"-nogpuinc -nogpulib {LANGUAGE} {what} header.hip > told"
        )
        done = self._run(script, box, {})
        assert done.returncode == 0, done.stderr
        return read_result(box, "told", MOST_BYTES).decode()


@pytest.fixture(scope="module")
def emulator_side(sandbox: Sandbox, builds: Path) -> EmulatorSide:
    return EmulatorSide(sandbox, BuildCache(builds / "emulator"))


@pytest.fixture(scope="module")
def device_side(sandbox: Sandbox, builds: Path) -> DeviceSide:
    return DeviceSide(sandbox, builds / "device")


@pytest.fixture(scope="module")
def device_tree(device_side: DeviceSide, tmp_path_factory: pytest.TempPathFactory) -> Node:
    return json.loads(device_side.read(HEADER, TREE, tmp_path_factory.mktemp("box")))


def visible(node: Node, scope: str = "") -> Iterator[tuple[str, Node]]:
    """Yield what a kernel can name or reach, each with its scope; no instantiations."""
    patterns = 0
    for child in node.get("inner", ()):
        kind, name = child.get("kind", ""), child.get("name", "")
        if child.get("isImplicit") or not kind.endswith("Decl") or name.startswith("hip_emulator"):
            continue
        if kind == "NamespaceDecl" and name in HIDDEN:
            continue
        if node["kind"] in ("FunctionTemplateDecl", "ClassTemplateDecl"):
            patterns += kind in FUNCTIONS
            if kind == "ClassTemplateSpecializationDecl" or patterns > 1:
                continue
        if kind != "LinkageSpecDecl":
            yield scope, child
        if kind not in FUNCTIONS:
            yield from visible(child, f"{scope}::{name}")


def declared(tree: Node) -> set[Declaration]:
    return {
        (
            scope,
            node["kind"],
            node.get("name", ""),
            node.get("type", {}).get("qualType", ""),
            node.get("storageClass", ""),
            *(key for key in ("constexpr", "explicitlyDeleted", "mutable") if node.get(key)),
            *sorted(attributes(node) - ONE_SIDE),
            *(default for default in _defaults(node)),
        )
        for scope, node in visible(tree)
    }


def attributes(node: Node) -> set[str]:
    kinds = (child.get("kind", "") for child in node.get("inner", ()))
    return {kind for kind in kinds if kind.endswith("Attr")}


def _defaults(node: Node) -> Iterator[str]:
    """Of a function: which of its parameters have a default."""
    if node["kind"] in FUNCTIONS:
        for child in node.get("inner", ()):
            if child.get("kind") == "ParmVarDecl":
                yield "default" if child.get("init") else "given"


def test_both_sides_declare_the_same_names_with_the_same_types(
    emulator_side: EmulatorSide, device_tree: Node
) -> None:
    emulator, device = declared(emulator_side.tree), declared(device_tree)

    assert sorted(emulator - device) == []
    assert sorted(device - emulator) == []
    names = {name for _, _, name, *_ in emulator}
    assert {"threadIdx", "gridDim", "__shfl_xor", "atomicCAS", "float4", "tanh", "__half2"} <= names
    assert len(emulator) > 500


@only_long
def test_a_name_of_one_side_would_be_found(emulator_side: EmulatorSide) -> None:
    more = HEADER + "namespace hip_detail_types { struct only { int a; }; }\nint alone(int = 1);\n"
    tree = json.loads(emulator_side.read(more, TREE))

    found = {name for _, _, name, *_ in declared(tree) - declared(emulator_side.tree)}
    assert found == {"only", "a", "alone"}


def test_no_type_that_a_kernel_can_reach_is_of_a_hidden_namespace(device_tree: Node) -> None:
    for _, node in visible(device_tree):
        kind = node.get("type", {}).get("qualType", "")
        assert not re.search(r"\bhip_(detail|emulator)::", kind), node.get("name")


def test_every_function_is_for_both_sides_on_the_gpu(device_tree: Node) -> None:
    functions = [node for _, node in visible(device_tree) if node["kind"] in FUNCTIONS]

    assert len(functions) > 300
    for function in functions:
        if not function.get("explicitlyDefaulted"):
            assert attributes(function) >= BOTH_SIDES, function.get("name")


def _macros(told: str) -> dict[str, tuple[set[str], set[str]]]:
    """Name, parameters and words of the replacement of each macro of our header."""
    rows = re.findall(r"^#define (\w+)(?:\(([^)]*)\))?(?: (.*))?$", told, re.MULTILINE)
    return {
        name: (set(re.findall(r"\w+", parameters)), _words(replacement))
        for name, parameters, replacement in rows
    }


def _words(text: str) -> set[str]:
    return {token.text for token in tokens(text) if token.kind == "word"}


def test_no_word_of_a_macro_of_the_header_can_be_defined(
    emulator_side: EmulatorSide, device_side: DeviceSide, tmp_path: Path
) -> None:
    with_header = (
        emulator_side.read(HEADER, MACROS),
        device_side.read(HEADER, MACROS, tmp_path / "a"),
    )
    without = emulator_side.read("", MACROS), device_side.read("", MACROS, tmp_path / "b")
    seen = 0
    for told, before in zip(with_header, without, strict=True):
        ours = _macros(told)
        for name in _macros(before):
            ours.pop(name, None)
        for parameters, words in ours.values():
            for word in words - parameters:
                seen += 1
                assert not_to_define(word), word
                assert list(breaches(tokens(f"#define {word} x"))), word
    assert seen > 60


def test_the_exports_hold_only_words_that_no_candidate_can_define(
    emulator_side: EmulatorSide,
) -> None:
    parameters, words = _macros(emulator_side.read(HEADER, MACROS))["HIP_EMULATOR_EXPORT"]
    assert parameters == {"hip_emulator_name"}
    assert {word for word in words if not word.startswith("hip_emulator_")} == {
        *("extern", "decltype", "__asm__", "const", "auto", "hip_emulator", "void", "int"),
        *("unsigned", "sizeof", "return"),
    }
