"""What a kernel's module may refer to, and what its kernels' parameters are."""

import re
from collections.abc import Sequence

from rocm_pipeline.lab.emulator.build import BuildFailed, Parameter, ParameterKind
from rocm_pipeline.lab.emulator.ir import Module
from rocm_pipeline.lab.emulator.source import SOURCE_NAME

# Everything else that the headers offer becomes an intrinsic of the compiler.
_LIBRARY = {"erff", "__tsan_init"}
_DECLARATION = re.compile(r"declare .*?@([\w.$]+)\(")
_EXTERNAL = re.compile(r"@([\w.$]+) = (?:[a-z_]+ )*?external ")
_OWN = ("hip_emulator_", "llvm.")
_PARAMETERS = re.compile(
    r"@hip_emulator_parameters_(?P<kernel>\w+) = .*?\{ i32 (?P<count>\d+), \[\d+ x i32\] "
    r"(?:\[(?P<values>[^\]]*)\]|zeroinitializer)"
)
_KINDS = (
    ParameterKind.OTHER,
    ParameterKind.POINTER,
    ParameterKind.INTEGER,
    ParameterKind.FLOATING,
)


_CONSTRUCTORS = re.compile(r"@llvm.global_ctors = appending global \[(\d+) x")
_OUR_CONSTRUCTORS = 1


def check_references(module: Module) -> None:
    """Refuse what no kernel may hold: undefined names, assembly, code that runs on loading.

    Raises BuildFailed naming it.
    """
    for line in module.outside:
        constructors = _CONSTRUCTORS.match(line)
        if constructors and int(constructors[1]) > _OUR_CONSTRUCTORS:
            raise BuildFailed(
                f"{SOURCE_NAME}:1:1: error: variables outside functions must have constant "
                "initial values"
            )
        if line.startswith("module asm"):
            raise BuildFailed(
                f"{SOURCE_NAME}:1:1: error: UNSUPPORTED: inline assembly cannot run on the emulator"
            )
        match = _DECLARATION.match(line) or _EXTERNAL.match(line)
        if match and not match[1].startswith(_OWN) and match[1] not in _LIBRARY:
            raise BuildFailed(
                f"{SOURCE_NAME}:1:1: error: '{match[1]}' is declared but defined nowhere; a kernel "
                'must be declared extern "C" __global__'
            )


def kernel_parameters(module: Module, kernels: Sequence[str]) -> dict[str, tuple[Parameter, ...]]:
    """Return the parameters of each kernel; raises BuildFailed for one with a mangled name."""
    defined = {function.name for function in module.functions}
    for kernel in kernels:
        if kernel not in defined:
            raise BuildFailed(
                f"{SOURCE_NAME}:1:1: error: kernel '{kernel}' of the launch plan must be declared "
                'extern "C" __global__'
            )
    return {
        match["kernel"]: _parameters(match)
        for match in map(_PARAMETERS.match, module.outside)
        if match
    }


def _parameters(match: re.Match[str]) -> tuple[Parameter, ...]:
    words = (match["values"] or "").split(", ")
    values = [int(word.split()[-1]) for word in words[: int(match["count"])]]
    return tuple(Parameter(_KINDS[value >> 16], value & 0xFFFF) for value in values)
