"""The device compiler, for real: the ziglang wheel inside the sandbox."""

from dataclasses import replace
from pathlib import Path

import pytest

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab import toolchain as module
from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.code_object import read_code_object
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Toolchain, ziglang
from rocm_pipeline.targets.spec import ARCHITECTURES


def test_every_architecture_compiles_to_its_own_code_object(
    toolchain: Toolchain, scale_source: str
) -> None:
    builds = {b.architecture: b for b in toolchain.compile_each(scale_source, ARCHITECTURES)}

    assert tuple(builds) == ARCHITECTURES
    for name, build in builds.items():
        assert build.status is Status.PASSED, build.message
        content = read_code_object(build.code_object)
        assert content.architecture == name
        assert [kernel.name for kernel in content.kernels] == ["scale_f32"]
        assert "scale_f32:" in build.assembly


def test_the_same_source_gives_the_same_bytes(
    sandbox: Sandbox, toolchain: Toolchain, scale_source: str, tmp_path: Path
) -> None:
    other = Toolchain(sandbox, tmp_path)

    assert other.identity == toolchain.identity
    assert other.compile(scale_source, "gfx942") == toolchain.compile(scale_source, "gfx942")


def test_sources_that_differ_in_a_comment_never_share_an_object(
    toolchain: Toolchain, scale_source: str
) -> None:
    one = toolchain.compile(scale_source, "gfx1100")
    two = toolchain.compile(scale_source + "// again\n", "gfx1100")

    assert one.object_sha256 != two.object_sha256


