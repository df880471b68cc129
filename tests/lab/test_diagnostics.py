"""What diagnostics are taken for: a mistake, or HIP that is not supported."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.diagnostics import Diagnosis
from rocm_pipeline.lab.emulator import BuildFailed, Emulator
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox

IN_A_HEADER = """kernel.hip:2:7: warning: unused variable
In file included from kernel.hip:1:
/include/hip/detail/emulator/builtins_lanes.h:52:9: error: static assertion failed: UNSUPPORTED: DPP
kernel.hip:9:3: note: in instantiation of function template specialization requested here
1 error generated."""


def test_the_line_is_that_of_the_candidate_which_led_into_a_header() -> None:
    assert (Diagnosis(IN_A_HEADER).status, Diagnosis(IN_A_HEADER).line) == (Status.UNSUPPORTED, 9)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("kernel.hip:3:1: error: use of undeclared identifier 'clock64'", Status.UNSUPPORTED),
        ("kernel.hip:3:1: error: use of undeclared identifier 'clock65'", Status.COMPILE_ERROR),
        ("kernel.hip:3:1: error: expected ';'", Status.COMPILE_ERROR),
        ("kernel.hip:3:1: error: attempt to use a deleted function", Status.COMPILE_ERROR),
        ("the compiler did not finish within 60 seconds", Status.COMPILE_ERROR),
        ("", Status.COMPILE_ERROR),
        ("// UNSUPPORTED: in a warning", Status.COMPILE_ERROR),
    ],
)
def test_only_errors_that_say_so_are_unsupported(text: str, status: Status) -> None:
    assert Diagnosis(text).status is status
    assert Diagnosis(f"{text}\nkernel.hip:4:1: error: expected ')'").status is Status.COMPILE_ERROR


def test_the_reason_for_a_refused_name_stands_behind_the_text() -> None:
    text = "kernel.hip:3:1: error: use of undeclared identifier 'clock64'"
    finding = Diagnosis(text).finding("gfx942")
    assert finding.message.startswith(
        f"gfx942: {text}\nUNSUPPORTED: 'clock64': A kernel that reads"
    )
    assert (finding.status, finding.line) == (Status.UNSUPPORTED, 3)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("y[0] = *(const volatile long double*)y;", "a memory access of type x86_fp80"),
        ("__atomic_fetch_add((int*)y, 1, 0);", "compiler atomics cannot run on the emulator"),
    ],
)
def test_what_the_emulator_refuses_is_unsupported_with_its_line(
    sandbox: Sandbox, builds: Path, statement: str, words: str
) -> None:
    source = f"""#include <hip/hip_runtime.h>
extern "C" __global__ void k(float* y) {{
  {statement}
}}
"""
    with pytest.raises(BuildFailed) as refused:
        Emulator(sandbox, builds / "emulator").build(source, ["k"], 64)
    diagnosis = Diagnosis(refused.value.diagnostics)
    assert (diagnosis.status, diagnosis.line) == (Status.UNSUPPORTED, 3)
    assert words in diagnosis.text
