"""The shortcut past the header: where it may be taken, and that it changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.lab import toolchain as module
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.precompiled_header import begins_with_header
from rocm_pipeline.lab.sandbox import Completed, Sandbox
from rocm_pipeline.lab.toolchain import Toolchain

INCLUDE = "#include <hip/hip_runtime.h>\n"


@pytest.mark.parametrize(
    "before",
    ["", "\n\n", "// what it does\n", "/* what\n * it does */ ", "// one\r\n// two\r\n", "/***/"],
)
def test_comments_and_blanks_may_stand_before_the_header(before: str) -> None:
    assert begins_with_header(before + INCLUDE)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "__global__ void k() {}\n",
        "#define __global__\n" + INCLUDE,
        "#pragma once\n" + INCLUDE,
        "#if 0\n" + INCLUDE + "#endif\n",
        "// " + INCLUDE,
        "/* " + INCLUDE + "*/",
        "// spliced \\\n" + INCLUDE,
        "// first\r#define __global__\n" + INCLUDE,
        "/* ended by a splice *\\\n/ #define __global__ \n/**/" + INCLUDE,
        "#include <hip/hip_runtime.h> junk\n",
        "#include <hip/hip_fp16.h>\n",
        '"' + INCLUDE,
    ],
)
def test_the_shortcut_is_not_for_a_source_that_begins_otherwise(source: str) -> None:
    assert not begins_with_header(source)


def test_a_long_comment_is_passed_over_in_linear_time() -> None:
    assert begins_with_header("/*" + "* " * 100_000 + "*/" + INCLUDE)
    assert not begins_with_header("/*" + "* " * 100_000)


@pytest.mark.parametrize("architecture", ["gfx90a", "gfx1201"])
def test_an_object_is_the_same_with_the_shortcut_and_without(
    sandbox: Sandbox,
    toolchain: Toolchain,
    scale_source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    architecture: str,
) -> None:
    source = scale_source.replace("factor * x[i]", "expf(x[i]) + __shfl_xor(factor, 1)")
    short = toolchain.compile(source, architecture)

    def never(_: str) -> bool:
        return False

    monkeypatch.setattr(module, "begins_with_header", never)
    assert Toolchain(sandbox, tmp_path).compile(source, architecture) == short
    assert short.status is Status.PASSED


def test_the_shortcut_is_taken_at_the_first_try(
    sandbox: Sandbox, scale_source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain = Toolchain(sandbox, tmp_path)
    toolchain.compile(scale_source, "gfx1100")
    run, headers = Sandbox.run, list[str]()

    def watched(self: Sandbox, *args: Any, **options: Any) -> Completed:
        headers.append(options["environment"]["HEADER"])
        return run(self, *args, **options)

    monkeypatch.setattr(Sandbox, "run", watched)
    assert toolchain.compile(scale_source + "// more\n", "gfx1100").status is Status.PASSED
    assert headers == ["-include-pch header.pch"]
    assert toolchain.compile("#pragma once\n" + scale_source, "gfx1100").status is Status.PASSED
    assert headers[1:] == [""]


def test_the_header_is_compiled_once_for_a_cache(
    sandbox: Sandbox, scale_source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Toolchain(sandbox, tmp_path).compile(scale_source, "gfx942")
    second = Toolchain(sandbox, tmp_path)

    def refuse(*_: object) -> bytes:
        raise AssertionError("compiled again")

    monkeypatch.setattr(Toolchain, "_precompile", refuse)
    assert second.compile(scale_source + "// again\n", "gfx942").status is Status.PASSED


@pytest.mark.parametrize("wrong", [b"not a precompiled header", b""])
def test_a_useless_precompiled_header_costs_time_only(
    sandbox: Sandbox,
    toolchain: Toolchain,
    scale_source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: bytes,
) -> None:
    def useless(*_: object) -> bytes:
        return wrong

    monkeypatch.setattr(Toolchain, "_precompile", useless)
    build = Toolchain(sandbox, tmp_path).compile(scale_source, "gfx942")

    assert build == toolchain.compile(scale_source, "gfx942")
    assert build.status is Status.PASSED


def test_a_source_that_includes_nothing_gets_nothing(
    toolchain: Toolchain, scale_source: str
) -> None:
    build = toolchain.compile(scale_source.replace(INCLUDE, ""), "gfx942")

    assert build.status is Status.COMPILE_ERROR
    assert "__global__" in build.message
