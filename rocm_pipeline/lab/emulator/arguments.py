"""Whether a launch plan's arguments fit the kernels' parameters, before anything runs."""

from collections.abc import Iterator, Mapping

import numpy as np

from rocm_pipeline.lab.emulator.build import EmulatorBuild, Parameter, ParameterKind
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan

MOST_DYNAMIC_LDS = 256 * 1024
"""Bytes the emulator has; more than any architecture."""


def check_arguments(
    build: EmulatorBuild,
    plan: BoundPlan,
    buffers: Mapping[str, Array],
    scalars: Mapping[str, np.generic],
) -> list[Finding]:
    """Return a POLICY_VIOLATION for every launch argument that its kernel cannot take."""
    return [
        Finding(
            status=Status.POLICY_VIOLATION,
            message=f"launch {number} ({launch.kernel}): {message}",
            kernel=launch.kernel,
        )
        for number, launch in enumerate(plan.launches)
        for message in _complaints(build, launch, buffers, scalars)
    ]


def _complaints(
    build: EmulatorBuild,
    launch: BoundLaunch,
    buffers: Mapping[str, Array],
    scalars: Mapping[str, np.generic],
) -> Iterator[str]:
    if launch.shared_bytes > MOST_DYNAMIC_LDS:
        yield f"shared_bytes is {launch.shared_bytes}; no GPU has more than {MOST_DYNAMIC_LDS}"
    parameters = build.kernels.get(launch.kernel)
    if parameters is None:
        yield f"the build has no kernel '{launch.kernel}'"
        return
    if len(parameters) != len(launch.args):
        yield f"the plan passes {len(launch.args)} arguments, the kernel takes {len(parameters)}"
        return
    for index, (name, parameter) in enumerate(zip(launch.args, parameters, strict=True)):
        given = _given(name, buffers, scalars)
        if given is None:
            yield f"argument {index} '{name}' is no tensor, workspace, symbol or scalar"
        elif given != parameter:
            yield (
                f"argument {index} '{name}' is {_words(given)}, but parameter {index} of the "
                f"kernel is {_words(parameter)}"
            )


def _given(
    name: str, buffers: Mapping[str, Array], scalars: Mapping[str, np.generic]
) -> Parameter | None:
    if name in buffers:
        return Parameter(ParameterKind.POINTER, 8)
    if name not in scalars:
        return None
    dtype = scalars[name].dtype
    kind = ParameterKind.FLOATING if dtype.kind == "f" else ParameterKind.INTEGER
    return Parameter(kind, dtype.itemsize)


def _words(parameter: Parameter) -> str:
    match parameter.kind:
        case ParameterKind.POINTER:
            return "a pointer"
        case ParameterKind.INTEGER:
            return f"an integer of {parameter.size} bytes"
        case ParameterKind.FLOATING:
            return f"a floating-point value of {parameter.size} bytes"
        case ParameterKind.OTHER:
            return f"a structure of {parameter.size} bytes"