def test_a_second_compilation_is_read_from_the_cache(
    sandbox: Sandbox, scale_source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain = Toolchain(sandbox, tmp_path)
    first = toolchain.compile(scale_source, "gfx942")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(Sandbox, "run", refuse)
    assert toolchain.compile(scale_source, "gfx942") == first


def test_a_damaged_cache_entry_is_compiled_again(
    sandbox: Sandbox, scale_source: str, tmp_path: Path
) -> None:
    toolchain = Toolchain(sandbox, tmp_path)
    first = toolchain.compile(scale_source, "gfx942")
    for entry in [path for path in tmp_path.rglob("*") if path.is_file()]:
        entry.write_bytes(entry.read_bytes()[:100])

    assert Toolchain(sandbox, tmp_path).compile(scale_source, "gfx942") == first


@pytest.mark.parametrize("what", ["another source", "another architecture", "no build", "no hash"])
def test_a_swapped_cache_entry_is_compiled_again(
    sandbox: Sandbox,
    toolchain: Toolchain,
    scale_source: str,
    tmp_path: Path,
    what: str,
) -> None:
    asked = toolchain.compile(scale_source, "gfx942")
    other = toolchain.compile(scale_source.replace("factor *", "2 * factor *"), "gfx942")
    swapped = {
        "another source": other.to_json(),
        "another architecture": toolchain.compile(scale_source, "gfx90a").to_json(),
        "no build": b'{"status": "PASSED"}',
        "no hash": replace(asked, code_object=asked.code_object[:-64]).to_json(),
    }
    victim, cache = Toolchain(sandbox, tmp_path), BuildCache(tmp_path)
    victim.compile(scale_source, "gfx942")
    (key,) = {path.name for path in tmp_path.rglob("*") if cache.get(path.name) == asked.to_json()}
    cache.put(key, swapped[what])

    assert victim.compile(scale_source, "gfx942") == asked
    assert cache.get(key) == asked.to_json()


def test_a_new_object_with_another_hash_is_a_cheat_and_not_remembered(
    sandbox: Sandbox, scale_source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain = Toolchain(sandbox, tmp_path)

    def wrong(_: str) -> str:
        return "--build-id=0x" + "ab" * 32

    monkeypatch.setattr(module, "linker_option", wrong)
    build = toolchain.compile(scale_source, "gfx942")

    assert build.status is Status.CHEAT
    assert "that of another source (abab" in build.message
    assert build.code_object == b""
    monkeypatch.undo()
    assert toolchain.compile(scale_source, "gfx942").status is Status.PASSED


def test_an_error_names_the_candidates_own_line(toolchain: Toolchain, scale_source: str) -> None:
    wrong = scale_source.replace("factor * x[i]", "faktor * x[i]")

    build = toolchain.compile(wrong, "gfx942")

    assert build.status is Status.COMPILE_ERROR
    assert "kernel.hip:6:21: error: use of undeclared identifier 'faktor'" in build.message
    assert build.code_object == b""
    assert build.assembly == ""


def test_a_crash_of_the_backend_is_an_error_without_its_noise(toolchain: Toolchain) -> None:
    source = """\
#include <hip/hip_runtime.h>
typedef _Float16 half16 __attribute__((ext_vector_type(16)));
typedef float float8 __attribute__((ext_vector_type(8)));
extern "C" __global__ void k(const half16* a, float8* c) {
  c[0] = __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(a[0], a[1], c[0]);
}
"""
    crashed = toolchain.compile(source, "gfx1201")

    assert toolchain.compile(source, "gfx1100").status is Status.PASSED
    assert crashed.status is Status.COMPILE_ERROR
    assert "\nthe compiler crashed on it (error in its backend: Cannot select" in crashed.message
    assert "PLEASE" not in crashed.message


def test_a_function_that_nobody_defines_is_an_error(toolchain: Toolchain) -> None:
    source = """\
#include <hip/hip_runtime.h>
extern "C" __device__ int open(int);
extern "C" __global__ void k(int* o) { o[0] = open(1); }
"""
    build = toolchain.compile(source, "gfx942")

    assert build.status is Status.COMPILE_ERROR
    assert "undefined hidden symbol: open" in build.message


def test_a_file_of_the_machine_cannot_be_included(toolchain: Toolchain, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h"
    secret.write_text("#error the secret is 4711\n")

    for path in (str(secret), "/etc/passwd", "/toolchain/../etc/passwd"):
        build = toolchain.compile(f'#include "{path}"\n', "gfx942")
        assert build.status is Status.COMPILE_ERROR
        assert "file not found" in build.message
        assert "4711" not in build.message


def test_a_template_bomb_ends_as_an_outcome_not_an_exception(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain = Toolchain(sandbox, tmp_path)
    monkeypatch.setattr(module, "_LIMITS", replace(module._LIMITS, wall_seconds=1.0))  # pyright: ignore[reportPrivateUsage]
    bomb = """\
template <int N, unsigned long M> constexpr unsigned long walk() {
  if constexpr (N == 0) return M; else return walk<N - 1, 2 * M>() + walk<N - 1, 2 * M + 1>();
}
constexpr unsigned long answer = walk<40, 1>();
"""
    build = toolchain.compile(bomb, "gfx942")

    assert build.status is Status.TIMEOUT
    assert not [path for path in tmp_path.rglob("*") if path.is_file()], "must not be remembered"


def test_a_change_of_the_headers_changes_the_identity(sandbox: Sandbox, tmp_path: Path) -> None:
    headers = tmp_path / "include"
    (headers / "hip").mkdir(parents=True)
    (headers / "hip" / "hip_runtime.h").write_text("#pragma once\n")
    before = Toolchain(sandbox, tmp_path / "cache", headers=headers).identity
    (headers / "hip" / "hip_runtime.h").write_text("#pragma once\n#define A 1\n")

    assert Toolchain(sandbox, tmp_path / "cache", headers=headers).identity != before


def test_a_missing_wheel_is_one_line_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> None:
        return None

    monkeypatch.setattr(module, "find_spec", absent)
    with pytest.raises(UserError, match=r"ziglang.*pip install ziglang==0\.17\.0"):
        ziglang()


def test_a_compiler_that_does_not_run_is_one_line_with_its_remedy(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    broken = replace(ziglang(), clang="/toolchain/zig-that-is-not-there")

    with pytest.raises(UserError, match="does not run here") as caught:
        Toolchain(sandbox, tmp_path, compiler=broken)
    assert "\n" not in str(caught.value)
