"""From a candidate's source to what the CPU compiler reads: the same lines, plus exports."""

import re
from collections.abc import Sequence

from rocm_pipeline.lab.emulator.build import BuildFailed

SOURCE_NAME = "kernel.hip"
"""What the source is called in diagnostics."""

# Comments and literals, which must be passed over.
_SKIPPED = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
_ALIGNMENT = r"(?:__align__|alignas|__attribute__)\s*\((?:[^()]|\([^()]*\))*\)"
_DYNAMIC_SHARED = re.compile(
    rf"(?P<skipped>{_SKIPPED})"
    rf"|\bextern\s+(?:{_ALIGNMENT}\s*)?__shared__\s+(?:{_ALIGNMENT}\s*)?"
    r"(?P<type>[\w:][\w:<>,\s]*?)\s*"
    rf"(?:{_ALIGNMENT}\s*)?"
    r"\b(?P<name>\w+)\s*\[\s*\]\s*(?P<inner>(?:\[[^\]]*\]\s*)*);",
    re.DOTALL,
)
_RESERVED = re.compile(r"hip_emulator|hip_detail", re.IGNORECASE)


def prepare(source: str, kernels: Sequence[str]) -> str:
    """Return `source` with dynamic LDS made visible to a CPU compiler, and its kernels exported.

    Every line keeps its number. Raises BuildFailed where the source uses names of the emulator.
    """
    for number, line in enumerate(source.splitlines(), start=1):
        if _RESERVED.search(line):
            raise BuildFailed(
                f"{SOURCE_NAME}:{number}:1: error: names with 'hip_emulator' or 'hip_detail' are "
                "reserved for the harness"
            )
    exports = "\n".join(f"HIP_EMULATOR_EXPORT({kernel})" for kernel in kernels)
    body = _DYNAMIC_SHARED.sub(_declare_dynamic, source)
    return f'{body}\n#line 1 "launch plan"\n{exports}\n'


def _declare_dynamic(match: re.Match[str]) -> str:
    if match["skipped"] is not None:
        return match[0]
    inner = match["inner"].strip()
    element = f"__typeof__({match['type']}{inner})" if inner else match["type"]
    newlines = "\n" * match[0].count("\n")
    return f"HIP_EMULATOR_DYNAMIC_SHARED({match['name']}, {' '.join(element.split())});{newlines}"
