"""A compiler that crashes is reported as such; a builtin of another generation as what it is."""

import os
from pathlib import Path

import pytest

from rocm_pipeline.lab.compiler_crash import crash_words
from rocm_pipeline.lab.diagnostics import Diagnosis
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import Compiler, Toolchain

INNOCENT = "the compiler crashed, which says nothing about the kernel"
STACK = """\
PLEASE submit a bug report to https://example.org/ and include the crash backtrace.
Stack dump:
0.\tProgram arguments: clang -x hip kernel.hip
1.\t<eof> parser at end of file
2.\tkernel.hip:3:8: Generating code for declaration 'k'
 #0 0x000055d0c8a1 llvm::sys::PrintStackTrace(llvm::raw_ostream&, int) (/usr/bin/clang+0x1)
 #1 0x000055d0c8a2 SignalHandler(int) Signals.cpp:0:0
 #2 0x00007f10aa42 __restore_rt (/lib/libc.so.6+0x42520)
 #3 0x000055d0d001 (anonymous namespace)::SILower::run(llvm::Function&) (/usr/bin/clang+0x2)
 #4 0x000055d0d002 llvm::FPPassManager::runOnFunction(llvm::Function&) (/usr/bin/clang+0x3)
"""


def _kernel(body: str) -> str:
    return f'extern "C" __attribute__((global)) void k(float* a) {{\n{body}\n}}\n'


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("#pragma clang __debug crash", "signal 4"),
        ("#pragma clang __debug llvm_fatal_error", "error in its backend: #pragma clang __debug"),
        (f"a[0] = {'- ' * 60_000}a[1];", "signal 11, a memory fault"),
    ],
    ids=["illegal instruction", "fatal error", "stack overflow"],
)
def test_a_real_crash_of_the_real_compiler_is_no_fault_of_the_kernel(
    toolchain: Toolchain, body: str, reason: str
) -> None:
    build = toolchain.compile(_kernel(body), "gfx942")
    assert build.status is Status.COMPILE_ERROR
    assert build.message.startswith(f"{INNOCENT}: {reason}"), build.message
    assert "Write the part it was at in another way" in build.message
    assert "frontend command failed" not in build.message


@pytest.fixture
def crashing(sandbox: Sandbox, tmp_path: Path) -> Toolchain:
    """A compiler that knows its version, prints a stack and falls over."""
    place = tmp_path / "toolchain"
    place.mkdir()
    (place / "stack.txt").write_text(STACK)
    program = place / "clang"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--version*) echo "clang version 19.1.0"; exit 0;; esac\n'
        "cat /toolchain/stack.txt >&2\n"
        "kill -SEGV $$\n"
    )
    os.chmod(program, 0o755)  # noqa: S103 - the sandbox's user runs it
    compiler = Compiler(
        "planted", {"/toolchain": place}, "/toolchain/clang", "/toolchain/clang", "/toolchain"
    )
    return Toolchain(sandbox, tmp_path / "cache", compiler=compiler)


def test_the_first_frame_and_the_line_it_was_at_are_told(crashing: Toolchain) -> None:
    build = crashing.compile(_kernel("a[0] = 1;"), "gfx942")
    assert build.status is Status.COMPILE_ERROR
    assert build.message.splitlines()[:3] == [
        f"kernel.hip:3:1: {INNOCENT}: signal 11, a memory fault, as of too deep a nesting",
        "It was at: kernel.hip:3:8: Generating code for declaration 'k'",
        "First frame: (anonymous namespace)::SILower::run(llvm::Function&) (/usr/bin/clang+0x2)",
    ]
    assert Diagnosis(build.message).line == 3


@pytest.mark.parametrize(
    ("returncode", "said", "words"),
    [
        (1, "kernel.hip:1:1: error: expected ';'", None),
        (1, "kernel.hip:1:2: error: Stack dump:\n    1 | #error Stack dump:", None),
        (70, "LLVM ERROR: out of memory", f"{INNOCENT}: error in its backend: out of memory"),
        (134, "clang: X.cpp:7: f(): Assertion `a == b' failed.", f"{INNOCENT}: clang: X.cpp:7"),
        (1, STACK, f"kernel.hip:3:1: {INNOCENT}: it printed its stack"),
        (-9, "", "the compiler was killed by signal 9: most likely it took too much memory"),
        (-24, "", "the compiler was killed by signal 24: "),
    ],
)
def test_only_a_crash_is_called_one(returncode: int, said: str, words: str | None) -> None:
    told = crash_words(returncode, said, "", "gfx942")
    assert told is None if words is None else (told or "").startswith(words)


MATRIX = """\
#include <hip/hip_runtime.h>
typedef _Float16 half4 __attribute__((ext_vector_type(4)));
typedef _Float16 half16 __attribute__((ext_vector_type(16)));
typedef float float4v __attribute__((ext_vector_type(4)));
typedef float float8v __attribute__((ext_vector_type(8)));
"""
MFMA = (
    MATRIX
    + """\
extern "C" __global__ void k(const half4* a, float4v* c) {
  c[0] = __builtin_amdgcn_mfma_f32_16x16x16f16(a[0], a[1], c[0], 0, 0, 0);
}
"""
)
WMMA = (
    MATRIX
    + """\
extern "C" __global__ void k(const half16* a, float8v* c) {
  c[0] = __builtin_amdgcn_wmma_f32_16x16x16_f16_w32(a[0], a[1], c[0]);
}
"""
)


@pytest.mark.parametrize(
    ("source", "wrong", "right", "words"),
    [
        (
            MFMA,
            "gfx1100",
            "gfx942",
            "'__builtin_amdgcn_mfma_f32_16x16x16f16' exists on gfx90a, gfx942, gfx950 only: ",
        ),
        (WMMA, "gfx942", "gfx1100", "'__builtin_amdgcn_wmma_f32_16x16x16_f16_w32' exists on "),
        # here the compiler has no error for it: its backend crashes
        (WMMA, "gfx1201", "gfx1100", "'__builtin_amdgcn_wmma_f32_16x16x16_f16_w32' exists on "),
    ],
)
def test_a_matrix_builtin_of_another_generation_names_its_line_and_who_has_it(
    toolchain: Toolchain, source: str, wrong: str, right: str, words: str
) -> None:
    build = toolchain.compile(source, wrong)
    assert build.status is Status.COMPILE_ERROR
    assert words in build.message
    assert right in build.message
    assert INNOCENT not in build.message
    assert Diagnosis(build.message).line == 7
    assert toolchain.compile(source, right).status is Status.PASSED
